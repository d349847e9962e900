"""Gather what the page shows about one image: views, tiles, plots, facts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bids_deepseg.geometry.grid import AXIS_IS
from bids_deepseg.report.cord import CordImage
from bids_deepseg.report.measures import Measures
from bids_deepseg.report.plots import Curve, Plot, Tick, plot_along, row_runs, row_ticks
from bids_deepseg.report.views import View, axial_view, coronal_view, sagittal_view, spread_slices

#: All slices are shown up to the first number; else one for this length of the cord, within the two numbers.
_TILES = (16, 24)
#: Whole slices of an image without a cord.
_TILES_WITHOUT_CORD = 6
_MM_PER_TILE = 6.0
#: Views along the cord fit into this box of screen pixels.
_VIEW_HEIGHT, _VIEW_WIDTH = 560.0, 205.0
_PIXELS_PER_MM = 5.0


@dataclass(frozen=True, slots=True)
class Tile:
    """One axial slice.

    Attributes
    ----------
    view : View
        Picture.
    number, row : int
        Native number of the slice, and its place counted from superior.
    area : str
        Area with unit, or why there is none.
    warning : str
        Why to look at it; empty if there is no reason.
    alt : str
        What the picture shows, in words.
    level : str
        Vertebral level, empty if it is not known.
    """

    view: View
    number: int
    row: int
    area: str
    warning: str
    alt: str
    level: str


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
    marks : str
        Path data in the coordinates of the views: a short line at the right of each slice to look at.
    """

    sagittal: View
    coronal: View
    scale: float
    plots: tuple[Plot, ...]
    rows: tuple[Tick, ...]
    marks: str


@dataclass(frozen=True, slots=True)
class Figures:
    """All pictures of one image; without a cord ``seen`` they show whole slices."""

    along: Along
    tiles: tuple[Tile, ...]
    seen: bool


def draw_figures(cord: CordImage, measures: Measures, notes: Mapping[int, str], levels: Sequence[str]) -> Figures:
    """Draw all pictures of one image.

    Parameters
    ----------
    cord : CordImage
        Image and results on canonical axes.
    measures : mapping of str to (K,) array
        Measures per canonical slice.
    notes : mapping of int to str
        Native numbers of the slices to look at, and why.
    levels : sequence of str
        Vertebral level of each canonical slice, empty where it is not known.
    """
    slice_of = {int(number): k for k, number in enumerate(cord.numbers)}
    length_mm = float(cord.found.sum()) * cord.zooms[AXIS_IS]
    most = int(np.clip(length_mm / _MM_PER_TILE, *_TILES)) if cord.seen else _TILES_WITHOUT_CORD
    shown = spread_slices(cord, most, [slice_of[number] for number in notes if number in slice_of])
    tiles = tuple(_tile(cord, k, measures, notes.get(int(cord.numbers[k]), ""), levels[k]) for k in shown)
    return Figures(_along(cord, measures, notes, shown, levels), tiles, cord.seen)


def _tile(cord: CordImage, k: int, measures: Measures, warning: str, level: str) -> Tile:
    """Draw one axial slice."""
    number, value = int(cord.numbers[k]), measures["area_mm2"][k]
    if cord.mask is None:
        area, words = "", "no result"
    elif cord.mask[..., k].any():
        area = f"{value:.0f} mm²" if np.isfinite(value) else ""
        words = f"mask outlined, area {area}" if area else "mask outlined"
    else:
        area, words = "" if warning else "no mask", "no mask"
    place = f"{number} at {level}" if level else f"{number}"
    alt = f"Axial slice {place}, {words}" + (f"; look at it: {warning}" if warning else "")
    return Tile(axial_view(cord, k), number, len(cord.numbers) - 1 - k, area, warning, alt, level)


def _along(
    cord: CordImage, measures: Measures, notes: Mapping[int, str], shown: list[int], levels: Sequence[str]
) -> Along:
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
        told = [(numbers.index(number), f"slice {number}: {text}") for number, text in sorted(notes.items())]
        down = {name: values[downwards] for name, values in measures.items()}
        plots = tuple(_plots(down, height, rows, told, levels[downwards]))
    at = [row for row, number in enumerate(numbers) if int(number) in notes]
    marks = "".join(f"M{sagittal.columns} {row + 0.5:g}h-{sagittal.columns / 12:.3g}" for row in at)
    return Along(sagittal, coronal, scale, plots, rows, marks)


def _plots(
    measures: Measures, height: float, rows: tuple[Tick, ...], notes: list[tuple[int, str]], levels: Sequence[str]
) -> list[Plot]:
    """Lay out area and diameters; measures are superior first."""
    plots = []
    areas = [Curve("area perpendicular to the cord", measures["area_mm2"], "main")]
    if "area_uncorrected_mm2" in measures:
        areas.append(Curve("area in the slice", measures["area_uncorrected_mm2"], "second"))
    area = plot_along("Area along the cord", "Area (mm²)", areas, size=(190.0, height), rows=rows, notes=notes)
    present = np.flatnonzero(np.isfinite(measures["area_mm2"]))
    holes = np.isnan(measures["area_mm2"][present[0] : present[-1]]) if len(present) else np.empty(0, bool)
    gaps = row_runs(
        ["gap" if hole else "" for hole in holes], len(levels), height, first=int(present[0]) if len(present) else 0
    )
    plots.append(replace(area, gaps=gaps, levels=row_runs(levels, len(levels), height)))
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
