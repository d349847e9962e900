"""Centerline: follows the heat, and ends where the evidence ends."""

import numpy as np
import pytest

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.centerline import Centerline, centerline_mask, trace_centerline
from bids_deepseg.stages.heatmap import Heatmap
from tests.helpers.phantoms import grid_of


def heatmap_along(course, *, dz=1.0, peak=None, shape=(50, 50)):
    """Return Gaussian heat of 2.5 mm around a course (K, 2) in pixels of 1 mm."""
    course = np.asarray(course, float)
    peak = np.ones(len(course)) if peak is None else np.asarray(peak)
    i, j = np.indices(shape)
    square = (i[..., None] - course[:, 0]) ** 2 + (j[..., None] - course[:, 1]) ** 2
    data = (peak * np.exp(-square / (2 * 2.5**2))).astype(np.float32)
    return Heatmap(Volume(data, grid_of(data.shape, (1, 1, dz))))


@pytest.mark.parametrize(("dz", "slope"), [(1.0, 0.5), (5.0, 2.0), (0.5, 0.2)])
def test_a_tilted_cord_is_followed_within_half_a_millimetre(dz, slope):
    k = np.arange(16)
    course = np.column_stack([8 + slope * k, 25 - 0.5 * slope * k])
    centerline = trace_centerline(heatmap_along(course, dz=dz))
    assert list(centerline.k) == list(k)
    assert np.abs(centerline.ij - course)[2:-2].max() < 0.5
    assert np.abs(centerline.ij - course).max() < 2.5


def test_one_slice_is_enough():
    centerline = trace_centerline(heatmap_along([[20, 30]]))
    np.testing.assert_allclose(centerline.ij, [[20, 30]], atol=0.2)


def test_ends_without_evidence_are_cut_and_weak_slices_inside_are_kept():
    peak = np.full(40, 0.9)
    peak[:8] = peak[33:] = 0.02
    peak[15:18] = 0.1
    peak[36] = 0.6  # one lonely slice beyond the end does not prolong the cord
    centerline = trace_centerline(heatmap_along(np.full((40, 2), 25.0), peak=peak))
    assert (centerline.k[0], centerline.k[-1]) == (8, 32)


def test_a_few_hot_slices_of_a_long_image_are_no_cord():
    peak = np.full(60, 0.05)
    peak[20:25] = 0.9
    with pytest.raises(CordNotFoundError, match=r"only 5 of 60 slices \(7\.5 mm\)"):
        trace_centerline(heatmap_along(np.full((60, 2), 25.0), peak=peak, dz=1.5))
    assert len(trace_centerline(heatmap_along(np.full((60, 2), 25.0), peak=peak, dz=2.0)).k) == 5


def test_what_resembles_a_cord_everywhere_and_is_one_nowhere_is_no_cord():
    course = np.full((20, 2), 25.0)
    with pytest.raises(CordNotFoundError, match=r"something in 20 slices resembles one \(heat 0\.6"):
        trace_centerline(heatmap_along(course, peak=np.full(20, 0.6)), sure_heat=0.7)
    # A cord that is surely seen in a quarter of its slices is one in all of them.
    partly = np.where(np.arange(20) < 7, 0.8, 0.5)
    assert len(trace_centerline(heatmap_along(course, peak=partly), sure_heat=0.7).k) == 20
    assert len(trace_centerline(heatmap_along(course, peak=np.full(20, 0.6))).k) == 20


def test_a_brighter_object_in_one_slice_does_not_catch_the_path():
    heatmap = heatmap_along(np.full((20, 2), 15.0), peak=np.full(20, 0.7))
    data = heatmap.volume.data.copy()
    data[38:44, 38:44, 10] = 1
    centerline = trace_centerline(Heatmap(Volume(data, heatmap.volume.grid)))
    assert np.abs(centerline.ij - 15).max() < 1


def test_mask_has_one_voxel_per_slice_on_any_grid():
    centerline = trace_centerline(heatmap_along(np.full((6, 2), 20.0), dz=2.0))
    native = grid_of((100, 25, 6), (0.5, 2.0, 2.0))
    mask = centerline_mask(centerline, native)
    assert (mask.data.sum((0, 1)) == 1).all()
    positions = native.voxel_to_world(np.argwhere(mask.data.transpose(2, 0, 1))[:, [1, 2, 0]])
    np.testing.assert_allclose(positions, centerline.xyz, atol=1.01)


@pytest.mark.parametrize(("k", "n"), [([1, 3], 2), ([], 0), ([1, 2], 1)])
def test_inconsistent_points_are_refused(k, n):
    with pytest.raises(ValueError, match="slices"):
        Centerline(np.zeros((n, 2)), np.array(k, int), Grid((9, 9, 9), np.eye(4)), np.zeros(n), 0.0)
