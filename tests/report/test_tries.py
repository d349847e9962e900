"""The masks of the methods that were tried stand side by side, where they were."""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.geometry.volume import Volume
from bids_deepseg.report.cord import cord_image
from bids_deepseg.report.participant import render_participant
from bids_deepseg.report.tries import draw_tries
from bids_deepseg.stages.extent import extent_of
from tests.helpers.phantoms import grid_of
from tests.helpers.report_images import report_image


def tried(name, extent, *, kept=False):
    return {"Method": name, "Verdict": "warn", "Score": 0.5, "Reasons": ["gap"], "Kept": kept, "Extent": extent}


def area_of(path):
    """Return the area within a path of closed loops that do not cross."""
    total = 0.0
    for loop in re.findall(r"M([^Z]*)Z", path):
        x, y = np.array([[float(n) for n in point.split()] for point in loop.split("L")]).T
        total += abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1))) / 2
    return total


@given(st.lists(st.one_of(st.none(), st.tuples(st.integers(0, 18), st.integers(0, 11))), min_size=1, max_size=30))
def test_the_outline_holds_the_voxels_of_the_mask_and_no_others(lines):
    """The mask has one run of voxels in each slice, so that its extent is all of it."""
    mask = np.zeros((5, 30, len(lines)), np.uint8)
    for k, line in enumerate(lines):
        if line is not None:
            mask[2, line[0] : line[0] + line[1] + 1, k] = 1
    grid = grid_of(mask.shape)
    image = Volume(np.random.default_rng(0).random(mask.shape).astype(np.float32), grid)
    (view,) = draw_tries(cord_image(image, None, None, None), [extent_of(Volume(mask, grid), grid)])
    if not mask.any():
        assert view is None
        return
    assert area_of(view.outline) == mask.sum()
    numbers = np.array([float(n) for n in re.findall(r"[\d.]+", view.outline)]).reshape(-1, 2)
    assert numbers.min() >= 0
    assert (numbers <= (view.columns, view.rows)).all()


def test_all_pictures_of_an_image_show_the_same_part_of_it():
    image = report_image()
    grid = image.mask.grid
    moved = Volume(np.roll(image.mask.data, 9, axis=1), grid)
    views = draw_tries(
        cord_image(image.image, image.mask, None, image.centerline_xyz),
        [extent_of(image.mask, grid), (), extent_of(moved, grid), ((3,),)],
    )
    assert views[1] is views[3] is None
    sizes = {(view.columns, view.rows, view.width_mm, view.height_mm) for view in (views[0], views[2])}
    assert len(sizes) == 1
    first, second = (np.mean([float(n) for n in re.findall(r"[ML]([\d.]+) ", view.outline)]) for view in views[::2])
    # Anterior is on the left.
    assert first - second == pytest.approx(9, abs=0.5)


@pytest.mark.parametrize("extent", [((10**6, 0, 1, 0, 1),), ((3, 5, 5, 0, 9**6),), ((2**19,),)])
def test_an_extent_beyond_the_image_is_not_drawn(extent):
    image = report_image()
    page = render_participant("01", [replace(image, tries=(tried("<odd>", extent),))], version="1")
    assert "No picture of these masks can be drawn" in page


def test_the_page_shows_the_pictures_with_names_and_says_where_there_are_none():
    image = report_image()
    extent = extent_of(image.mask, image.mask.grid)
    tries = (tried("as <asked>", extent), tried("PropSeg", (), kept=True))
    page = render_participant("01", [replace(image, tries=tries)], version="1")
    assert 'alt="Mask of the method as &lt;asked&gt; from the side"' in page
    assert page.count("No mask</p>") == 1
    assert "<asked>" not in page
    old = tuple({name: value for name, value in one.items() if name != "Extent"} for one in tries)
    page = render_participant("01", [replace(image, tries=old)], version="1")
    assert "No picture of these masks can be drawn" in page
    assert "Mask of the method" not in page
    assert "No picture of these masks" not in render_participant("01", [image], version="1")
