"""Intensity rule: unchanged by brightness and scale, blind outside the field of view."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.stages.intensity import standardise_patches


@given(st.floats(1, 1e3), st.floats(-1e4, 1e4))
def test_unchanged_by_scale_and_shift(scale, shift):
    values = np.random.default_rng(3).random((2, 8, 8))
    valid = np.ones(values.shape, bool)
    expected = standardise_patches(values, valid)
    np.testing.assert_allclose(standardise_patches(scale * values + shift, valid), expected, atol=1e-3)


def test_what_lies_outside_does_not_matter(rng):
    values, valid = rng.random((1, 6, 6)), np.ones((1, 6, 6), bool)
    valid[0, :2] = False
    other = np.where(valid, values, 1e6)
    result = standardise_patches(values, valid)
    np.testing.assert_array_equal(result, standardise_patches(other, valid))
    assert (result[~valid] == 0).all()
    np.testing.assert_allclose((result[valid].mean(), result[valid].std()), (0, 1), atol=1e-6)


@pytest.mark.parametrize("values", [np.zeros((1, 4, 4)), np.full((1, 4, 4), 7.3)])
def test_patches_without_contrast_are_zero(values):
    assert (standardise_patches(values, np.ones(values.shape, bool)) == 0).all()


def test_patches_outside_of_the_image_are_zero(rng):
    assert (standardise_patches(rng.random((1, 4, 4)), np.zeros((1, 4, 4), bool)) == 0).all()
