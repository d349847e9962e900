"""Metrics: analytic cylinders and ellipses, tilted, on any voxels."""

import numpy as np
import pytest

from bids_deepseg.geometry.grid import CANONICAL_AXCODES, Grid
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.stages.metrics import COLUMNS, measure_cord
from tests.helpers.phantoms import grid_of, tube


def measure(fraction, native=None):
    mask = Volume((fraction.data >= 0.5).astype(np.uint8), fraction.grid)
    return measure_cord(mask, fraction, native or fraction.grid).columns()


@pytest.mark.parametrize("zooms", [(0.4, 0.4, 1.0), (0.5, 0.8, 1.0), (0.3, 0.3, 5.0), (1.0, 1.0, 1.0)])
@pytest.mark.parametrize("slope", [(0.0, 0.0), (0.0, 0.6), (0.5, -0.3)])
def test_area_of_a_tilted_cylinder_is_that_of_its_cross_section(zooms, slope):
    n_slices = round(20 / zooms[2])
    shape = (round(40 / zooms[0]), round(40 / zooms[1]), n_slices)
    columns = measure(tube(grid_of(shape, zooms), radius_mm=6, slope=slope))
    angle = np.degrees(np.arctan(np.hypot(*slope)))
    np.testing.assert_allclose(columns["area_mm2"], np.pi * 36, rtol=0.06)
    np.testing.assert_allclose(columns["area_mm2"].mean(), np.pi * 36, rtol=0.02)
    np.testing.assert_allclose(
        columns["area_uncorrected_mm2"] * np.cos(np.radians(columns["angle_deg"])), columns["area_mm2"]
    )
    np.testing.assert_allclose(columns["angle_deg"], angle, atol=2.5)
    np.testing.assert_allclose(columns["diameter_ap_mm"], 12, rtol=0.05)
    np.testing.assert_allclose(columns["diameter_rl_mm"], 12, rtol=0.05)


def ellipse_mask(grid, rl_mm, ap_mm, turned_deg=0.0):
    x, y, _ = np.moveaxis(grid.voxel_to_world(np.indices(grid.shape).transpose(1, 2, 3, 0)), -1, 0)
    angle = np.radians(turned_deg)
    # The right-left direction of the measures points to the left, as the canonical axis does.
    u, v = -x * np.cos(angle) + y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)
    return Volume((((2 * u / rl_mm) ** 2 + (2 * v / ap_mm) ** 2) <= 1).astype(np.uint8), grid)


@pytest.mark.parametrize("turned", [0.0, 20.0, -35.0])
def test_diameters_eccentricity_and_orientation_of_an_ellipse(turned):
    mask = ellipse_mask(grid_of((80, 80, 4), (0.25, 0.25, 3)), 13, 8, turned)
    columns = measure_cord(mask, Volume(mask.data.astype(np.float32), mask.grid), mask.grid).columns()
    np.testing.assert_allclose(columns["area_mm2"], np.pi * 13 * 8 / 4, rtol=0.01)
    np.testing.assert_allclose(columns["eccentricity"], np.sqrt(1 - (8 / 13) ** 2), atol=0.01)
    np.testing.assert_allclose(columns["orientation_deg"], turned, atol=1)
    if turned == 0:
        np.testing.assert_allclose(columns["diameter_rl_mm"], 13, rtol=0.01)
        np.testing.assert_allclose(columns["diameter_ap_mm"], 8, rtol=0.01)


def test_slices_are_numbered_as_in_the_native_image():
    grid = grid_of((20, 20, 6), (1, 1, 3))
    fraction = Volume(tube(grid).data * (np.arange(6) < 2), grid)
    native = reorient(fraction, ("P", "I", "R"))
    canonical = reorient(native, CANONICAL_AXCODES)
    columns = measure(canonical, native.grid)
    # The native axis runs downwards, so the two lowest slices come last.
    np.testing.assert_array_equal(columns["slice"], np.arange(6))
    np.testing.assert_array_equal(np.isfinite(columns["area_mm2"]), [False] * 4 + [True] * 2)
    z = native.grid.voxel_to_world([0, 5, 0])[2]
    np.testing.assert_allclose(columns["z_mm"][5], z)


def test_flips_do_not_change_areas():
    fraction = tube(grid_of((41, 40, 9), (0.7, 0.7, 2)), slope=(0.3, 0.2))
    flipped = Volume(np.ascontiguousarray(fraction.data[::-1, :, ::-1]), fraction.grid)
    np.testing.assert_allclose(measure(flipped)["area_mm2"][::-1], measure(fraction)["area_mm2"])


def test_sheared_voxels_have_their_true_area():
    affine = grid_of((60, 60, 3), (0.5, 0.5, 2)).affine.copy()
    affine[0, 1] = 0.25
    grid = Grid((60, 60, 3), affine)
    xyz = grid.voxel_to_world(np.indices(grid.shape).transpose(1, 2, 3, 0))
    centre = xyz[30, 30]
    mask = Volume((np.linalg.norm(xyz - centre, axis=-1) <= 6).astype(np.uint8), grid)
    columns = measure_cord(mask, Volume(mask.data.astype(np.float32), grid), grid).columns()
    assert columns["area_uncorrected_mm2"][1] == pytest.approx(mask.data[..., 1].sum() * 0.25)


def test_one_slice_has_no_angle():
    columns = measure(tube(grid_of((30, 30, 1), (1, 1, 5))))
    assert columns["angle_deg"][0] == 0
    assert list(columns) == list(COLUMNS)
