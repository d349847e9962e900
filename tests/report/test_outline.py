"""Outlines run along the edges of the voxels."""

import re
from itertools import pairwise

import numpy as np
import pytest

from bids_deepseg.report.outline import outline_path


def mask_of(*rows):
    return np.array([[character == "#" for character in row] for row in rows])


@pytest.mark.parametrize(
    ("rows", "path"),
    [
        (("...", ".#.", "..."), "M1 1H2V2H1Z"),
        (("...", "##.", "..."), "M0 1H2V2H0Z"),
        (("###", "###", "###"), "M0 0H3V3H0Z"),
        ((".#.", "###", ".#."), "M1 0H2V1H3V2H2V3H1V2H0V1H1Z"),
        (("#..", "#..", "###"), "M0 0H1V2H3V3H0Z"),
        (("...", "...", "..."), ""),
    ],
)
def test_path_follows_the_edges_of_a_3x3_mask(rows, path):
    assert outline_path(mask_of(*rows)) == path


def test_a_hole_gets_its_own_loop_in_the_other_direction():
    assert outline_path(mask_of("###", "#.#", "###")) == "M0 0H3V3H0ZM1 1V2H2V1Z"


def test_pixels_that_share_a_corner_get_separate_loops():
    assert outline_path(mask_of("#.", ".#")) == "M0 0H1V1H0ZM1 1H2V2H1Z"


def enclosed_pixels(path):
    """Return twice the signed area of all loops, by the shoelace formula, halved."""
    total = 0
    for loop in path.split("Z")[:-1]:
        start = re.match(r"M(\d+) (\d+)", loop)
        corners = [(int(start[1]), int(start[2]))]
        for letter, number in re.findall(r"([HV])(\d+)", loop):
            x, y = corners[-1]
            corners.append((int(number), y) if letter == "H" else (x, int(number)))
        closed = [*corners, corners[0]]
        total += sum(a[0] * b[1] - b[0] * a[1] for a, b in pairwise(closed))
    return total / 2


@pytest.mark.parametrize("seed", range(20))
def test_loops_enclose_exactly_the_pixels_of_any_mask(seed):
    rng = np.random.default_rng(seed)
    mask = rng.uniform(size=(rng.integers(1, 12), rng.integers(1, 12))) < rng.uniform(0.2, 0.9)
    assert enclosed_pixels(outline_path(mask)) == mask.sum()
