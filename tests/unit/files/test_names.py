"""Names of files: what is shown of them, whether they fit, where they lead."""

import json
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.files.names import (
    as_utf8,
    fitting_name,
    leads_to_file,
    leads_to_folder,
    n_bytes,
    printable,
    printable_entry,
    printable_text,
    why_no_folder,
)

#: Any name that Linux allows, as Python shows it.
NAMES = st.binary(min_size=1, max_size=255).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"0").replace(b"/", b"1")))

ENCODINGS = st.sampled_from(["utf-8", "ascii", "latin-1"])


@given(NAMES, ENCODINGS)
def test_what_is_shown_of_a_name_is_one_line_that_any_terminal_can_write(name, encoding):
    shown = printable(name, encoding)
    assert shown.encode(encoding)
    assert shown.splitlines() == [shown]
    assert not re.search("[\x00-\x1f\x7f-\x9f]", shown)


@given(st.text(st.characters(codec="ascii", categories=("L", "N", "P"))), ENCODINGS)
def test_an_ordinary_name_is_shown_as_it_is(name, encoding):
    assert printable(name, encoding) == printable_text(name, encoding) == name


@given(NAMES, ENCODINGS)
def test_json_stays_json_on_the_terminal_and_in_files(name, encoding):
    line = json.dumps({"name": name}, ensure_ascii=False)
    assert json.loads(printable_text(line, encoding)) == {"name": name}
    # In a file, bytes that are text become that text; either way it leads to the same file.
    assert os.fsencode(json.loads(as_utf8(line))["name"]) == os.fsencode(name)


@given(NAMES)
def test_no_name_begins_a_line_of_a_message(name):
    assert all(line.startswith("  ") for line in printable_entry(f"WARNING: {name}x").split("\n")[1:])


def test_the_lines_of_our_own_messages_stay():
    assert printable_entry("Two errors.\n  one\n  two") == "Two errors.\n  one\n  two"


@given(st.text(min_size=1, max_size=400), st.text(min_size=1, max_size=400), st.integers(40, 255))
def test_a_fitting_name_fits_and_different_names_stay_different(one, other, most):
    fitting = fitting_name(one, most)
    assert n_bytes(fitting) <= most
    assert (fitting == one) == (n_bytes(one) <= most)
    assert (fitting == fitting_name(other, most)) == (one == other)


def test_a_shortened_name_keeps_its_extension():
    assert fitting_name("a" * 300 + ".json").endswith(".json")


def test_names_that_no_file_can_have_lead_nowhere():
    for name in ("a" * 300, "a\0b", "\ud800"):
        assert not leads_to_file(name)
        assert not leads_to_folder(name)


def test_what_stands_in_place_of_a_folder_is_told(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "gone").symlink_to("/not/mounted/sub-01")
    (tmp_path / "through").symlink_to("file/inside")
    (tmp_path / "good").symlink_to(tmp_path)
    assert "a file where a folder is expected" in why_no_folder(tmp_path / "file")
    assert "leads nowhere: Too many levels" in why_no_folder(tmp_path / "loop")
    assert "does not exist (not mounted?)" in why_no_folder(tmp_path / "gone")
    assert "does not exist (not mounted?)" in why_no_folder(tmp_path / "through")
    assert why_no_folder(tmp_path / "good") is None
    assert why_no_folder(tmp_path) is None


def test_a_folder_that_may_not_be_entered_is_told(tmp_path, monkeypatch):
    def stat(_path, **_more):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "stat", stat)
    assert why_no_folder(tmp_path / "closed") == "It cannot be entered: Permission denied. Make it readable."


@pytest.mark.parametrize("text", ["²", "mm²", "日本", "😀"])
def test_characters_that_an_encoding_lacks_are_escaped(text):
    assert json.loads(f'"{printable(text, "ascii")}"') == text
