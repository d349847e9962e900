"""The histograms show the brightness of the mask's voxels and of those close to it."""

import re

import numpy as np
import pytest

from bids_deepseg.example.phantom import grid_around
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.report.cord import cord_image
from bids_deepseg.report.histogram import HEIGHT, WIDTH, draw_histogram

ZOOMS = (1.0, 1.0, 4.0)


def drawn(cord_value, ring_value, far_value):
    """Return the histogram of a disc of one brightness in a ring of another, each with some noise."""
    grid = grid_around((40, 40, 6), ZOOMS)
    i, j, _ = np.indices(grid.shape)
    distance = np.hypot(i - 20, j - 20)
    mask = distance < 5
    data = np.where(mask, cord_value, np.where(distance < 12, ring_value, far_value)).astype(np.float32)
    data += np.random.default_rng(1).normal(0, 1, data.shape).astype(np.float32)
    return draw_histogram(cord_image(Volume(data, grid), Volume(mask.astype(np.uint8), grid), None, None))


def steps(path):
    """Return begin and height of each bar."""
    corners = re.findall(r"V([\d.]+)H([\d.]+)", path)
    return np.array([float(x) for _, x in corners]), np.array([HEIGHT - float(y) for y, _ in corners])


def test_the_brighter_tissue_is_on_the_right_and_what_is_far_away_does_not_count():
    found = drawn(100, 50, 1000)
    x, inside = steps(found.cord)
    _, around = steps(found.around)
    assert x[np.argmax(inside)] > 0.7 * WIDTH
    assert x[np.argmax(around)] < 0.3 * WIDTH
    assert max(inside.max(), around.max()) == pytest.approx(HEIGHT, abs=0.1)
    # Nothing of 1000 is in it.
    assert float(found.ticks[-1].text) <= 110


def test_medians_are_told_in_words():
    text = drawn(100, 50, 0).description
    cord, ring = (float(n) for n in re.findall(r"median (\d+\.?\d*)", text))
    assert (cord, ring) == (pytest.approx(100, abs=1), pytest.approx(50, abs=1))


@pytest.mark.parametrize("filled", [0, 1])
def test_there_is_none_without_two_tissues(filled):
    grid = grid_around((10, 10, 3), ZOOMS)
    data = np.arange(300, dtype=np.float32).reshape(grid.shape)
    mask = np.full(grid.shape, filled, np.uint8)
    assert draw_histogram(cord_image(Volume(data, grid), Volume(mask, grid), None, None)) is None
    assert draw_histogram(cord_image(Volume(data, grid), None, None, None)) is None


def test_there_is_none_of_a_constant_image():
    grid = grid_around((10, 10, 3), ZOOMS)
    mask = np.zeros(grid.shape, np.uint8)
    mask[4:6, 4:6] = 1
    flat = Volume(np.full(grid.shape, 7, np.float32), grid)
    assert draw_histogram(cord_image(flat, Volume(mask, grid), None, None)) is None
