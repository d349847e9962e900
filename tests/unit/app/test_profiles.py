"""The area along the cord of each image, at places that can be compared."""

from types import SimpleNamespace

import numpy as np
import pytest

from bids_deepseg.app.group.statistics import find_profiles
from bids_deepseg.report.along_cord import LEAST_IMAGES, PLACES


def result(area, z=None, level=None):
    area = np.asarray(area, float)
    table = {"slice": np.arange(len(area)), "area_mm2": area, "z_mm": np.arange(len(area)) if z is None else z}
    if level is not None:
        table["vertebral_level"] = np.asarray(level, float)
    return SimpleNamespace(morph=lambda: table)


def test_places_go_from_superior_to_inferior_whichever_way_slices_are_counted():
    area = np.linspace(50, 80, 40)
    (up,) = find_profiles([result(area)]).areas
    (down,) = find_profiles([result(area[::-1], np.arange(40)[::-1])]).areas
    assert np.allclose(up, down)
    assert up[0] > up[-1]
    assert len(up) == PLACES


def test_a_linear_course_stays_one_and_ends_without_mask_do_not_count():
    area = np.concatenate([[np.nan] * 7, np.linspace(50, 89, 40), [np.nan] * 3])
    (found,) = find_profiles([result(area)]).areas
    assert np.allclose(found, 89 - (np.arange(PLACES) + 0.5) * 2 + 0.5)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_few_slices_are_enough(count):
    (found,) = find_profiles([result([70.0] * count)]).areas
    assert np.allclose(found, 70.0)


def test_a_gap_of_the_mask_stays_one():
    area = np.full(100, 70.0)
    area[40:60] = np.nan
    (found,) = find_profiles([result(area)]).areas
    assert np.isnan(found[9:11]).all()
    assert np.isfinite(found[:7]).all()


def test_levels_are_taken_where_enough_images_have_them():
    images = [result([60.0, 62.0, 70.0, 72.0], level=[4, 4, 3, np.nan])] * LEAST_IMAGES + [result([1.0, 2.0])]
    found = find_profiles(images)
    assert found.levels == ("C3", "C4")
    assert found.areas[0] == (70.0, 61.0)
    assert found.areas[-1] == ()
    few = find_profiles(images[1:])
    assert few.levels == ()
    assert len(few.areas[0]) == PLACES


def test_images_without_a_mask_or_a_table_have_none():
    assert find_profiles([result([np.nan, np.nan]), SimpleNamespace(morph=dict)]).areas == [(), ()]
    assert find_profiles([]).areas == []
