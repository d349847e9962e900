"""Mask: a threshold with one object per slice, filled holes and bridged gaps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from bids_deepseg.errors import EmptyMaskError
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.mask import clean_mask, probability_on
from tests.helpers.phantoms import grid_of, tube


def middle_line(grid):
    n = grid.shape[2]
    ij = np.tile((np.array(grid.shape[:2]) - 1) / 2, (n, 1))
    return Centerline(ij, np.arange(n), grid, np.ones(n), 0.0)


def clean(data, zooms=(1.0, 1.0, 1.0), threshold=0.5):
    grid = grid_of(data.shape, zooms)
    return clean_mask(Volume(data.astype(np.float32), grid), middle_line(grid), threshold=threshold)


def noise_field(seed):
    return np.clip(ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(24, 24, 12)), 1.5) * 6 + 0.5, 0, 1)


@given(st.integers(0, 10_000))
def test_cleaning_is_idempotent_and_leaves_one_object_without_holes_per_slice(seed):
    result = clean(noise_field(seed))
    mask = result.volume.data
    for k in range(mask.shape[2]):
        assert ndimage.label(mask[..., k])[1] <= 1
        assert (ndimage.binary_fill_holes(mask[..., k]) == mask[..., k]).all()
    again = clean(mask.astype(np.float32))
    np.testing.assert_array_equal(again.volume.data, mask)


@given(st.floats(0.05, 0.9), st.floats(0.01, 0.09))
def test_a_higher_threshold_yields_a_subset(threshold, step):
    grid = grid_of((40, 40, 5), (0.5, 0.5, 1))
    data = ndimage.gaussian_filter(tube(grid).data, (2, 2, 0))
    low, high = clean(data, (0.5, 0.5, 1), threshold), clean(data, (0.5, 0.5, 1), threshold + step)
    assert (high.volume.data <= low.volume.data).all()


def test_holes_are_filled_and_the_object_near_the_centerline_is_kept():
    data = np.zeros((30, 30, 1))
    data[12:18, 12:18] = 1
    data[14, 14] = 0
    data[0:8, 0:8] = 1
    mask = clean(data).volume.data
    assert mask[14, 14, 0] == 1
    assert mask[:10, :10].sum() == 0
    assert mask.sum() == 36


def test_short_gaps_are_bridged_between_their_neighbours_and_reported():
    grid = grid_of((40, 40, 12), (1, 1, 2))
    full = tube(grid, slope=(0.5, 0.0)).data
    data = full.copy()
    data[..., 4:7] = 0
    result = clean_mask(Volume(data, grid), middle_line(grid), threshold=0.5)
    assert list(np.flatnonzero(result.bridged)) == [4, 5, 6]
    assert result.n_gaps == 0
    truth, bridged = full[..., 4:7] >= 0.5, result.volume.data[..., 4:7] > 0
    assert 2 * (truth & bridged).sum() / (truth.sum() + bridged.sum()) > 0.95
    np.testing.assert_array_equal(result.volume.data[..., :4] > 0, full[..., :4] >= 0.5)


def test_long_gaps_stay_and_small_pieces_beyond_them_are_removed():
    data = np.zeros((20, 20, 60))
    data[8:12, 8:12, 5:20] = 1
    data[8:12, 8:12, 32:50] = 1
    result = clean(data)
    assert (result.n_gaps, result.n_dropped) == (1, 0)
    assert not result.bridged.any()
    data[8:12, 8:12, 9:20] = 0
    result = clean(data)
    assert (result.n_gaps, result.n_dropped) == (0, 4)
    assert not result.volume.data[..., :30].any()


def test_nothing_above_the_threshold_is_an_error():
    with pytest.raises(EmptyMaskError, match=r"no voxel has a probability of 0\.5 or more \(largest: 0\.40\)"):
        clean(np.full((4, 4, 2), 0.4))


def test_coarser_voxels_get_the_mean_probability():
    fine = tube(grid_of((80, 80, 3), (0.5, 0.5, 2)))
    native = grid_of((40, 40, 3), (1, 1, 2))
    expected = tube(native, supersample=10).data
    result = probability_on(fine, native).data
    # Averaging blurs a little beyond the voxel's own area, the total stays.
    np.testing.assert_allclose(result.sum((0, 1)), expected.sum((0, 1)), rtol=0.01)
    assert np.abs(result - expected).max() < 0.15
