"""The grey matter network of the package on a phantom with a butterfly, and on an image of a person held out."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.metrics import measure_cord
from bids_deepseg.structures.find import find_structure, load_structure_model
from bids_deepseg.training.grey.evaluate import score_people
from tests.helpers.phantoms import grid_of

pytestmark = pytest.mark.slow
DATA = Path(os.environ.get("BIDS_DEEPSEG_DATA", "../shared/data"))


@pytest.fixture(scope="module")
def model():
    return load_structure_model("gm", None, "t2s")


def ellipse(x, y, half_x, half_y):
    return np.hypot(x / half_x, y / half_y) < 1


def butterfly_phantom(contrast=1.15, n_slices=4):
    """Return image, mask of the cord and of grey matter, at 0.5 mm: an elliptic cord in fluid, bright wings in it."""
    fine = 5
    grid = grid_of((60, 60, n_slices), (0.5, 0.5, 5.0))
    axis = (np.arange(60 * fine) - (60 * fine - 1) / 2) * 0.5 / fine
    x, y = np.meshgrid(axis, axis, indexing="ij")
    cord = ellipse(x, y, 6.2, 4.3)
    side = np.abs(x)
    grey = ellipse(side - 1.7, y - 1.2, 1.0, 1.1) | ellipse(x, y - 0.6, 2.0, 0.5)
    # A horn runs back and outward on each side.
    grey |= (np.abs(side - 1.7 + 0.45 * (y - 0.5)) < 0.45) & (y < 0.8) & (y > -2.8)
    image = np.where(grey, contrast * 0.5, np.where(cord, 0.5, np.where(ellipse(x, y, 10, 7.5), 1.0, 0.15)))
    means = [part.reshape(60, fine, 60, fine).mean((1, 3)) for part in (image, cord * 1.0, grey * 1.0)]
    image, cord, grey = (np.repeat(part[..., None], n_slices, axis=2).astype(np.float32) for part in means)
    noise = np.random.default_rng(0).normal(0, 0.015, image.shape)
    image = ndimage.gaussian_filter(image, (0.5, 0.5, 0)) + noise
    masks = (Volume((part >= 0.5).astype(np.uint8), grid) for part in (cord, grey))
    return Volume((400 * image).astype(np.float32), grid), *masks


def dice(first, second):
    return 2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second))


def test_the_network_finds_the_butterfly_inside_of_the_cord(model):
    image, cord, grey = butterfly_phantom()
    metrics = measure_cord(cord, Volume(cord.data.astype(np.float32), cord.grid), image.grid)
    found = find_structure("gm", image, cord, metrics, model)
    assert not found.mask.data[cord.data == 0].any()
    assert dice(found.mask.data > 0, grey.data > 0) > 0.7
    assert found.verdict == "pass"


def test_the_result_does_not_depend_on_the_units_of_the_image(model):
    image, cord, _grey = butterfly_phantom()
    metrics = measure_cord(cord, Volume(cord.data.astype(np.float32), cord.grid), image.grid)
    changed = Volume((image.data * 3.7 + 50).astype(np.float32), image.grid)
    first, second = (find_structure("gm", one, cord, metrics, model) for one in (image, changed))
    assert np.count_nonzero(first.mask.data != second.mask.data) <= 2


@pytest.mark.skipif(not (DATA / "train").is_dir(), reason="real images are absent: set BIDS_DEEPSEG_DATA")
def test_grey_matter_of_the_person_held_out(model):
    figures = dict(score_people(model.predictor, DATA, ("train07",)))
    assert figures["sub-train07_run-1_T2starw"]["dice"] > 0.85
    assert figures["sub-train07_run-1_T2starw"]["dice_worst_slice"] > 0.7
