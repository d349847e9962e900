"""Draw measures along the cord: slices run from top to bottom, as in the views of the cord beside the plot."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.report.figures import line_paths, nice_ticks


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One measure.

    Attributes
    ----------
    name : str
        What it is.
    values : (K,) float array
        One a slice, superior first; NaN where there is none.
    style : str
        Class of the line: ``main``, ``second``.
    """

    name: str
    values: NDArray[np.float64]
    style: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A slice to look at: its place in the plot and the reason."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A number on an axis: its place and its text."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Band:
    """Neighbouring slices that share something: where they begin and end, and what it is."""

    begin: float
    end: float
    text: str

    @property
    def middle(self) -> float:
        """Its middle."""
        return (self.begin + self.end) / 2


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot, ready to be written as SVG.

    Attributes
    ----------
    title, description : str
        For readers who cannot see it.
    axis : str
        Name and unit of the measure.
    width, height : float
        Size of the area of the curves.
    lines : tuple of (str, str, str)
        Path data, class and name of each curve.
    ticks, rows : tuple of Tick
        Numbers of the measure, and of the slices.
    marks : tuple of Mark
        Slices to look at.
    gaps, levels : tuple of Band
        Parts of the cord without mask, and vertebral levels.
    """

    title: str
    description: str
    axis: str
    width: float
    height: float
    lines: tuple[tuple[str, str, str], ...]
    ticks: tuple[Tick, ...]
    rows: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    gaps: tuple[Band, ...] = ()
    levels: tuple[Band, ...] = ()


def plot_along(
    title: str,
    axis: str,
    curves: Sequence[Curve],
    *,
    size: tuple[float, float],
    rows: tuple[Tick, ...] = (),
    notes: Sequence[tuple[int, str]] = (),
) -> Plot:
    """Lay out curves over the slices.

    Parameters
    ----------
    title, axis : str
        Heading, and name of the measure with its unit.
    curves : sequence of Curve
        Equally many values each.
    size : (float, float)
        Width and height of the area of the curves.
    rows : tuple of Tick
        Numbers of slices to be written.
    notes : sequence of (int, str)
        Row and reason of the slices to look at.
    """
    width, height = size
    n_rows = len(curves[0].values)
    highest = max((float(np.nanmax(c.values)) for c in curves if np.isfinite(c.values).any()), default=1.0)
    ticks = nice_ticks(highest * 1.05)
    scale = width / ticks[-1]
    y = row_positions(n_rows, height)
    lines = tuple((line_paths(c.values * scale, y), c.style, c.name) for c in curves)
    first = np.where(np.isfinite(curves[0].values), curves[0].values, 0.0) * scale
    marks = tuple(Mark(float(first[row]), float(y[row]), text) for row, text in notes)
    return Plot(
        title,
        _describe(curves, axis, notes),
        axis,
        width,
        height,
        lines,
        tuple(Tick(tick * scale, f"{tick:g}") for tick in ticks),
        rows,
        marks,
    )


def row_positions(n_rows: int, height: float) -> NDArray[np.float64]:
    """Return the middle of each row over a total ``height``."""
    return (np.arange(n_rows) + 0.5) / n_rows * height


def row_ticks(rows: Sequence[int], numbers: Sequence[int], n_rows: int, height: float) -> tuple[Tick, ...]:
    """Return the numbers of the given rows, leaving out those that would touch the one above."""
    y = row_positions(n_rows, height)
    ticks: list[Tick] = []
    for row in sorted(rows):
        if not ticks or y[row] - ticks[-1].at >= 11:
            ticks.append(Tick(float(y[row]), str(numbers[row])))
    return tuple(ticks)


def row_runs(texts: Sequence[str], n_rows: int, height: float, *, first: int = 0) -> tuple[Band, ...]:
    """Return the runs of rows with the same text, but for the empty one.

    Parameters
    ----------
    texts : sequence of str
        One a row.
    n_rows : int
        Rows of the plot.
    height : float
        Height of the plot.
    first : int, optional
        Row of the first text.
    """
    runs, row = [], first
    for text, same in groupby(texts):
        begin, row = row, row + len(list(same))
        if text:
            runs.append(Band(begin / n_rows * height, row / n_rows * height, text))
    return tuple(runs)


def _describe(curves: Sequence[Curve], axis: str, notes: Sequence[tuple[int, str]]) -> str:
    """Tell in words what the plot shows."""
    parts = []
    for curve in curves:
        finite = curve.values[np.isfinite(curve.values)]
        if len(finite):
            parts.append(f"{curve.name}: {finite.min():.3g} to {finite.max():.3g}, mean {finite.mean():.3g}")
    look = f" {len(notes)} slices to look at." if notes else ""
    return f"{axis}, from superior at the top to inferior at the bottom. {'; '.join(parts) or 'No values'}.{look}"
