"""Findings: each thing that speaks against a result is said, and nothing is said about a good one."""

import numpy as np
import pytest

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.judge.slices import judge
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.findings import verdict_of
from bids_deepseg.stages.mask import clean_mask
from bids_deepseg.stages.metrics import measure_cord
from tests.helpers.phantoms import grid_of, tube


def judged(change=lambda data: data, *, radius_mm=5.0, n=40, inside=1.0):
    grid = grid_of((50, 50, n))
    data = change(tube(grid, radius_mm=radius_mm).data.copy() * inside)
    probability = Volume(data.astype(np.float32), grid)
    line = Centerline(np.full((n, 2), 24.5), np.arange(n), grid, np.ones(n), 0.0)
    mask = clean_mask(probability, line, threshold=0.5)
    findings = judge(line, mask, measure_cord(mask.volume, probability, grid))
    return {finding.code: finding.severity for finding in findings}, verdict_of(findings)


def without(first, last):
    def change(data):
        data[..., first:last] = 0
        return data

    return change


def widened(data):
    data[15:35, 15:35, 20:22] = 1
    return data


@pytest.mark.parametrize(
    ("arguments", "codes", "verdict"),
    [
        ({}, {}, "pass"),
        ({"change": without(10, 14)}, {"gap-bridged": "warn"}, "warn"),
        ({"change": without(14, 30), "n": 80}, {"gap": "warn", "coverage": "warn"}, "warn"),
        ({"change": without(10, 30)}, {"gap": "warn", "coverage-low": "fail"}, "fail"),
        ({"change": without(6, 20), "n": 60}, {"piece-dropped": "warn", "coverage-low": "fail"}, "fail"),
        ({"change": widened}, {"area-range": "warn", "area-jump": "warn"}, "warn"),
        ({"radius_mm": 9.0}, {"area-range": "fail"}, "fail"),
        ({"radius_mm": 1.5}, {"area-range": "fail"}, "fail"),
        ({"inside": 0.6}, {"probability-low": "warn"}, "warn"),
    ],
)
def test_findings_and_verdict(arguments, codes, verdict):
    assert judged(**arguments) == (codes, verdict)


def conus(*, below=40, tip_mm=30.0, radius_mm=5.0, taper=None, n=160, flip=False):
    """Return the findings about a cord that tapers to a tip, in slices of 1 mm, with roots and fluid below."""
    grid = grid_of((50, 50, n))
    if flip:
        affine = grid.affine @ np.diag([1, 1, -1, 1])
        affine[:3, 3] = grid.voxel_to_world([0, 0, n - 1])
        native = Grid(grid.shape, affine)
    else:
        native = grid
    height = np.arange(n) - below
    radius = radius_mm * np.sqrt(np.clip(height / tip_mm, 0, 1)) if taper is None else taper(height)
    square = (np.arange(50) - 24.5)[:, None] ** 2 + (np.arange(50) - 24.5) ** 2
    soft = np.clip(radius - np.sqrt(square)[..., None] + 0.5, 0, 1) * (height >= 0) * (radius > 0)
    probability = Volume(soft.astype(np.float32), grid)
    mask = clean_mask(probability, line_through(grid), threshold=0.5)
    present = np.flatnonzero(mask.volume.data.any((0, 1)))
    line = line_through(grid, present[0], present[-1])
    return {one.code: one for one in judge(line, mask, measure_cord(mask.volume, probability, native))}


def line_through(grid, first=0, last=None):
    k = np.arange(first, (grid.shape[2] - 1 if last is None else last) + 1)
    return Centerline(np.full((len(k), 2), 24.5), k, grid, np.ones(len(k)), 0.0)


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("tip_mm", [8.0, 20.0, 35.0])
def test_the_taper_of_the_conus_is_anatomy(tip_mm, flip):
    assert {code for code, one in conus(tip_mm=tip_mm, flip=flip).items() if one.severity != "info"} == set()


@pytest.mark.parametrize("flip", [False, True])
def test_a_cord_that_gets_thin_where_the_image_ends_is_none(flip):
    assert "area-jump" in conus(below=5, tip_mm=8.0, flip=flip)


@pytest.mark.parametrize("flip", [False, True])
def test_an_area_that_grows_again_below_the_conus_is_a_jump(flip):
    found = conus(taper=lambda height: np.where(height < 12, 5.5, np.where(height < 18, 2.5, 5.0)), flip=flip)
    assert found["area-jump"].value == pytest.approx(6.0, abs=0.5)


def test_a_jump_above_the_conus_is_one():
    found = conus(taper=lambda height: np.where(np.abs(height - 70) < 4, 7.0, np.clip(height / 6, 0.6, 4.5)))
    assert "area-jump" in found


@pytest.mark.parametrize(("growth_mm", "is_jump"), [(0.8, False), (1.6, True)])
@pytest.mark.parametrize("radius_mm", [3.0, 5.0])
def test_a_thin_cord_jumps_no_sooner_than_a_thick_one(radius_mm, growth_mm, is_jump):
    found = conus(taper=lambda height: np.where(height < 60, radius_mm, radius_mm + growth_mm))
    assert ("area-jump" in found) == is_jump
