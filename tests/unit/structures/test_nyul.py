"""Landmarks of the histogram: what they map to, and the tails."""

import numpy as np
import pytest

from bids_deepseg.errors import ImageError
from bids_deepseg.structures.lesion import LANDMARK_PERCENTILES, standardise_by_landmarks

STANDARD = (0, 10, 25, 45, 60, 90, 130, 180, 260, 300, 400)


def test_landmarks_become_the_standard_ones(rng):
    values = rng.gamma(2, 50, 4001)
    found = np.percentile(values, LANDMARK_PERCENTILES)
    out = standardise_by_landmarks(np.concatenate([values, np.repeat(values, 3)]), STANDARD)
    # The percentiles of a sample and of the same sample four times are nearly the same.
    at_landmarks = np.interp(found, np.sort(values), np.sort(out[: len(values)]))
    np.testing.assert_allclose(at_landmarks, STANDARD, rtol=0.02, atol=1)


def test_the_map_is_increasing_smooth_at_the_ends_and_bounded(rng):
    values = np.concatenate([rng.normal(100, 20, 5000), [-1e4, 1e4, 1e6]])
    out = standardise_by_landmarks(values, STANDARD)
    order = np.argsort(values)
    assert (np.diff(out[order]) >= 0).all()
    assert out.min() >= STANDARD[0] - (STANDARD[1] - STANDARD[0])
    assert out.max() <= STANDARD[-1] + (STANDARD[-1] - STANDARD[-2])
    top = np.percentile(values, 99)
    width = top - np.percentile(values, 90)
    near = values[(values > top) & (values < top + 0.01 * width)]
    slope = (STANDARD[-1] - STANDARD[-2]) / width
    for value in near:
        got = out[values == value][0]
        assert got == pytest.approx(STANDARD[-1] + slope * (value - top), abs=0.01)


def test_scale_and_shift_of_the_image_do_not_matter(rng):
    values = rng.gamma(2, 50, 3000)
    plain = standardise_by_landmarks(values, STANDARD)
    np.testing.assert_allclose(standardise_by_landmarks(7 * values - 300, STANDARD), plain, rtol=1e-4, atol=1e-3)


def test_a_background_of_zeros_keeps_the_lowest_standard_value(rng):
    values = np.concatenate([np.zeros(500), rng.uniform(100, 200, 500)])
    out = standardise_by_landmarks(values, STANDARD)
    assert (out[:500] == STANDARD[0]).all()
    assert (out[500:] > STANDARD[0]).all()


def test_an_image_of_one_value_is_refused():
    with pytest.raises(ImageError, match="have no histogram"):
        standardise_by_landmarks(np.full(100, 3.0), STANDARD)
