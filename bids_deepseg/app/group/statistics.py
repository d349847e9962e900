"""Compare the mean areas of images: outliers within a kind of image, and differences between repeated images.

Terms: a *kind* is a value of the entity ``desc``. Results with the verdict ``fail`` are compared with the others, but
count neither as reference nor as repetition.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.derivatives.saved import SavedResult
from bids_deepseg.bids.derivatives.saved_values import Columns
from bids_deepseg.bids.source.vertebrae import LEVEL_COLUMN, LEVEL_NAMES
from bids_deepseg.report import along_cord
from bids_deepseg.report.group_facts import Pair

#: Robust z-score from which an image is an outlier (Iglewicz and Hoaglin 1993, "How to detect and handle outliers").
OUTLIER_SCORE = 3.5

#: Fewer images say nothing about what is usual.
LEAST_IMAGES = 5

#: Median and mean absolute deviation of a normal distribution of standard deviation 1.
_MEDIAN_DEVIATION = 0.6745
_MEAN_DEVIATION = 0.7979


@dataclass(frozen=True, slots=True)
class Reference:
    """What is usual among the images of one kind.

    Attributes
    ----------
    n_images : int
        Images that are used.
    median_mm2 : float
        Median of their mean areas, NaN without image.
    spread_mm2 : float
        Robust estimate of the standard deviation, NaN if there are too few images, or if all are the same.
    """

    n_images: int
    median_mm2: float
    spread_mm2: float

    def score(self, area_mm2: float) -> float:
        """Return the robust z-score of a mean area, NaN if it is not known."""
        return (area_mm2 - self.median_mm2) / self.spread_mm2


def find_references(results: Sequence[SavedResult]) -> dict[str, Reference]:
    """Find for each kind of image what is usual.

    Returns
    -------
    dict of str to Reference
        Sorted by kind.
    """
    kinds = sorted({result.description for result in results})
    return {
        kind: _reference([result.csa_mean for result in results if result.description == kind and _is_usable(result)])
        for kind in kinds
    }


def is_outlier(score: float) -> bool:
    """Return whether a robust z-score is that of an outlier; an unknown one is not."""
    return abs(score) >= OUTLIER_SCORE


def find_repetitions(results: Sequence[SavedResult]) -> list[Pair]:
    """Find all pairs of results whose names differ in the run alone, or in the session alone."""
    usable = sorted((result for result in results if _is_usable(result)), key=lambda r: (_family(r), _position(r)))
    return [pair for _, family in groupby(usable, _family) for pair in _pairs(list(family))]


def within_variation(pairs: Sequence[Pair]) -> float:
    """Return the coefficient of variation within participants in percent, NaN without pairs.

    Two measurements of a quantity with the standard deviation s differ by s * sqrt(2) on average (root mean square).
    """
    if not pairs:
        return math.nan
    return float(np.sqrt(np.mean([pair.percent**2 / 2 for pair in pairs])))


def _reference(areas: Sequence[float]) -> Reference:
    """Return median and spread; where more than half of the values are the same, the mean deviation is the spread."""
    if not areas:
        return Reference(0, math.nan, math.nan)
    median = float(np.median(areas))
    deviations = np.abs(np.asarray(areas) - median)
    spread = float(np.median(deviations)) / _MEDIAN_DEVIATION or float(deviations.mean()) / _MEAN_DEVIATION
    enough = len(areas) >= LEAST_IMAGES and spread > 0
    return Reference(len(areas), median, spread if enough else math.nan)


def _is_usable(result: SavedResult) -> bool:
    """Return whether a result says something about the cord."""
    return result.verdict != "fail" and math.isfinite(result.csa_mean) and result.csa_mean > 0


def _family(result: SavedResult) -> tuple[tuple[str, str], ...]:
    """Return everything in the name but session and run."""
    return tuple(sorted((key, value) for key, value in result.entities.items() if key not in ("ses", "run")))


def _position(result: SavedResult) -> tuple[str, int, str]:
    """Return the key that brings sessions and runs in order, numbers by value."""
    run = result.entities.get("run", "")
    return result.session or "", int(run) if run.isdecimal() else 0, run


def _pairs(family: Sequence[SavedResult]) -> Iterator[Pair]:
    """Yield the pairs of one family that differ in one entity."""
    for first, second in combinations(family, 2):
        same_session = first.session == second.session
        same_run = first.entities.get("run") == second.entities.get("run")
        if same_session != same_run:
            yield _pair(first, second, "run" if same_session else "session")


def _pair(first: SavedResult, second: SavedResult, between: str) -> Pair:
    """Return two results in the order of their sessions or runs, with the difference in percent of their mean."""
    one, two = first.csa_mean, second.csa_mean
    percent = 200.0 * (two - one) / (one + two)
    return Pair(first.subject, first.description, between, first.source, second.source, one, two, percent)


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
    """Find the areas along the cord of the images of one kind: by vertebral level where enough images have levels."""
    tables = [result.morph() for result in results]
    by_level = [_by_level(table) for table in tables]
    present = np.flatnonzero(np.isfinite(by_level).any(0)) if by_level else np.empty(0, int)
    if sum(bool(np.isfinite(areas).any()) for areas in by_level) >= along_cord.LEAST_IMAGES:
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
    at = np.clip((np.arange(along_cord.PLACES) + 0.5) / along_cord.PLACES * len(rows) - 0.5, 0, len(rows) - 1)
    before = np.floor(at).astype(int)
    after = np.minimum(before + 1, len(rows) - 1)
    weight = at - before
    first, second = area[rows[before]], area[rows[after]]
    found = np.where(weight == 0, first, (1 - weight) * first + weight * second)
    return tuple(found.tolist())
