"""Write and read tables and JSON the same way on every run.

TSV files have a header line, ``n/a`` for what is missing, numbers with a fixed count of decimals; JSON is indented by
two and keeps the order of its keys.
"""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.files.names import as_utf8

MISSING = "n/a"


def format_json(content: Mapping[str, Any]) -> bytes:
    """Return the bytes of a JSON file."""
    return as_utf8(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def format_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    """Return the bytes of a TSV file; tabs and line breaks in values become spaces, an empty value ``n/a``."""
    cleaned = [[" ".join(value.split()) or MISSING for value in row] for row in (columns, *rows)]
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


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read the rows of a TSV file; a missing file has none."""
    try:
        header, *lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return []
    names = header.split("\t")
    return [dict(zip(names, line.split("\t"), strict=False)) for line in lines if line]


def read_columns(path: Path) -> dict[str, NDArray[np.float64]]:
    """Read a TSV file of numbers: columns by name, NaN for ``n/a``."""
    header, *lines = path.read_text(encoding="utf-8").splitlines()
    names = header.split("\t")
    values = [[math.nan if word == MISSING else float(word) for word in line.split("\t")] for line in lines]
    table = np.array(values, np.float64).reshape(len(lines), len(names))
    return {name: table[:, position] for position, name in enumerate(names)}
