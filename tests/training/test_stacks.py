"""Stacks of training slices: one scene, moved from slice to slice, each slice with noise of its own."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from bids_deepseg.training.configuration import read_config
from bids_deepseg.training.fit import segmentation_loss
from bids_deepseg.training.samples import SampleStream
from bids_deepseg.training.sources import RealImage
from bids_deepseg.training.stacks import StackStream
from bids_deepseg.training.synthesis.shapes import ShapeBank

SETTINGS = replace(read_config("segmentation3d").samples, real_fraction=0.0, without_cord=0.0, n_slices=5)


@pytest.fixture(scope="module")
def painted() -> StackStream:
    return StackStream(SampleStream(SETTINGS, ShapeBank(), (), 3))


def test_samples_are_stacks_that_follow_from_their_number(painted):
    first, again = painted.sample(1), painted.sample(1)
    assert first.patch.shape == first.target.shape == first.valid.shape == (5, 64, 64) == SETTINGS.sample_shape
    np.testing.assert_array_equal(first.patch, again.patch)
    assert not np.array_equal(first.patch, painted.sample(2).patch)


def test_neighbours_are_more_alike_than_strangers(painted):
    stacks = [painted.sample(index) for index in range(12)]
    near = [_dice(s.target[k], s.target[k + 1]) for s in stacks for k in range(4)]
    strangers = [_dice(a.target[2], b.target[2]) for a, b in pairwise(stacks)]
    assert np.median(near) > 0.75
    assert np.median(near) > np.median(strangers) + 0.1


def test_slices_have_noise_of_their_own(painted):
    for index in range(12):
        patch = painted.sample(index).patch
        assert not np.array_equal(patch[0], patch[1])


def test_real_slices_follow_each_other():
    data = np.zeros((40, 40, 9), np.float32)
    mask = np.zeros_like(data)
    centre = np.full((9, 2), 20.0)
    for k in range(9):
        data[:, :, k] = 0.2 + 0.08 * k
        data[14:26, 14:26, k] += 0.5
        mask[14:26, 14:26, k] = 1
    image = RealImage("x", data, mask, centre, np.arange(2, 7), (1.0, 1.0, 3.0))
    settings = replace(SETTINGS, real_fraction=1.0)
    stream = StackStream(SampleStream(settings, ShapeBank(), (image,), 5))
    found = [stream.sample(index).target.sum((1, 2)) for index in range(8)]
    assert all((areas > 0).all() for areas in found if areas.max() > 200)
    assert any((areas > 200).all() for areas in found)


def test_the_loss_of_a_stack_is_that_of_its_slices(rng):
    target = (rng.uniform(size=(2, 3, 8, 8, 1)) > 0.5).astype(np.float32)
    probability = rng.uniform(size=target.shape).astype(np.float32)
    flat = segmentation_loss(target.reshape(-1, 8, 8, 1), probability.reshape(-1, 8, 8, 1))
    assert float(segmentation_loss(target, probability)) == pytest.approx(float(flat), rel=1e-5)


def _dice(a, b) -> float:
    return 2 * float(np.minimum(a, b).sum()) / max(float(a.sum() + b.sum()), 1e-6)
