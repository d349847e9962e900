"""The table of options in ``docs/usage.md`` is that of the declarations, and names whatever the parser accepts."""

import pytest

from bids_deepseg.options.document import BEGIN, END, USAGE, update
from bids_deepseg.options.parsing import build_parser


def test_the_table_is_the_one_that_is_written():
    text = USAGE.read_text(encoding="utf-8")
    assert text == update(text), "Run: python -m bids_deepseg.options.document"


def test_every_name_that_the_parser_knows_stands_in_the_table():
    table = USAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    named = {word.strip("`(),") for word in table.replace("|", " ").split()}
    accepted = {name for action in build_parser()._actions for name in action.option_strings}
    assert accepted - {"-h", "--help", "--version"} <= named


def test_every_row_has_three_cells():
    table = USAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert {len(line.replace(r"\|", "").split("|")) - 2 for line in table.split("\n") if line} == {3}


def test_a_page_without_a_place_for_the_table_is_refused():
    with pytest.raises(ValueError, match="no place for the options"):
        update(f"# Usage\n{BEGIN}\n")
