"""Read the tables of our own results as numbers, or say what in them is not as this app writes it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.source.given_centerline import WORLD_COLUMNS
from bids_deepseg.bids.source.vertebrae import LEVEL_COLUMN, LEVEL_NAMES
from bids_deepseg.errors import DamagedResultError
from bids_deepseg.files.tables import read_columns
from bids_deepseg.files.text import TextError

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
