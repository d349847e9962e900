"""Views show every image in the same directions, whatever its axes."""

import base64
import io
import itertools
import re

import numpy as np
import pytest
from PIL import Image

from bids_deepseg.example.phantom import grid_around
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.judge.slices import slices_to_look_at
from bids_deepseg.report import figures
from bids_deepseg.report.cord import cord_image
from bids_deepseg.report.plots import Curve, plot_along, row_ticks
from bids_deepseg.report.views import axial_view, coronal_view, sagittal_view, spread_slices

AXCODES = [codes for letters in itertools.permutations(("RL", "AP", "SI")) for codes in itertools.product(*letters)]


def pixels_of(uri):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


def marked(axcodes):
    """Return an image of 30 mm that is bright towards one corner: right, anterior and superior; cord in the middle."""
    grid = grid_around((30, 30, 30), (1.0, 1.0, 1.0), axcodes=axcodes)
    x, y, z = np.moveaxis(grid.voxel_to_world(np.moveaxis(np.indices(grid.shape), 0, -1)), -1, 0)
    data = (x > 0) * 1.0 + (y > 0) * 2.0 + (z > 0) * 4.0
    mask = (np.hypot(x - 4, y) < 3).astype(np.uint8)
    return cord_image(Volume(data.astype(np.float32), grid), Volume(mask, grid), None, None)


@pytest.mark.parametrize("axcodes", AXCODES, ids="".join)
def test_directions_on_the_screen_do_not_depend_on_the_axes(axcodes):
    cord = marked(axcodes)
    reference = marked(("L", "A", "S"))
    for draw in (lambda c: axial_view(c, 20), sagittal_view, coronal_view):
        view = draw(cord)
        assert view.outline == draw(reference).outline
        assert np.array_equal(pixels_of(view.uri), pixels_of(draw(reference).uri))


def test_right_is_left_anterior_is_up_and_superior_is_up():
    cord = marked(("R", "A", "S"))
    # Brightness: right 1, anterior 2, superior 4; pixels 8 mm from the middle of the picture.
    picture = pixels_of(axial_view(cord, 20).uri)
    assert picture[10, 10] > picture[10, 28] > picture[26, 10] > picture[26, 28]
    assert axial_view(cord, 20).edges == ("A", "L", "P", "R")
    picture = pixels_of(sagittal_view(cord).uri)
    assert picture[7, 7] > picture[7, 22] > picture[22, 7] > picture[22, 22]
    assert sagittal_view(cord).edges == ("S", "P", "I", "A")
    picture = pixels_of(coronal_view(cord).uri)
    assert picture[7, 7] > picture[7, 22] > picture[22, 7] > picture[22, 22]
    assert coronal_view(cord).edges == ("S", "L", "I", "R")


@pytest.mark.parametrize(("code", "first"), [("S", 0), ("I", 29)])
def test_slices_keep_their_native_numbers(code, first):
    assert marked(("P", code, "R")).numbers[0] == first


def test_outline_of_a_tile_is_that_of_the_mask():
    cord = marked(("L", "A", "S"))
    view = axial_view(cord, 5)
    assert view.columns == view.rows == 36
    xs = [int(x) for x in re.findall(r"[MH](\d+)", view.outline)]
    ys = [int(y) for y in re.findall(r"(?:V|M\d+ )(\d+)", view.outline)]
    inside = cord.mask[..., 5]
    assert max(xs) - min(xs) == inside.any(1).sum()
    assert max(ys) - min(ys) == inside.any(0).sum()


def test_the_view_along_the_cord_follows_it():
    grid = grid_around((40, 40, 20), (1.0, 1.0, 1.0))
    data = np.zeros(grid.shape, np.float32)
    for k in range(20):
        # The cord moves by one voxel to the left in each slice: no plane holds it.
        data[5 + k : 8 + k, 18:22, k] = 1
    mask = Volume(data.astype(np.uint8), grid)
    cord = cord_image(Volume(data, grid), mask, None, None)
    picture = pixels_of(sagittal_view(cord).uri)
    assert ((picture > 128).sum(1) == 4).all()


def test_without_cord_whole_slices_are_shown():
    grid = grid_around((80, 60, 10), (1.0, 1.0, 4.0))
    cord = cord_image(Volume(np.ones(grid.shape, np.float32), grid), None, None, None)
    view = axial_view(cord, 3)
    assert (view.columns, view.rows) == (80, 60)
    assert not view.outline
    assert sagittal_view(cord).columns == 60


def test_a_centerline_without_mask_is_enough_to_choose_slices():
    grid = grid_around((40, 40, 20), (1.0, 1.0, 1.0))
    xyz = grid.voxel_to_world(np.column_stack([np.full(6, 20), np.full(6, 10), np.arange(5, 11)]))
    cord = cord_image(Volume(np.ones(grid.shape, np.float32), grid), None, None, xyz)
    assert spread_slices(cord, 16, []) == [10, 9, 8, 7, 6, 5]
    assert cord.course[0].tolist() == [20, 10]


def test_slices_are_spread_evenly_and_hold_those_to_look_at():
    cord = marked(("L", "A", "S"))
    assert spread_slices(cord, 4, []) == [29, 19, 10, 0]
    assert 13 in spread_slices(cord, 4, [13])
    assert len(spread_slices(cord, 12, list(range(30)))) <= 12


def test_large_pictures_are_reduced():
    assert pixels_of(figures.picture_uri(np.ones((300, 100)), (0.0, 1.0), most_pixels=150)).shape == (150, 50)


def test_constant_pictures_are_black():
    values = np.full((5, 5), 7.0)
    assert not pixels_of(figures.picture_uri(values, figures.window_of(values))).any()


def test_lines_break_at_missing_values_and_single_values_are_dots():
    x = np.array([1, 2, np.nan, 4, np.nan, 5.0])
    assert figures.line_paths(x, np.arange(6.0)) == "M1.0 0.0L2.0 1.0M4.0 3.0h0M5.0 5.0h0"


@pytest.mark.parametrize(("highest", "last"), [(90, 100), (0.9, 1.0), (100, 100), (13.2, 15), (210, 300)])
def test_ticks_are_round_and_reach_the_highest_value(highest, last):
    ticks = figures.nice_ticks(highest)
    assert ticks[-1] == pytest.approx(last)
    assert len(ticks) <= 5


def test_numbers_of_rows_do_not_touch():
    ticks = row_ticks(range(100), range(100), 100, 200.0)
    assert np.diff([tick.at for tick in ticks]).min() >= 11


def test_plots_without_any_value_are_possible():
    plot = plot_along("Area", "Area (mm²)", [Curve("area", np.full(4, np.nan), "main")], size=(100, 50))
    assert plot.lines[0][0] == ""
    assert "No values" in plot.description


def test_flags_name_slices_and_reasons():
    area = np.full(20, 70.0)
    area[4], area[5:7] = 200.0, np.nan
    probability = np.full(20, 0.95)
    probability[15] = 0.6
    morph = {"slice": np.arange(20.0), "area_mm2": area, "probability_mean": probability}
    flags = slices_to_look_at(morph, 5.0)
    assert flags[4] == "large area, area jumps"
    assert flags[5] == flags[6] == "no mask"
    assert flags[15] == "network unsure"
    assert 12 not in flags
    assert slices_to_look_at({}, 1.0) == {}
