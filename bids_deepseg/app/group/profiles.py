"""Find the area along the cord of each image at places that can be compared between images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.derivatives.saved import SavedResult
from bids_deepseg.bids.derivatives.saved_values import Columns
from bids_deepseg.bids.source.vertebrae import LEVEL_COLUMN, LEVEL_NAMES
from bids_deepseg.report.along_cord import LEAST_IMAGES, PLACES


@dataclass(frozen=True, slots=True)
class Profiles:
    """Areas along the cord of the images of one kind.

    Attributes
    ----------
    areas : list of (float, ...)
        One for each image, from superior to inferior, NaN where unknown; empty for an image that cannot be compared.
    levels : tuple of str
        Names of the places if they are vertebral levels.
    """

    areas: list[tuple[float, ...]]
    levels: tuple[str, ...] = ()


def find_profiles(results: Sequence[SavedResult]) -> Profiles:
    """Find the areas along the cord of the images of one kind: by vertebral level where enough images have levels.

    Parameters
    ----------
    results : sequence of SavedResult
        Results of one kind.
    """
    tables = [result.morph() for result in results]
    by_level = [_by_level(table) for table in tables]
    present = np.flatnonzero(np.isfinite(by_level).any(0)) if by_level else np.empty(0, int)
    if sum(bool(np.isfinite(areas).any()) for areas in by_level) >= LEAST_IMAGES:
        shown = slice(present[0], present[-1] + 1)
        areas = [tuple(row[shown].tolist()) if np.isfinite(row).any() else () for row in by_level]
        return Profiles(areas, LEVEL_NAMES[shown])
    return Profiles([_by_part(table) for table in tables])


def _by_level(table: Columns) -> NDArray[np.float64]:
    """Return the mean area of each vertebral level."""
    areas = np.full(len(LEVEL_NAMES), np.nan)
    level, area = table.get(LEVEL_COLUMN, np.empty(0)), table.get("area_mm2", np.empty(0))
    for number in np.unique(level[np.isfinite(level)]).astype(int):
        chosen = area[level == number]
        if np.isfinite(chosen).any():
            areas[number - 1] = np.nanmean(chosen)
    return areas


def _by_part(table: Columns) -> tuple[float, ...]:
    """Return the area in equal parts of the cord between the first and the last slice with a mask.

    Between slices the area is interpolated; parts inside a gap of the mask have none.
    """
    area, height = table.get("area_mm2", np.empty(0)), table.get("z_mm", np.empty(0))
    rows = np.flatnonzero(np.isfinite(area))
    if not len(rows) or len(height) != len(area):
        return ()
    rows = np.arange(rows[0], rows[-1] + 1)
    if height[rows[-1]] > height[rows[0]]:
        rows = rows[::-1]
    at = np.clip((np.arange(PLACES) + 0.5) / PLACES * len(rows) - 0.5, 0, len(rows) - 1)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, len(rows) - 1)
    weight = at - before
    first, second = area[rows[before]], area[rows[after]]
    found = np.where(weight == 0, first, (1 - weight) * first + weight * second)
    return tuple(found.tolist())
