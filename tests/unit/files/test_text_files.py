"""One way to read text: encodings, line ends, and JSON, TSV, TOML and YAML that are damaged or hostile."""

import ast
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bids_deepseg
from bids_deepseg.files.facts import (
    mapping_of,
    mappings_of,
    number_of,
    text_mapping_of,
    text_of,
    texts_of,
)
from bids_deepseg.files.structured import (
    MAX_DEPTH,
    format_yaml,
    parse_json_object,
    parse_table,
    read_json_object,
    read_strict_json,
    read_table,
    read_toml,
    read_yaml,
)
from bids_deepseg.files.tables import format_table
from bids_deepseg.files.text import TextError, decode, parse_number, read_text, split_lines

UNICODE = ("utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be")
#: What ``str.splitlines`` takes for line ends beside CR and LF.
NO_LINE_ENDS = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"
LINE = st.text(st.characters(exclude_characters="\r\n\x00\ufeff", exclude_categories=("Cs",)), max_size=20)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)


@pytest.mark.parametrize("encoding", UNICODE)
def test_every_unicode_encoding_gives_the_same_text(tmp_path, encoding, caplog):
    text = "participant_id\tsite\nsub-01\tMontréal\n"
    (tmp_path / "a.tsv").write_bytes(text.encode(encoding))
    assert read_text(tmp_path / "a.tsv") == text
    assert not caplog.records


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
@pytest.mark.parametrize("order", ["le", "be"])
def test_a_byte_order_mark_of_either_order_decides(encoding, order):
    assert decode("\ufeffé1".encode(f"{encoding}-{order}")) == ("é1", True)


def test_latin_1_is_the_last_resort_with_a_warning_that_names_the_file(tmp_path, caplog):
    (tmp_path / "a.json").write_bytes('{"Name": "Étude"}'.encode("latin-1"))
    assert read_json_object(tmp_path / "a.json").content == {"Name": "Étude"}
    (record,) = caplog.records
    assert (record.levelname, record.once) == ("WARNING", True)
    assert "a.json is not UTF-8" in record.getMessage()


@pytest.mark.parametrize(
    "content", [b"a\0b\0c", b"\xff\xfea", b"\x00\x00\xfe\xff\xff\xff\xff\xff", b"PK\x03\x04\x00\x00"]
)
def test_bytes_that_are_no_text_are_refused(content):
    with pytest.raises(TextError):
        decode(content)


@given(content=st.binary(max_size=40))
def test_any_bytes_are_text_or_are_refused(content):
    try:
        text, _ = decode(content)
    except TextError:
        return
    assert "\0" not in text


@given(lines=st.lists(LINE.filter(bool), min_size=1), end=st.sampled_from(["\n", "\r\n", "\r"]), last=st.booleans())
def test_lines_end_with_the_line_ends_of_the_format_only(lines, end, last):
    assert split_lines(end.join(lines) + end * last) == lines


def test_what_is_no_ordinary_file_is_refused_and_a_missing_one_is_told_apart(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "large").write_bytes(b"a" * 11)
    for name, words in (("pipe", "a pipe"), ("folder", "a folder"), ("link", "a link"), ("a" * 300, "too long")):
        with pytest.raises(TextError, match=words):
            read_text(tmp_path / name)
    with pytest.raises(TextError, match="more than"):
        read_text(tmp_path / "large", max_bytes=10)
    with pytest.raises(FileNotFoundError):
        read_text(tmp_path / "missing")


@given(content=st.dictionaries(st.text(st.characters(), max_size=5), VALUE, max_size=4))
def test_whatever_json_python_writes_is_read_as_what_json_can_hold(content):
    found = parse_json_object(json.dumps(content))
    written = json.dumps(found.content | {}, allow_nan=False, ensure_ascii=False).encode()
    assert json.loads(written) == found.content


def test_values_that_json_cannot_hold_count_as_missing_and_are_told():
    found = parse_json_object('{"a": NaN, "b": [-Infinity, 1], "c": 1e999, "d": "\\ud800", "e": 1, "\\ud800": 2}')
    assert found.content == {"a": None, "b": [None, 1], "c": None, "d": None, "e": 1}
    assert len(found.problems) == 4
    assert parse_json_object('{"n": ' + "9" * 5000 + "}").content == {"n": None}


def test_names_that_come_twice_are_told(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1, "b": {"c": 2, "c": 3}, "a": 4}')
    found = read_json_object(tmp_path / "a.json")
    assert found.content == {"a": 4, "b": {"c": 3}}
    assert len(found.problems) == 2
    with pytest.raises(TextError, match="twice"):
        read_strict_json(tmp_path / "a.json")


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, '{"a":' + "[" * 60 + "]" * 60 + "}"])
def test_deep_json_is_refused(text):
    with pytest.raises(TextError, match=f"nested more than {MAX_DEPTH} deep"):
        parse_json_object(text)


@pytest.mark.parametrize("text", ["", "[]", "1", "null", '"a"', "{", "{}{}"])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(TextError):
        parse_json_object(text)


@pytest.mark.parametrize("char", NO_LINE_ENDS)
def test_a_cell_may_hold_what_ends_no_line(char):
    (row,) = parse_table(f"id\tnote\tage\n1\ta{char}b\t33\n").rows
    assert row == {"id": "1", "note": f"a{char}b", "age": "33"}


def test_spaces_around_cells_are_dropped_and_quotes_are_characters():
    table = parse_table(' id \t "a"\r\n\r\n 1\t x "y" \r\n')
    assert table.columns == ("id", '"a"')
    assert table.rows == ({"id": "1", '"a"': 'x "y"'},)
    assert table.problems == ()


def test_what_is_odd_in_a_table_is_told():
    table = parse_table("id\ta\ta\n1\t2\n1\t2\t3\n1\t2\t3\t4\n")
    assert [row.get("a") for row in table.rows] == ["2", "2", "2"]
    twice, cells = table.problems
    assert "columns a occur twice" in twice
    assert "2 of 3 lines" in cells
    assert "line 2" in cells


@pytest.mark.parametrize("text", ["", "\n\n", "a\n" + "b" * 200_000])
def test_tables_that_are_none_are_refused(tmp_path, text):
    (tmp_path / "a.tsv").write_text(text)
    with pytest.raises(TextError):
        read_table(tmp_path / "a.tsv")


@pytest.mark.parametrize(
    "text", ["mem = " + "[" * 3000 + "]" * 3000, "a." * 200 + "b = 1", "[" + "a." * 200 + "b]", "x"]
)
def test_toml_that_is_deep_long_or_none_is_refused(tmp_path, text):
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(TextError):
        read_toml(tmp_path / "a.toml")


BOMB = "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\n"


@pytest.mark.parametrize(
    "text",
    [
        BOMB,
        "a: &a {k: v}\nb: {<<: *a}\n",
        "[" * 100_000,
        "- " * 20_000 + "x",
        "a: [",
        "? [a]\n: b\n",
        '"\\ud800"\nb',
        "a: b: c",
        "x" * 2**21,
    ],
)
def test_yaml_with_references_deep_or_none_is_refused(tmp_path, text):
    (tmp_path / "a.yml").write_text(text)
    with pytest.raises(TextError):
        read_yaml(tmp_path / "a.yml")


def test_yaml_makes_texts_only_and_runs_nothing(tmp_path):
    text = "a:\n- 01\n- 1e3\n- 2020-01-01\n- yes\n- !!python/object/apply:os.getcwd []\n"
    (tmp_path / "a.yml").write_text(text)
    assert read_yaml(tmp_path / "a.yml") == {"a": ["01", "1e3", "2020-01-01", "yes", []]}


@given(entries=st.lists(LINE))
def test_yaml_that_was_written_is_read(tmp_path_factory, entries):
    path = tmp_path_factory.mktemp("y") / "a.yml"
    path.write_bytes(format_yaml({"k": entries}))
    assert read_yaml(path) == {"k": entries}


@pytest.mark.parametrize("word", ["1_000", "٣", "nan", "inf", "1e999", "", "0x1", "1,5", "1 2", "--1", "."])
def test_words_that_are_no_numbers_are_refused(word):
    with pytest.raises(ValueError, match="is not a number"):
        parse_number(word)


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_are_read_as_they_were_written(number):
    assert parse_number(repr(number)) == number


@given(value=VALUE)
def test_a_value_of_any_type_has_the_type_that_was_asked_for_or_is_missing(value):
    facts = parse_json_object(json.dumps({"k": value})).content
    assert text_of(facts, "k") is None or text_of(facts, "k") == str(facts["k"]).strip() != ""
    assert all(isinstance(text, str) and text for text in texts_of(facts, "k"))
    assert type(number_of(facts, "k")) in (int, float, type(None))
    assert all(isinstance(text, str) for text in text_mapping_of(facts, "k").values())
    assert all(hasattr(each, "keys") for each in (mapping_of(facts, "k"), *mappings_of(facts, "k")))


def test_a_single_text_is_a_list_of_one():
    assert texts_of({"a": "Jane Doe, John Roe"}, "a") == ("Jane Doe, John Roe",)
    assert texts_of({"a": {"b": 1}}, "a") == texts_of({}, "a") == ()


#: Modules that read text which nobody but this package or the system writes.
OWN_TEXT = {
    "_metadata.py": "the version",
    "app/workspace.py": "the mark of a temporary folder",
    "bids/derivatives/ownership.py": "the first bytes of a description, whoever wrote it: unreadable is an answer",
    "bids/source/validation.py": "the answer of the validator",
    "execution/resources.py": "the files of the system",
    "networks/specs.py": "the cards of the networks in the package",
    "options/document.py": "the page of the package that it writes",
    "methods/optic/model.py": "the cards of the detectors in the package",
    "networks/legacy/json_config.py": "the description inside a network file, bounded there",
}
READERS = {"read_text", "splitlines", "loads", "load"}


def test_text_is_read_in_one_place():
    package = Path(bids_deepseg.__file__).parent
    found = {}
    for path in package.rglob("*.py"):
        name = path.relative_to(package).as_posix()
        if name.partition("/")[0] in ("files", "training"):
            continue
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        used = {
            call.attr
            for call in calls
            if isinstance(call, ast.Attribute)
            and call.attr in READERS
            and (
                call.attr in ("read_text", "splitlines") or getattr(call.value, "id", "") in ("json", "tomllib", "yaml")
            )
        }
        if used:
            found[name] = used
    assert set(found) == set(OWN_TEXT)


@given(cells=st.lists(st.text(st.characters(exclude_categories=("Cs",))), min_size=1, max_size=4))
def test_any_text_can_be_a_cell_of_a_table_that_is_read_again(cells):
    columns = [f"c{n}" for n in range(len(cells))]
    text, is_unicode = decode(format_table(columns, [cells]))
    (row,) = parse_table(text).rows
    assert is_unicode
    assert list(row) == columns
