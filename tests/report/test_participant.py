"""The page of a participant is complete, self-contained, escaped and always the same."""

import json
import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bids_deepseg.errors import ImageError
from bids_deepseg.example.phantom import grid_around
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.report.boilerplate import MethodsFacts, NetworkFact, render_methods
from bids_deepseg.report.image import ReportImage
from bids_deepseg.report.participant import render_participant
from bids_deepseg.stages.findings import Finding
from tests.helpers.report_images import report_image

VOID = {"meta", "link", "input", "img", "br", "hr"}


class Checker(HTMLParser):
    """Reads a page and collects what is wrong with it."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.problems, self.ids, self.references, self.elements = [], [], set(), set(), []
        self.text, self.data = [], []

    def handle_starttag(self, tag, attrs):
        names = [name for name, _ in attrs]
        values = dict(attrs)
        if len(names) != len(set(names)):
            self.problems.append(f"attribute twice in {tag}: {names}")
        if "id" in values:
            if values["id"] in self.ids:
                self.problems.append(f"id twice: {values['id']}")
            self.ids.add(values["id"])
        self.references |= set((values.get("aria-labelledby") or "").split()) | {values.get("for")}
        if (values.get("href") or "").startswith("#"):
            self.references.add(values["href"][1:])
        self.elements.append((tag, values))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.problems.append(f"</{tag}> closes nothing, line {self.getpos()[0]}")

    def handle_data(self, data):
        if not self.open or self.open[-1] not in {"style", "script"}:
            self.text.append(data)
        elif (
            self.open[-1] == "script"
            and ("script", {"type": "application/json", "class": "slices"}) in self.elements[-1:]
        ):
            self.data.append(json.loads(data))


def check(page):
    checker = Checker()
    checker.feed(page)
    checker.close()
    assert checker.problems == []
    assert checker.open == []
    assert checker.references - {None, ""} <= checker.ids
    return checker


def test_parses_cleanly(page):
    assert page.startswith("<!DOCTYPE html>")
    check(page)


def test_refers_to_nothing_outside(page):
    for _, attributes in check(page).elements:
        for name, value in attributes.items():
            if name in {"src", "href", "srcset", "action", "data"}:
                assert value.startswith(("#", "data:")), value[:80]
    assert not re.search(r"url\(|@import|//[a-z]+\.", re.sub(r"base64,[^\"]*", "", page))
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page


def test_is_small(page):
    assert len(page.encode()) <= 3_000_000


def test_is_the_same_again(images, page):
    assert render_participant("01", images, version="1.2.3", dataset="Phantoms") == page


def test_every_image_has_an_alternative_text(page):
    pictures = [attributes for tag, attributes in check(page).elements if tag == "img"]
    assert len(pictures) > 30
    assert all(attributes["alt"].strip() for attributes in pictures)
    plots = [attributes for tag, attributes in check(page).elements if tag == "svg" and attributes.get("role") == "img"]
    # Area, diameters and brightness of four images.
    assert len(plots) == 12
    hidden = [a for tag, a in check(page).elements if tag == "svg" and a.get("role") != "img"]
    assert all(attributes.get("aria-hidden") == "true" for attributes in hidden)


def test_says_what_there_is(page):
    text = re.sub(r"\s+", " ", "".join(check(page).text))
    assert "Spinal cord of sub-01" in text
    assert "6 images of Phantoms: 2 without result 1 to look at 3 passed" in text
    assert "Slices with mask38 of 40" in text.replace("Slices with mask 38", "Slices with mask38")
    assert "Look at slices 10 and 11." in text
    assert "What to do: Check whether the image shows the cord at all." in text
    assert "It has 4 dimensions. 3 are expected." in text
    assert "bids_deepseg 1.2.3" in text
    assert "radiological convention" in text


def test_slices_to_look_at_are_shown_and_marked(page):
    assert "Axial slice 10, no mask; look at it: no mask" in page
    assert "slice 11: no mask" in page


def test_verdicts_are_words_and_shapes(page):
    text = "".join(check(page).text)
    for word in ("Pass", "Look", "No result"):
        assert word in text
    assert page.count('class="symbol"') >= 12


NASTY = "<script>alert(1)</script>\"'&amp;{{ 7*7 }}</style><img src=x onerror=alert(1)>"


def everywhere(text):
    """Return a page with a result and a failure, and this text in every place that holds text from outside."""
    full = report_image(shape=(24, 24, 4), title=text)
    tried = {"Method": text, "Verdict": text, "Score": 0.5, "Reasons": [text], "Kept": True}
    images = [
        replace(
            full,
            verdict="fail",
            messages=(text,),
            facts={text: text},
            reasons=(Finding(text, "warn", text), Finding("field-border", "fail", text)),
            options={text: text},
            provenance={text: text},
            command=text,
            level_names=(text,),
            morph=dict(full.morph) | {"vertebral_level": np.ones(4)},
            tries=(tried,),
            structure=full.mask,
            structure_noun=text,
        ),
        ReportImage(text, status=text, messages=(text,), facts={text: text}, command=text),
    ]
    stated = {text: 1}
    facts = MethodsFacts(
        stated, {text: text}, (NetworkFact(text, text, 1),), 1, 1, stated, stated, {text: stated}, 0, stated, stated
    )
    methods = render_methods(facts, app=text)
    return render_participant(text, images, version=text, dataset=text, title=text, identity=text, methods=methods)


@cache
def plain_page():
    """Return what is on a page with a plain letter everywhere."""
    return check(everywhere("a"))


def check_escaped(text):
    """Assert that a page has the elements of one without that text, and reads it back."""
    checker, plain = check(everywhere(text)), plain_page()
    assert [tag for tag, _ in checker.elements] == [tag for tag, _ in plain.elements]
    assert [sorted(names) for _, names in checker.elements] == [sorted(names) for _, names in plain.elements]
    images = [attributes["data-image"] for _, attributes in checker.elements if "data-image" in attributes]
    # A line break of the other systems is one of HTML.
    assert [re.sub("\r\n?", "\n", image) for image in images] == [re.sub("\r\n?", "\n", text)] * 2
    (slices,) = checker.data
    assert slices["title"] == slices["structure"] == text
    assert set(slices["levels"]) == {text}


def test_any_text_is_escaped_everywhere():
    check_escaped(NASTY)
    page = everywhere(NASTY)
    assert "49" not in re.findall(r"<title>(.*?)</title>", page)[0]
    assert "".join(check(page).text).count(NASTY) >= 30


@given(st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), min_size=1, max_size=30))
@example("\n")
@example("\r")
def test_no_text_changes_the_elements_of_the_page(text):
    check_escaped(text)


@given(st.text(max_size=30))
def test_arbitrary_names_keep_the_page_intact(name):
    image = ReportImage(name, status=name, messages=(name,), facts={name: name})
    page = render_participant(name, [image], version="1")
    assert [tag for tag, _ in check(page).elements].count("section") == 1


def test_a_participant_without_images_has_a_page():
    page = render_participant("01", [], version="1")
    assert "No image of this participant was found." in page
    check(page)


def test_needs_neither_table_nor_centerline_nor_probability():
    full = report_image(shape=(40, 40, 12))
    page = render_participant("01", [ReportImage(full.title, full.image, full.mask, verdict="pass")], version="1")
    check(page)
    assert "Mean area" in page
    empty = np.empty((0, 3))
    with_empty = ReportImage(full.title, full.image, full.mask, centerline_xyz=empty, verdict="pass")
    assert render_participant("01", [with_empty], version="1") == page


def test_an_empty_mask_and_a_single_slice_are_drawn():
    grid = grid_around((20, 20, 1), (1.0, 1.0, 5.0))
    data = np.arange(400, dtype=np.float32).reshape(20, 20, 1)
    for mask in (np.zeros(grid.shape, np.uint8), (data > 350).astype(np.uint8)):
        page = render_participant(
            "01", [ReportImage("a", Volume(data, grid), Volume(mask, grid), verdict="fail")], version="1"
        )
        check(page)
        assert "nan" not in re.sub(r"base64,[^\"]*", "", page)


def test_inputs_are_unchanged():
    image = report_image(shape=(40, 40, 6))
    before = [image.image.data.copy(), image.mask.data.copy(), image.centerline_xyz.copy()]
    columns = {name: values.copy() for name, values in image.morph.items()}
    render_participant("01", [image], version="1")
    for old, new in zip(before, (image.image.data, image.mask.data, image.centerline_xyz), strict=True):
        assert np.array_equal(old, new)
    assert all(np.array_equal(columns[name], image.morph[name], equal_nan=True) for name in columns)


def test_results_on_another_grid_are_refused():
    image = report_image(shape=(40, 40, 6))
    other = Volume(np.zeros((4, 4, 4), np.uint8), grid_around((4, 4, 4), (1.0, 1.0, 1.0)))
    with pytest.raises(ImageError, match="does not lie on the grid of its image"):
        ReportImage("sub-01_T2w.nii.gz", image.image, other)
    with pytest.raises(ImageError, match="does not lie on the grid"):
        ReportImage("sub-01_T2w.nii.gz", None, other)
