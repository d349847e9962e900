"""The networks: shapes, the fully convolutional law, and what importing them loads."""

import subprocess
import sys

import numpy as np
import pytest

from bids_deepseg.networks.architectures import build_unet


@pytest.fixture(scope="module")
def small():
    return build_unet((32, 32), base_filters=4, depth=2)


def test_output_has_the_shape_of_the_input_and_lies_in_the_unit_interval(small):
    patches = np.random.default_rng(0).normal(size=(3, 32, 32, 1)).astype(np.float32)
    answer = np.asarray(small.predict_on_batch(patches))
    assert answer.shape == patches.shape
    assert answer.dtype == np.float32
    assert answer.min() >= 0
    assert answer.max() <= 1


def test_weights_fit_every_size_that_is_a_multiple_of_the_depth(small):
    smaller, larger = (build_unet(shape, base_filters=4, depth=2) for shape in ((64, 48), (80, 56)))
    for network in (smaller, larger):
        network.set_weights(small.get_weights())
    whole = np.random.default_rng(1).normal(size=(1, 80, 56, 1)).astype(np.float32)
    # The receptive field of this depth ends less than 24 pixels away: compare a pixel that has all of it in both.
    part = np.asarray(smaller.predict_on_batch(whole[:, 8:72, 4:52]))[0, 32, 24, 0]
    same = np.asarray(larger.predict_on_batch(whole))[0, 40, 28, 0]
    assert part == pytest.approx(same, abs=1e-5)


def test_moving_the_input_by_the_coarsest_pixel_moves_the_output(small):
    patch = np.zeros((1, 64, 64, 1), np.float32)
    patch[0, 28:33, 28:33] = 1
    large = build_unet((64, 64), base_filters=4, depth=2)
    large.set_weights(small.get_weights())
    here = np.asarray(large.predict_on_batch(patch))[0, 24:40, 24:40, 0]
    there = np.asarray(large.predict_on_batch(np.roll(patch, 4, axis=1)))[0, 28:44, 24:40, 0]
    np.testing.assert_allclose(here, there, atol=1e-5)


def test_the_shipped_size_stays_below_the_limit_of_the_repository():
    n_bytes = 4 * build_unet((64, 64), base_filters=16, depth=4).count_params()
    assert 6e6 < n_bytes < 7.5e6


def test_dropout_acts_in_training_only():
    network = build_unet((16, 16), base_filters=4, depth=2, dropout=0.5)
    patch = np.random.default_rng(2).normal(size=(1, 16, 16, 1)).astype(np.float32)
    np.testing.assert_array_equal(network.predict_on_batch(patch), network.predict_on_batch(patch))


def test_a_size_that_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match=r"60x64 pixels. Multiples of 16 are expected"):
        build_unet((60, 64))


def test_importing_the_module_loads_no_network_library():
    code = (
        "import sys, bids_deepseg.networks.architectures;"
        "print(sorted({'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
