"""Bring the measures of an image into the order of the slices on canonical axes."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import AXIS_PA, AXIS_RL
from bids_deepseg.report.cord import CordImage

#: Measures by name, one number a slice, NaN where there is none.
Measures = Mapping[str, NDArray[np.float64]]


def by_slice(morph: Measures, cord: CordImage) -> Measures:
    """Return the measures by canonical slice; without a table, the areas of the mask.

    Parameters
    ----------
    morph : mapping of str to (K,) array
        Measures per native slice; may be empty.
    cord : CordImage
        Image and results on canonical axes.
    """
    measures: dict[str, NDArray[np.float64]] = {}
    if "slice" in morph:
        row_of = {int(number): row for row, number in enumerate(morph["slice"])}
        rows = np.array([row_of.get(int(number), -1) for number in cord.numbers])
        for name, values in morph.items():
            if name != "slice":
                measures[name] = np.where(rows >= 0, np.asarray(values, float)[rows], np.nan)
    if "area_mm2" not in measures:
        measures["area_mm2"] = _voxel_areas(cord)
    return measures


def _voxel_areas(cord: CordImage) -> NDArray[np.float64]:
    """Return the area of the mask in each slice, not corrected for the angle; NaN without mask."""
    if cord.mask is None:
        return np.full(len(cord.numbers), np.nan)
    counts = cord.mask.sum((0, 1)) * cord.zooms[AXIS_RL] * cord.zooms[AXIS_PA]
    return np.where(counts > 0, counts, np.nan)


def levels_of(measures: Measures, names: Sequence[str]) -> list[str]:
    """Return the name of the vertebral level of each slice, empty where none is known.

    Parameters
    ----------
    measures : mapping of str to (K,) array
        Measures per slice; the column ``vertebral_level`` counts from 1.
    names : sequence of str
        Names of the levels.
    """
    numbers = measures.get("vertebral_level", np.full(len(measures["area_mm2"]), np.nan))
    with np.errstate(invalid="ignore"):
        known = np.isfinite(numbers) & (numbers >= 1) & (numbers <= len(names))
    return [names[int(number) - 1] if there else "" for number, there in zip(numbers, known, strict=True)]


def mean_area_mm2(measures: Measures) -> float | None:
    """Return the mean area over the slices with a mask, None without any."""
    area = measures["area_mm2"]
    present = area[np.isfinite(area)]
    return float(present.mean()) if len(present) else None
