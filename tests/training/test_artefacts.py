"""The artefacts of a slice against what their physics says."""

import numpy as np
import pytest

from bids_deepseg.training.synthesis.acquisition import add_ghosts, distort, lose_signal, reduce_levels
from bids_deepseg.training.synthesis.fields import PixelGrid, ellipse, soft
from bids_deepseg.training.synthesis.remapping import fade_fluid
from bids_deepseg.training.synthesis.scene import SUBJECTS, paint_scene
from bids_deepseg.training.synthesis.shapes import ShapeBank


@pytest.fixture
def disc() -> np.ndarray:
    x, y = PixelGrid((96, 96), 0.5).positions_mm()
    return soft(ellipse(x, y, 6, 4), 0.5)


def test_ghosts_are_weak_copies_and_keep_the_sum_of_signal(rng):
    image = np.zeros((64, 64), np.float32)
    image[32, 32] = 1
    ghosted = add_ghosts(rng, image, zoom_mm=0.5)
    assert ghosted[32, 32] == 1
    assert np.count_nonzero(ghosted) == 5
    strengths = np.sort(ghosted[ghosted < 1])[-4:]
    np.testing.assert_allclose(strengths[2:], 2 * strengths[:2], rtol=1e-5)


def test_signal_loss_darkens_a_blob_and_leaves_what_is_far(rng):
    image = np.ones((96, 96), np.float32)
    spoiled = lose_signal(rng, image, zoom_mm=0.5)
    assert spoiled.min() < 0.45
    assert np.isclose(spoiled, 1, atol=1e-3).mean() > 0.4


@pytest.mark.parametrize("n_levels", [2, 16, 255])
def test_few_levels_are_few_and_near(rng, n_levels):
    image = rng.normal(size=(40, 40)).astype(np.float32)
    rounded = reduce_levels(image, n_levels)
    assert len(np.unique(rounded)) <= n_levels
    half_step = (image.max() - image.min()) / (n_levels - 1) / 2
    assert np.abs(rounded - image).max() <= half_step * 1.001
    np.testing.assert_allclose(reduce_levels(rounded, n_levels), rounded, atol=1e-5)


def test_distortion_moves_image_and_outline_together_and_keeps_the_signal(rng, disc):
    image, cord = distort(rng, disc, disc, zoom_mm=0.5)
    assert image.sum() == pytest.approx(disc.sum(), rel=0.05)
    moved = np.average(np.indices(cord.shape)[1], weights=cord)
    assert np.average(np.indices(image.shape)[1], weights=image) == pytest.approx(moved, abs=0.5)
    assert not np.allclose(cord, disc, atol=0.05)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_only_a_cord_has_an_outline_and_a_centre(rng, subject):
    scene = paint_scene(rng, PixelGrid((96, 96), 1.0), ShapeBank(), subject=subject, centre_mm=(0.0, 0.0))
    assert np.isfinite(scene.image).all()
    assert (scene.centre_mm is not None) == (subject in ("cord", "conus"))
    assert (scene.cord.max() > 0.5) == (subject in ("cord", "conus"))


def test_fading_keeps_what_is_darker_than_the_cord_and_the_order_of_what_is_brighter(disc):
    image = np.float32(0.2) + disc * np.float32(0.3)
    image[:20] = 1.0
    faded = fade_fluid(image, disc, quantile=0.9, slope=0.1)
    np.testing.assert_array_equal(faded[disc > 0.7], image[disc > 0.7])
    np.testing.assert_array_equal(faded[image < 0.5], image[image < 0.5])
    np.testing.assert_allclose(faded[:20], 0.5 + 0.1 * 0.5, rtol=1e-5)
    np.testing.assert_array_equal(fade_fluid(image, disc, quantile=0.5, slope=1.0), image)
    np.testing.assert_array_equal(fade_fluid(image, np.zeros_like(disc), quantile=0.5, slope=0.1), image)
