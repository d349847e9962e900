"""How far a network contradicts itself: mirrored and inverted patches."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.patches import extract_patches
from bids_deepseg.stages.probability import ask_network, sharpen
from tests.helpers.phantoms import FakePredictor, bright_is_cord, grid_of, tube


def patches_of(n):
    grid = grid_of((50, 50, n), (1.0, 1.0, 3.0))
    line = Centerline(np.full((n, 2), 24.5), np.arange(n), grid, np.ones(n), 0.0)
    return extract_patches(tube(grid), line, patch_shape=(64, 64), zoom_mm=0.5)


@pytest.mark.parametrize("n", [4, 17])
def test_a_network_of_any_contrast_says_the_same_of_inverted_patches(n):
    answers = ask_network(patches_of(n), FakePredictor(lambda values: np.abs(values) > 1), look_twice=True)
    assert answers.inverted == 0
    assert answers.spread.data.max() == 0


@pytest.mark.parametrize("n", [4, 17])
def test_a_network_of_one_contrast_says_something_else(n):
    answers = ask_network(patches_of(n), FakePredictor(bright_is_cord), look_twice=True)
    assert answers.inverted > 0.9
    assert np.isnan(ask_network(patches_of(n), FakePredictor(bright_is_cord)).inverted)


def test_the_spread_is_half_of_the_difference_and_the_probability_the_mean():
    left = FakePredictor(lambda values: np.broadcast_to(np.arange(64)[:, None] < 32, values.shape))
    answers = ask_network(patches_of(4), left)
    assert np.unique(answers.probability.data[..., 1]).tolist() == [0.5]
    assert np.unique(answers.spread.data[..., 1]).tolist() == [0.5]


@given(st.floats(0, 1))
def test_a_second_look_leaves_the_probability_as_it_is(level):
    network = FakePredictor(lambda values: np.full(values.shape, level))
    plain = ask_network(patches_of(2), network).probability
    twice = ask_network(patches_of(2), network, look_twice=True).probability
    np.testing.assert_array_equal(twice.data, plain.data)


@given(st.lists(st.integers(0, 4096), min_size=2, max_size=20), st.floats(0.25, 4))
def test_sharpened_probabilities_keep_their_order_and_the_mask(values, exponent):
    probability = np.sort(np.array(values, np.float32) / 4096)
    sharp = sharpen(probability, exponent)
    assert sharp.dtype == np.float32
    assert (np.diff(sharp) >= 0).all()
    assert 0 <= sharp.min() <= sharp.max() <= 1
    np.testing.assert_array_equal(sharpen(np.array([0, 0.5, 1]), exponent), [0, 0.5, 1])
    np.testing.assert_array_equal(sharp >= 0.5, probability >= 0.5)
    np.testing.assert_allclose(1 - sharpen(1 - probability, exponent), sharp, atol=1e-5)


@given(st.floats(0.05, 0.95), st.floats(0.5, 3))
def test_the_inverse_exponent_takes_sharpening_back(value, exponent):
    assert float(sharpen(sharpen(np.array(value), exponent), 1 / exponent)) == pytest.approx(value, abs=1e-3)


def test_the_odds_of_three_to_one_squared_are_nine_to_one():
    original = np.array([0.75], np.float32)
    assert sharpen(original, 2.0).tolist() == pytest.approx([0.9])
    assert original.tolist() == [0.75]
