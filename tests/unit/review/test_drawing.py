"""Laws of the work on whole drawings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.review.drawing import interpolate, smooth

ZOOMS = (0.5, 0.8, 2.0)


def tube(shape=(40, 44, 16), radius_mm=5.0, slope=(0.0, 0.0), zooms=ZOOMS):
    i, j, k = np.ogrid[: shape[0], : shape[1], : shape[2]]
    x = (i - shape[0] / 2 - slope[0] * (k - shape[2] / 2)) * zooms[0]
    y = (j - shape[1] / 2 - slope[1] * (k - shape[2] / 2)) * zooms[1]
    return np.asarray(x**2 + y**2 < radius_mm**2, np.uint8) * np.ones(shape, np.uint8)


def dice(one, other):
    return 2 * np.sum(one * other) / (one.sum() + other.sum())


def test_between_two_equal_slices_the_same_shape_is_filled_in():
    whole = tube()
    drawn = whole.copy()
    drawn[:, :, 3:12] = 0
    np.testing.assert_array_equal(interpolate(drawn, ZOOMS), whole)


@given(st.tuples(st.floats(-1.0, 1.0), st.floats(-0.8, 0.8)), st.floats(3, 6))
def test_between_two_slices_of_a_slanted_tube_the_tube_comes_back(slope, radius):
    whole = tube(slope=slope, radius_mm=radius)
    drawn = whole.copy()
    drawn[:, :, 4:12] = 0
    assert dice(interpolate(drawn, ZOOMS), whole) > 0.93


@given(st.integers(0, 2**31), st.floats(0.02, 0.6))
def test_drawn_slices_stay_and_nothing_is_added_beyond_them(seed, density):
    rng = np.random.default_rng(seed)
    mask = (rng.random((9, 8, 12)) < density).astype(np.uint8)
    mask[:, :, rng.random(12) < 0.6] = 0
    filled = interpolate(mask, ZOOMS)
    drawn = mask.any((0, 1))
    np.testing.assert_array_equal(filled[:, :, drawn], mask[:, :, drawn])
    if drawn.any():
        first, last = np.flatnonzero(drawn)[[0, -1]]
        assert not filled[:, :, :first].any()
        assert not filled[:, :, last + 1 :].any()
    assert set(np.unique(filled)) <= {0, 1}


def test_smoothing_keeps_a_smooth_tube_and_removes_a_spike():
    whole = tube(zooms=(0.5, 0.5, 2.0))
    spiked = whole.copy()
    spiked[20, 35, 8] = 1
    smoothed = smooth(spiked, (0.5, 0.5, 2.0))
    assert smoothed[20, 35, 8] == 0
    assert dice(smoothed, whole) > 0.98
    assert smoothed.sum() == pytest.approx(whole.sum(), rel=0.02)


@given(st.integers(0, 2**31), st.floats(0.01, 0.5))
def test_smoothing_neither_adds_nor_loses_a_slice(seed, density):
    rng = np.random.default_rng(seed)
    mask = (rng.random((9, 8, 10)) < density).astype(np.uint8)
    mask[:, :, rng.random(10) < 0.4] = 0
    smoothed = smooth(mask, ZOOMS)
    np.testing.assert_array_equal(smoothed.any((0, 1)), mask.any((0, 1)))
    assert smoothed.dtype == np.uint8


def test_an_empty_drawing_stays_empty():
    empty = np.zeros((4, 5, 6), np.uint8)
    assert not interpolate(empty, ZOOMS).any()
    assert not smooth(empty, ZOOMS).any()
