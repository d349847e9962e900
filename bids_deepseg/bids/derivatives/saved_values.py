"""Take values out of our own JSON files and tables.

What is missing, or of another type or range than this app writes, is an error.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.source.given_centerline import WORLD_COLUMNS
from bids_deepseg.bids.source.vertebrae import LEVEL_COLUMN, LEVEL_NAMES
from bids_deepseg.errors import DamagedResultError
from bids_deepseg.files.facts import Facts
from bids_deepseg.files.tables import read_columns
from bids_deepseg.files.text import TextError


def wrong(name: str, value: object, expected: str) -> DamagedResultError:
    """Return the error for a value that is none of those expected."""
    return DamagedResultError(f"{name} is {ascii(value)[:60]}; {expected} is expected")


def take_mapping(facts: Facts, name: str) -> Facts:
    """Return an object."""
    value = facts.get(name)
    if not isinstance(value, Mapping):
        raise wrong(name, value, "an object")
    return value


def take_list(facts: Facts, name: str) -> list[Any]:
    """Return a list."""
    value = facts.get(name)
    if not isinstance(value, list):
        raise wrong(name, value, "a list")
    return value


def as_entry(value: object) -> Facts:
    """Return an object of a list."""
    if not isinstance(value, Mapping):
        raise wrong("An entry", value, "an object")
    return value


def take_text(facts: Facts, name: str) -> str:
    """Return a text."""
    value = facts.get(name)
    if not isinstance(value, str):
        raise wrong(name, value, "a text")
    return value


def take_flag(facts: Facts, name: str) -> bool:
    """Return true or false."""
    value = facts.get(name)
    if not isinstance(value, bool):
        raise wrong(name, value, "true or false")
    return value


def take_number(facts: Facts, name: str) -> int | float:
    """Return a number."""
    value = facts.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(name, value, "a number")
    return value


def take_size(facts: Facts, name: str, most: float) -> float:
    """Return a number from 0 to ``most``."""
    value = take_number(facts, name)
    if not 0 <= value <= most:
        raise wrong(name, value, f"a number from 0 to {most:g}")
    return float(value)


def take_whole(facts: Facts, name: str, most: int = 2**31) -> int:
    """Return a whole number from 0 to ``most``."""
    value = take_number(facts, name)
    if not isinstance(value, int) or not 0 <= value <= most:
        raise wrong(name, value, f"a whole number from 0 to {most}")
    return value


Columns = dict[str, NDArray[np.float64]]

#: No axis of an image is longer.
_MOST_SLICES = 2**20


def read_morph(path: Path) -> Columns:
    """Read a table of measures per slice.

    Parameters
    ----------
    path : Path
        Table of the cord or of a structure inside it.

    Returns
    -------
    dict of str to (K,) array
        Columns by name, NaN for ``n/a``.

    Raises
    ------
    DamagedResultError
        If it cannot be read, has no row, or its slices, areas or vertebral levels are none.
    """
    table = _read(path, ("slice", "area_mm2"))
    slices, area = table["slice"], table["area_mm2"]
    if not len(slices):
        raise DamagedResultError(f"{path.name} has no row; one per slice is expected")
    if not (_whole(slices) & (slices >= 0) & (slices <= _MOST_SLICES)).all() or len(np.unique(slices)) < len(slices):
        raise DamagedResultError(f"{path.name} has a slice that is not a number from 0, or one twice")
    if (area < 0).any():
        raise DamagedResultError(f"{path.name} has an area below 0")
    levels = table.get(LEVEL_COLUMN, np.empty(0))
    wrong = levels[~(np.isnan(levels) | (_whole(levels) & (levels >= 1) & (levels <= len(LEVEL_NAMES))))]
    if len(wrong):
        raise DamagedResultError(
            f"{path.name} has the {LEVEL_COLUMN} {wrong[0]:g}; a number from 1 to {len(LEVEL_NAMES)} is expected"
        )
    return table


def read_points(path: Path) -> NDArray[np.float64]:
    """Read a centerline.

    Returns
    -------
    (N, 3) float array
        Points in RAS+ mm.

    Raises
    ------
    DamagedResultError
        If it cannot be read, or a coordinate is missing.
    """
    table = _read(path, WORLD_COLUMNS)
    points = np.column_stack([table[name] for name in WORLD_COLUMNS])
    if not len(points) or not np.isfinite(points).all():
        raise DamagedResultError(f"{path.name} has no point, or one without coordinates")
    return points


def _read(path: Path, needed: tuple[str, ...]) -> Columns:
    """Read a table that has these columns."""
    try:
        table = read_columns(path)
    except (OSError, TextError) as error:
        raise DamagedResultError(f"{path.name} cannot be read: {error}") from error
    absent = [name for name in needed if name not in table]
    if absent:
        raise DamagedResultError(f"{path.name} has no column {', '.join(absent)}")
    return table


def _whole(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which values are whole numbers."""
    return np.asarray(np.isfinite(values) & (values == np.rint(values)))
