"""Resampling: identities, exact pixel size, centred fields of view, averages when pixels grow."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.resample import in_plane_grid, resample_onto
from bids_deepseg.geometry.volume import Volume


def volume_of(data, zooms=(1.0, 1.0, 1.0)):
    return Volume(np.asarray(data, np.float32), Grid(np.shape(data), np.diag([*zooms, 1.0])))


def test_resampling_onto_the_same_grid_changes_nothing(rng):
    volume = volume_of(rng.random((5, 6, 3)))
    np.testing.assert_array_equal(resample_onto(volume, volume.grid).data, volume.data)


@given(st.integers(1, 60), st.floats(0.2, 2.0), st.sampled_from([0.25, 0.5, 1.0]))
def test_in_plane_grid_has_exact_pixels_and_the_same_field_of_view(n, zoom, target):
    grid = Grid((n, 7, 3), np.diag([-zoom, 0.8, 5, 1]))
    new = in_plane_grid(grid, target)
    np.testing.assert_allclose(new.zooms, (target, target, 5))
    centre = (np.array(grid.shape) - 1) / 2
    np.testing.assert_allclose(
        new.voxel_to_world((np.array(new.shape) - 1) / 2), grid.voxel_to_world(centre), atol=1e-9
    )
    assert n * zoom <= new.shape[0] * target + 1e-5 <= n * zoom + target + 1e-4
    assert new.shape[2] == 3


def test_a_linear_ramp_stays_a_linear_ramp():
    volume = volume_of(np.arange(10.0)[:, None, None] * np.ones((1, 4, 2)))
    fine = resample_onto(volume, in_plane_grid(volume.grid, 0.5))
    x_mm = fine.grid.voxel_to_world(np.argwhere(np.ones(fine.grid.shape)))[:, 0].reshape(fine.grid.shape)
    np.testing.assert_allclose(fine.data, np.clip(x_mm, 0, 9), atol=1e-5)


def test_growing_pixels_average_their_input():
    checkers = np.indices((40, 40, 1)).sum(0) % 2
    volume = volume_of(checkers, (0.25, 0.25, 1.0))
    coarse = resample_onto(volume, in_plane_grid(volume.grid, 1.0))
    np.testing.assert_allclose(coarse.data, 0.5, atol=0.03)


def test_outside_is_zero_or_the_border():
    volume = volume_of(np.ones((4, 4, 1)))
    far = Grid((1, 1, 1), np.array([[1, 0, 0, 50], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], float))
    assert resample_onto(volume, far, outside="zero").data[0, 0, 0] == 0
    assert resample_onto(volume, far).data[0, 0, 0] == 1


@given(st.integers(0, 2**32 - 1), st.sampled_from(["zero", "nearest"]))
def test_no_slice_is_lost_to_rounding_on_any_affine(seed, outside):
    rng = np.random.default_rng(seed)
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(rng.normal(size=(3, 3)))[0] @ np.diag(rng.uniform(0.3, 8, 3))
    affine[:3, 3] = rng.uniform(-200, 200, 3)
    native = Grid((9, 8, 5), affine)
    fine = in_plane_grid(native, 0.5)
    ones = Volume(np.ones(fine.shape, np.float32), fine)
    # The outermost pixels of a coarse image may reach beyond the fine one, the others and all slices may not.
    inside = resample_onto(ones, native, outside=outside).data[1:-1, 1:-1]
    np.testing.assert_allclose(inside, 1, atol=1e-4)


def test_turned_grids_are_refused():
    volume = volume_of(np.ones((4, 4, 1)))
    turned = Grid((4, 4, 1), np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]], float))
    with pytest.raises(ValueError, match="not parallel"):
        resample_onto(volume, turned)
