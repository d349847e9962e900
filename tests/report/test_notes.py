"""Slices are marked with the reasons that they are the place of."""

from dataclasses import replace

import numpy as np
import pytest

from bids_deepseg.geometry.volume import Volume
from bids_deepseg.report.cord import cord_image
from bids_deepseg.report.image import ReportImage
from bids_deepseg.report.measures import by_slice, levels_of
from bids_deepseg.report.notes import take_notes
from bids_deepseg.report.participant import render_participant
from bids_deepseg.stages.findings import Finding
from tests.helpers.report_images import report_image


def notes_of(change, *codes, **options):
    """Return the notes on a phantom of 40 slices, superior last, whose mask ``change`` edits."""
    image = report_image(**options)
    mask = image.mask.data.copy()
    change(mask)
    cord = cord_image(image.image, Volume(mask, image.mask.grid), None, image.centerline_xyz)
    return take_notes(cord, by_slice({}, cord), [Finding(code, "warn", "Look.") for code in codes]), mask


def rows(*slices, n=40):
    """Return native slices as rows counted from superior."""
    return tuple(sorted(n - 1 - k for k in slices))


def test_a_gap_is_where_there_is_no_mask():
    notes, _ = notes_of(lambda mask: mask[..., 10:13].fill(0), "gap", "coverage", "coverage-low")
    assert notes.places[0] == rows(10, 11, 12)
    # The phantom's cord goes through all slices, its mask not to the very end.
    assert set(rows(10, 11, 12)) <= set(notes.places[1])
    assert notes.places[2] == notes.places[1]
    assert notes.words[10] == "no mask"


def test_a_piece_apart_is_an_object():
    def apart(mask):
        mask[2:4, 2:4, 20] = 1

    notes, _ = notes_of(apart, "several-objects")
    assert notes.places == (rows(20),)
    assert "several objects" in notes.words[20]


def test_a_hole_is_found_where_it_is():
    def pierce(mask):
        i, j = np.argwhere(mask[..., 15]).mean(0).round().astype(int)
        mask[i, j, 15] = 0

    notes, _ = notes_of(pierce, "holes")
    assert notes.places == (rows(15),)


def test_a_mask_at_the_border_of_the_image_is_marked():
    def spread(mask):
        mask[0, 20:22, 5] = 1

    notes, _ = notes_of(spread, "field-border")
    assert notes.places == (rows(5),)


def test_the_centre_jumps_where_the_mask_was_shifted():
    def shift(mask):
        mask[..., 22] = np.roll(mask[..., 22], 8, axis=0)

    notes, _ = notes_of(shift, "centre-jump")
    assert notes.places == (rows(22),)


def test_the_upper_end_is_that_of_the_mask():
    notes, mask = notes_of(lambda mask: None, "above-foramen-magnum")
    highest = np.flatnonzero(mask.any((0, 1)))[-1]
    assert notes.places == (rows(*range(highest - 10, highest + 1)),)


def test_a_jump_of_the_area_is_marked_on_both_sides():
    def thin(mask):
        inside = np.argwhere(mask[..., 20])
        mask[..., 20] = 0
        for i, j in inside[: len(inside) // 4]:
            mask[i, j, 20] = 1

    notes, _ = notes_of(thin, "area-jump", zooms=(1.0, 1.0, 5.0))
    assert notes.places == (rows(19, 20, 21),)


@pytest.mark.parametrize("code", ["network-unsure", "many-doubts", "", "unknown"])
def test_a_reason_about_the_mask_as_a_whole_has_no_place(code):
    notes, _ = notes_of(lambda mask: None, code)
    assert notes.places == ((),)


def test_a_mask_without_a_voxel_has_no_place_that_fails():
    codes = ("gap", "holes", "several-objects", "field-border", "centre-jump", "above-foramen-magnum", "area-jump")
    notes, _ = notes_of(lambda mask: mask.fill(0), *codes)
    assert notes.places == ((),) * len(codes)


def test_places_are_links_to_tiles_and_every_link_leads_somewhere():
    image = report_image(spoil=True)
    reasons = (Finding("gap", "warn", "A gap."), Finding("many-doubts", "fail", "Much."), Finding("x", "info", "So."))
    page = render_participant("01", [replace(image, reasons=reasons, messages=())], version="1")
    link = '<a href="#image-1-slice-11" data-row="28">10\N{EN DASH}11</a>'
    assert 'id="image-1-slice-11"' in page
    section = page.partition("<section")[2]
    assert section.index("A gap.") < section.index(link) < section.index("Much.") < section.index("So.")


def test_many_places_are_counted():
    image = report_image()
    mask = image.mask.data.copy()
    mask[..., 1:39:2] = 0
    spotted = replace(image, mask=Volume(mask, image.mask.grid), morph={}, reasons=(Finding("gap", "warn", "Gaps."),))
    page = render_participant("01", [spotted], version="1")
    gaps = 19 - (not image.mask.data[..., 38].any()) - (not image.mask.data[..., 0].any())
    assert f"and {gaps - 8} more" in page


def test_a_failed_image_has_its_reasons_without_places():
    image = ReportImage("a", reasons=(Finding("gap", "fail", "It failed."),), status="empty-mask")
    assert "It failed." in render_participant("01", [image], version="1")


def test_levels_stand_at_their_slices():
    image = report_image(spoil=True)
    level = np.where(np.arange(40) < 20, 3.0, 2.0)
    level[0] = np.nan
    named = replace(image, morph=dict(image.morph) | {"vertebral_level": level}, level_names=("C1", "C2", "C3"))
    cord = cord_image(named.image, named.mask, None, None)
    assert levels_of(by_slice(named.morph, cord), named.level_names) == [""] + ["C3"] * 19 + ["C2"] * 20
    page = render_participant("01", [named], version="1")
    assert "Axial slice 10 at C3, no mask" in page
    assert '<text class="level"' in page
    assert "vertebral levels" in page
    assert "vertebral levels" not in render_participant("01", [image], version="1")
