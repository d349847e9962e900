"""The methods text: it follows from the facts, and nothing in it is read as markup."""

import re
from dataclasses import replace

import pytest

from bids_deepseg.report.boilerplate import MethodsFacts, NetworkFact, _Style, render_methods
from bids_deepseg.report.references import references

FACTS = MethodsFacts(
    versions={"1.2.3": 3},
    software={"Python": "3.11.7", "TensorFlow": "2.21.0", "nibabel": "5.4.2"},
    networks=(NetworkFact("detection", "a" * 64, 3), NetworkFact("segmentation", "b" * 64, 2)),
    n_participants=2,
    n_images=3,
    kinds={"T1w": 1, "T2w": 2},
    thresholds={"0.5": 3},
    options={"contrast": {"t1": 1, "t2": 2}},
    n_averaged=0,
    verdicts={"pass": 2, "warn": 1, "fail": 0},
    failures={"bad-image": 2},
)


def text_of(html):
    return " ".join(re.sub(r"<style>.*</style>|<[^>]*>", "", html, flags=re.DOTALL).split())


def test_the_text_states_the_facts():
    text = render_methods(FACTS)
    for form in (text.markdown.replace("`", ""), text_of(text.html)):
        assert "bids_deepseg 1.2.3" in form
        assert "in 3 images of 2 participants" in form
        assert "T1w (1) and T2w (2)" in form
        assert f"detection (sha256 {'a' * 64}) and segmentation (sha256 {'b' * 64}, 2 images)" in form
        assert "Option contrast, by number of images: t1 (1) and t2 (2)" in form
        assert "thresholded at 0.5;" in form
        assert "pass (2), warn (1) and fail (0)" in form
        assert "No result was obtained for 2 images, by cause: bad-image (2)." in form
        assert "Python 3.11.7, TensorFlow 2.21.0" in form
        assert "  " not in form
        assert " ." not in form


def test_several_versions_and_thresholds_are_told_apart():
    text = render_methods(replace(FACTS, versions={"1": 1, "2": 2}, thresholds={"0.4": 1, "0.5": 2}, n_averaged=2))
    assert "bids_deepseg 1 (1 image) and 2 (2 images)," in text.markdown
    assert "thresholded at `0.4` (1) and `0.5` (2);" in text.markdown
    assert "2 images were made from series" in text.markdown


def test_nothing_but_failures_is_a_text_too():
    nothing = {"networks": (), "kinds": {}, "thresholds": {}, "options": {}, "n_images": 0, "n_participants": 0}
    text = render_methods(replace(FACTS, **nothing, software={}))
    assert "in 0 images of 0 participants" in text.markdown
    assert "bad-image" in text.markdown
    assert "checks" not in text.markdown


def test_the_same_facts_give_the_same_text():
    assert render_methods(FACTS) == render_methods(FACTS)


def test_text_from_files_is_not_read_as_markup():
    odd = {"<script>alert(1)</script>": {"`x` *y*": 3}}
    text = render_methods(replace(FACTS, options=odd))
    assert "<script" not in text.html
    assert "&lt;script&gt;" in text.html
    assert "`x *y*` (3)" in text.markdown


def test_every_citation_is_in_the_list_and_every_entry_is_whole():
    text = render_methods(FACTS)
    keys = {work.key for work in references()}
    assert {"gros2019", "gros2018", "felzenszwalb2012", "gorgolewski2016", "gorgolewski2017", "nibabel"} <= keys
    cited = set(re.findall(r"[\[ ]@(\w+)", text.markdown))
    assert cited == keys
    assert set(re.findall(r'href="#(\w+)"', text.html)) <= set(re.findall(r'<li id="(\w+)"', text.html)) == keys
    entries = re.findall(r"@(\w+)\{(\w+),\n(.*?)\n\}\n", text.bibtex, re.DOTALL)
    assert {key for _kind, key, _fields in entries} == keys
    for kind, key, fields in entries:
        assert "author = {" in fields, key
        assert "doi = {10." in fields or "url = {https://" in fields, key
        assert kind != "article" or "journal = {" in fields, key
        assert fields.count("{") == fields.count("}"), key
    with pytest.raises(KeyError, match="nobody"):
        _Style(references()).cite("nobody")


def test_the_page_needs_nothing_else():
    html = render_methods(FACTS).html
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//|url\(", html)
    assert "<script" not in html
