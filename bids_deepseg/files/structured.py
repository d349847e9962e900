"""Read JSON, TSV, TOML and YAML from any source: bounded in size and depth, with a note about everything odd.

Values are those that can be written again as JSON. What is read but odd is listed as a *problem*; the caller decides
whether that is an error or a warning. Every function raises ``FileNotFoundError`` if there is no file, and
:class:`~bids_deepseg.files.text.TextError` if there is one that cannot be read.
"""

import csv
import json
import math
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from bids_deepseg.files.text import TextError, read_text, split_lines

#: Most bytes of a table, and of the files of a person (TOML, YAML), whose parsers are slow.
MAX_TABLE_BYTES = 2**26
MAX_SMALL_BYTES = 2**20

#: Objects and lists inside each other; metadata of images has three levels.
MAX_DEPTH = 50

#: A larger number has no counterpart in double precision, and reading it takes long.
_MAX_DIGITS = 300

#: Parts of a dotted key of TOML; the parser takes time with their square.
_MAX_DOTS = 100

_SURROGATE = re.compile("[\ud800-\udfff]")

#: Columns of a table that are named in a message.
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class JsonObject:
    """An object of a JSON file.

    Attributes
    ----------
    content : mapping of str to object
        Names and values; ``None`` in place of what JSON cannot hold.
    problems : tuple of str
        What is odd: names that come twice, values that JSON cannot hold.
    """

    content: Mapping[str, Any]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table with a header line.

    Attributes
    ----------
    columns : tuple of str
        Names without the spaces around them, each once.
    rows : tuple of mapping of str to str
        Cells by column, without the spaces around them; a cell that a short line lacks is missing.
    problems : tuple of str
        What is odd: columns that come twice, lines with another number of cells.
    """

    columns: tuple[str, ...]
    rows: tuple[Mapping[str, str], ...]
    problems: tuple[str, ...] = ()


def read_json_object(path: Path) -> JsonObject:
    """Read a JSON object; errors as for :mod:`this module <bids_deepseg.files.structured>`."""
    return parse_json_object(read_text(path))


def read_strict_json(path: Path) -> Mapping[str, Any]:
    """Read a JSON object in which nothing is odd.

    Raises
    ------
    TextError
        Also for what is a problem elsewhere: a name that comes twice, NaN.
    """
    found = read_json_object(path)
    if found.problems:
        raise TextError("; ".join(found.problems))
    return found.content


def parse_json_object(text: str) -> JsonObject:
    """Parse a JSON object.

    Raises
    ------
    TextError
        If the text is no JSON object, or is nested more than :data:`MAX_DEPTH` deep.
    """
    twice: Counter[str] = Counter()
    unwritable: Counter[str] = Counter()

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice.update(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        return found

    def whole(word: str) -> int | None:
        return int(word) if len(word) <= _MAX_DIGITS else unwritable.update([_short(word)])

    def fraction(word: str) -> float | None:
        number = float(word)
        return number if math.isfinite(number) else unwritable.update([_short(word)])

    try:
        content = json.loads(
            text,
            object_pairs_hook=unique,
            parse_int=whole,
            parse_float=fraction,
            parse_constant=lambda word: unwritable.update([word]),
        )
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise TextError(f"it is not JSON: {error}") from error
    if not isinstance(content, dict):
        raise TextError(f"it holds {_kind(content)}, not a JSON object")
    unwritable.update(_clean(content))
    problems = [f"the name {_short(name)!r} occurs twice; the last one counts" for name in twice]
    problems += [f"{value} is not a JSON value and is treated as missing" for value in unwritable]
    return JsonObject(MappingProxyType(content), tuple(problems[:_MOST_NAMED]))


def read_table(path: Path) -> Table:
    """Read a table of tab-separated values."""
    return parse_table(read_text(path, max_bytes=MAX_TABLE_BYTES))


def parse_table(text: str) -> Table:
    """Parse tab-separated values: a header line, then one line per row; quotation marks are characters as any other.

    Raises
    ------
    TextError
        If there is no header line, or a cell is too long.
    """
    # A carriage return inside a line would end it for the reader.
    lines = [line.replace("\r", " ") for line in split_lines(text)]
    try:
        rows = list(csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    except csv.Error as error:
        raise TextError(f"it is not a table: {error}") from error
    numbered = [(n, [cell.strip() for cell in row]) for n, row in enumerate(rows, 1) if any(map(str.strip, row))]
    if not numbered:
        raise TextError("it is empty")
    (_, header), *body = numbered
    place_of = {name: header.index(name) for name in header}
    rows_by_name = ({name: row[k] for name, k in place_of.items() if k < len(row)} for _, row in body)
    return Table(tuple(place_of), tuple(rows_by_name), tuple(_problems_of_table(header, body)))


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file."""
    text = read_text(path, max_bytes=MAX_SMALL_BYTES)
    _check_keys(text)
    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise TextError(f"it is not TOML: {error}") from error


def read_yaml(path: Path) -> Any:
    """Read a YAML file of texts, lists and mappings; no other type is made, and there are no references.

    Returns
    -------
    str, list, dict or None
        None for a file without content.
    """
    text = read_text(path, max_bytes=MAX_SMALL_BYTES)
    try:
        _check_yaml(text)
        return yaml.load(text, Loader=yaml.BaseLoader)
    except RecursionError as error:
        raise _too_deep() from error
    except yaml.YAMLError as error:
        raise TextError(f"it is not YAML: {' '.join(str(error).split())}") from error
    except (ValueError, TypeError) as error:
        # A mapping as the name of a value, and characters out of range in an escape.
        raise TextError(f"it is not YAML made of strings and lists: {error}") from error


def format_yaml(content: Mapping[str, Iterable[str]]) -> bytes:
    """Return the bytes of a YAML file of lists of texts."""
    plain = {key: list(values) for key, values in content.items()}
    return str(yaml.safe_dump(plain, sort_keys=False, width=math.inf)).encode()


def _check_yaml(text: str) -> None:
    """Refuse references, whose content may grow without bound, and deep nesting."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        if isinstance(event, yaml.AliasEvent):
            raise TextError("it holds references (*name), which are not read")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise _too_deep()


def _check_keys(text: str) -> None:
    """Refuse TOML with keys of very many parts."""
    for line in split_lines(text):
        *keys, last = line.split("=")
        if any(key.count(".") > _MAX_DOTS for key in keys or [last]):
            raise TextError(f"a key has more than {_MAX_DOTS} parts")


def _problems_of_table(header: list[str], body: list[tuple[int, list[str]]]) -> Iterable[str]:
    """Yield what is odd about a table."""
    twice = [name for name, count in Counter(header).items() if count > 1 and name]
    if twice:
        yield f"the columns {', '.join(map(_short, twice[:_MOST_NAMED]))} occur twice; the first ones count"
    odd = [number for number, row in body if len(row) != len(header)]
    if odd:
        yield (
            f"{len(odd)} of {len(body)} lines do not have the {len(header)} cells of the header, first line {odd[0]}"
        )


def _clean(content: dict[str, Any]) -> list[str]:
    """Replace texts that no file can hold by None, in place; return what was replaced."""
    found = []
    waiting: list[tuple[Any, int]] = [(content, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise _too_deep()
        if isinstance(node, dict):
            for name in [name for name in node if _SURROGATE.search(name)]:
                found.append(_short(name))
                del node[name]
        for place, value in list(node.items() if isinstance(node, dict) else enumerate(node)):
            if isinstance(value, dict | list):
                waiting.append((value, depth + 1))
            elif isinstance(value, str) and _SURROGATE.search(value):
                found.append(_short(value))
                node[place] = None
    return found


def _too_deep() -> TextError:
    """Return the error for content that is nested too deeply."""
    return TextError(f"it is nested more than {MAX_DEPTH} deep")


def _short(text: str) -> str:
    """Shorten a text for a message, in characters that any terminal shows."""
    return ascii(text[:40])[1:-1]


def _kind(value: object) -> str:
    """Name the type of a value of JSON."""
    return {list: "a list", str: "a text", bool: "true or false", type(None): "null"}.get(type(value), "a number")
