"""Gather what the page shows about one image: views, tiles, plots, facts."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import AXIS_IS, AXIS_PA, AXIS_RL
from bids_deepseg.judge.flags import slices_to_look_at
from bids_deepseg.report.plots import Curve, Plot, Tick, plot_along, row_ticks
from bids_deepseg.report.views import (
    CordImage,
    View,
    axial_view,
    coronal_view,
    sagittal_view,
    spread_slices,
)

#: All slices are shown up to the first number; else one for this length of the cord, within the two numbers.
_TILES = (16, 24)
#: Whole slices of an image without a cord.
_TILES_WITHOUT_CORD = 6
_MM_PER_TILE = 6.0
#: Views along the cord fit into this box of screen pixels.
_VIEW_HEIGHT, _VIEW_WIDTH = 560.0, 205.0
_PIXELS_PER_MM = 5.0

Morph = Mapping[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Tile:
    """One axial slice.

    Attributes
    ----------
    view : View
        Picture.
    number : int
        Native number of the slice.
    area : str
        Area with unit, or why there is none.
    warning : str
        Why to look at it; empty if there is no reason.
    alt : str
        What the picture shows, in words.
    """

    view: View
    number: int
    area: str
    warning: str
    alt: str


@dataclass(frozen=True, slots=True)
class Along:
    """Views along the cord and plots beside them, of one height on the screen.

    Attributes
    ----------
    sagittal, coronal : View
        Pictures.
    scale : float
        Screen pixels a mm.
    plots : tuple of Plot
        Measures; empty where there are none.
    rows : tuple of Tick
        Heights and numbers of the slices that are shown as tiles.
    """

    sagittal: View
    coronal: View
    scale: float
    plots: tuple[Plot, ...]
    rows: tuple[Tick, ...]


@dataclass(frozen=True, slots=True)
class Figures:
    """All pictures of one image; without a cord ``seen`` they show whole slices."""

    along: Along
    tiles: tuple[Tile, ...]
    seen: bool


def draw_figures(cord: CordImage, morph: Morph) -> Figures:
    """Draw all pictures of one image.

    Parameters
    ----------
    cord : CordImage
        Image and results on canonical axes.
    morph : mapping of str to (K,) array
        Measures per native slice; may be empty.
    """
    thickness_mm = cord.zooms[AXIS_IS]
    measures = _by_slice(morph, cord)
    order = np.argsort(cord.numbers)
    flags = slices_to_look_at(
        {name: values[order] for name, values in measures.items()} | {"slice": np.sort(cord.numbers)}, thickness_mm
    )
    flags = flags if cord.mask is not None else {}
    slice_of = {int(number): k for k, number in enumerate(cord.numbers)}
    length_mm = float(cord.found.sum()) * thickness_mm
    most = int(np.clip(length_mm / _MM_PER_TILE, *_TILES)) if cord.seen else _TILES_WITHOUT_CORD
    shown = spread_slices(cord, most, [slice_of[number] for number in flags if number in slice_of])
    tiles = tuple(_tile(cord, k, measures, flags.get(int(cord.numbers[k]), "")) for k in shown)
    return Figures(_along(cord, measures, flags, shown), tiles, cord.seen)


def _by_slice(morph: Morph, cord: CordImage) -> dict[str, NDArray[np.float64]]:
    """Return the measures by canonical slice; without a table, the areas of the mask."""
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


def _tile(cord: CordImage, k: int, measures: Morph, warning: str) -> Tile:
    """Draw one axial slice."""
    number, value = int(cord.numbers[k]), measures["area_mm2"][k]
    if cord.mask is None:
        area, words = "", "no result"
    elif cord.mask[..., k].any():
        area = f"{value:.0f} mm²" if np.isfinite(value) else ""
        words = f"mask outlined, area {area}" if area else "mask outlined"
    else:
        area, words = "" if warning else "no mask", "no mask"
    alt = f"Axial slice {number}, {words}" + (f"; look at it: {warning}" if warning else "")
    return Tile(axial_view(cord, k), number, area, warning, alt)


def _along(cord: CordImage, measures: Morph, flags: Mapping[int, str], shown: list[int]) -> Along:
    """Draw the views along the cord and the plots, all of one height."""
    sagittal, coronal = sagittal_view(cord), coronal_view(cord)
    widest = max(sagittal.width_mm, coronal.width_mm)
    scale = min(_PIXELS_PER_MM, _VIEW_HEIGHT / sagittal.height_mm, _VIEW_WIDTH / widest)
    n_slices, height = len(cord.numbers), scale * sagittal.height_mm
    downwards = slice(None, None, -1)
    numbers = cord.numbers[downwards].tolist()
    rows = row_ticks([n_slices - 1 - k for k in shown], numbers, n_slices, height)
    plots: tuple[Plot, ...] = ()
    if cord.mask is not None:
        notes = [(numbers.index(number), f"slice {number}: {text}") for number, text in sorted(flags.items())]
        down = {name: values[downwards] for name, values in measures.items()}
        plots = tuple(_plots(down, height, rows, notes))
    return Along(sagittal, coronal, scale, plots, rows)


def _plots(measures: Morph, height: float, rows: tuple[Tick, ...], notes: list[tuple[int, str]]) -> list[Plot]:
    """Lay out area and diameters; measures are superior first."""
    plots = []
    areas = [Curve("area perpendicular to the cord", measures["area_mm2"], "main")]
    if "area_uncorrected_mm2" in measures:
        areas.append(Curve("area in the slice", measures["area_uncorrected_mm2"], "second"))
    plots.append(plot_along("Area along the cord", "Area (mm²)", areas, size=(190.0, height), rows=rows, notes=notes))
    diameters = [
        Curve(name, measures[column], style)
        for name, column, style in (
            ("right-left diameter", "diameter_rl_mm", "main"),
            ("anterior-posterior diameter", "diameter_ap_mm", "second"),
        )
        if column in measures
    ]
    if diameters:
        plots.append(plot_along("Diameters along the cord", "Diameter (mm)", diameters, size=(120.0, height)))
    return plots


def mean_area_mm2(cord: CordImage, morph: Morph) -> float:
    """Return the mean area over the slices with a mask, NaN without any."""
    area = _by_slice(morph, cord)["area_mm2"]
    present = area[np.isfinite(area)]
    return float(present.mean()) if len(present) else float("nan")
