"""Write and read tables and JSON the same way on every run.

TSV files have a header line, ``n/a`` for what is missing, numbers with a fixed count of decimals; JSON is indented by
two and keeps the order of its keys.
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.files.names import as_utf8
from bids_deepseg.files.structured import Table, read_table
from bids_deepseg.files.text import TextError, parse_number, warn_once

MISSING = "n/a"

#: Tabs and line breaks would be taken for those of the table, zero bytes make it unreadable.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")


def format_json(content: Mapping[str, Any]) -> bytes:
    """Return the bytes of a JSON file."""
    return as_utf8(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def format_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Return the bytes of a TSV file; control characters in values become spaces, an empty value ``n/a``."""
    cleaned = [[" ".join(_CONTROL.sub(" ", value).split()) or MISSING for value in row] for row in (columns, *rows)]
    return as_utf8("".join("\t".join(row) + "\n" for row in cleaned))


def format_number(value: float, decimals: int) -> str:
    """Return a number with fixed decimals, ``n/a`` for NaN, never a negative zero."""
    if not math.isfinite(value):
        return MISSING
    return f"{round(value, decimals) + 0.0:.{decimals}f}"


def format_columns(columns: Mapping[str, NDArray[np.float64]], decimals: Mapping[str, int]) -> bytes:
    """Return the bytes of a TSV file of numbers.

    Parameters
    ----------
    columns : mapping of str to (K,) array
        Columns in their order.
    decimals : mapping of str to int
        Decimals of the columns that do not have four.
    """
    formatted = [[format_number(float(v), decimals.get(name, 4)) for v in values] for name, values in columns.items()]
    return format_table(list(columns), list(zip(*formatted, strict=True)))


def read_foreign_table(path: Path) -> Table | None:
    """Read a table of others; None where there is none.

    One that cannot be read is named in a warning, and so is what is odd in it.
    """
    try:
        table = read_table(path)
    except FileNotFoundError:
        return None
    except TextError as error:
        warn_once(f"{path} was not read: {error}. A table of tab-separated values is expected, UTF-8.")
        return None
    for problem in table.problems:
        warn_once(f"{path}: {problem}.")
    return table


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read the rows of a TSV file as :func:`read_foreign_table` does; a file that is not there has none."""
    table = read_foreign_table(path)
    return [] if table is None else [dict(row) for row in table.rows]


def read_columns(path: Path) -> dict[str, NDArray[np.float64]]:
    """Read a TSV file of numbers that this app wrote: columns by name, NaN for ``n/a``.

    Raises
    ------
    FileNotFoundError
        If it is not there.
    TextError
        If anything in it is not as this app writes it: a cell that is not a number, lines of another length.
    """
    table = read_table(path)
    if table.problems:
        raise TextError("; ".join(table.problems))
    try:
        values = [[_number_or_nan(row[name]) for name in table.columns] for row in table.rows]
    except ValueError as error:
        raise TextError(str(error)) from error
    numbers = np.array(values, np.float64).reshape(len(values), len(table.columns))
    return {name: numbers[:, position] for position, name in enumerate(table.columns)}


def _number_or_nan(word: str) -> float:
    """Return the number of a cell."""
    return math.nan if word == MISSING else parse_number(word)
