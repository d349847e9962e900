"""Findings: each thing that speaks against a result is said, and nothing is said about a good one."""

import numpy as np
import pytest

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
