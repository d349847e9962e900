"""Lay out how a measure is distributed, as SVG: one strip per group, readable with ten values and with ten thousand.

A strip shows the shape of the distribution, a box with the middle half and the median, and whiskers from the 5th to the
95th percentile. Single images are drawn where they are few, or where they stand out.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Width of the area of the strips, height of one strip, and diameter of a dot, in pixels.
WIDTH = 640.0
_STRIP = 50.0
_DOT = 7.0

_MOST_TICKS = 8

#: Groups of more values show only those that stand out as dots, and no more than this.
MOST_DOTS = 60

#: From this many values on a shape is drawn.
_LEAST_FOR_SHAPE = 12
_BINS = 80
#: Half height of a shape at its highest place, as a part of the strip.
_SHAPE = 0.42

#: The axis goes no farther from the bulk (1st to 99th percentile) than the bulk is wide, so that one wrong mask does
#: not push all others together; what lies beyond is drawn at the edge.
_BULK = (1.0, 99.0)


@dataclass(frozen=True, slots=True)
class Dot:
    """One image: its place, its name with the value, and its class (``plain``, ``outlier`` or ``unused``)."""

    x: float
    y: float
    text: str
    style: str


@dataclass(frozen=True, slots=True)
class Box:
    """Places of the 5th, 25th, 50th, 75th and 95th percentile."""

    low: float
    begin: float
    median: float
    end: float
    high: float


@dataclass(frozen=True, slots=True)
class Strip:
    """One group.

    Attributes
    ----------
    name : str
        What is beside it.
    n_values : int
        Number of images.
    description : str
        The strip in words.
    middle : float
        Its height in the plot.
    dots : tuple of Dot
        Images that are drawn.
    box : Box or None
        None if no image counts.
    shape : str
        Outline of the distribution, SVG path data; empty for few images.
    usual : (float, float) or None
        Begin and end of the range without outliers.
    """

    name: str
    n_values: int
    description: str
    middle: float
    dots: tuple[Dot, ...]
    box: Box | None
    shape: str
    usual: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Distribution:
    """The plot, ready to be written as SVG."""

    width: float
    height: float
    strip: float
    strips: tuple[Strip, ...]
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Values:
    """What is drawn of one group.

    Attributes
    ----------
    name : str
        Group.
    points : sequence of (float, str, str)
        Value, text and class of each image; ``unused`` ones do not count for box and shape.
    usual : (float, float) or None
        Range without outliers.
    """

    name: str
    points: Sequence[tuple[float, str, str]]
    usual: tuple[float, float] | None = None

    @property
    def counted(self) -> NDArray[np.float64]:
        """The values that count."""
        return np.array([value for value, _, style in self.points if style != "unused"])


def plot_distribution(groups: Sequence[Values]) -> Distribution | None:
    """Lay out the strips, one below the other over one axis.

    Parameters
    ----------
    groups : sequence of Values
        Groups of images.

    Returns
    -------
    Distribution or None
        None if there is no value at all.
    """
    groups = [group for group in groups if group.points]
    if not groups:
        return None
    ticks = axis_ticks(*_range(groups))
    axis = _Axis(ticks[0], ticks[-1])
    strips = tuple(_strip(group, (index + 0.5) * _STRIP, axis) for index, group in enumerate(groups))
    marks = tuple((axis.place(tick), f"{tick:g}") for tick in ticks)
    return Distribution(WIDTH, _STRIP * len(strips), _STRIP, strips, marks)


def axis_ticks(lowest: float, highest: float) -> list[float]:
    """Return round numbers in equal steps from below the lowest to above the highest value.

    Parameters
    ----------
    lowest, highest : float
        Range of the values; it may be empty.
    """
    span = max(highest - lowest, 1e-3 * abs(highest), 1e-6)
    step = 10.0 ** math.floor(math.log10(span / _MOST_TICKS))
    step *= next(factor for factor in (1, 2, 5, 10, 20) if step * factor * (_MOST_TICKS - 2) >= span)
    first, last = math.floor(lowest / step), math.ceil(highest / step)
    return [round(number * step, 9) for number in range(first, max(last, first + 1) + 1)]


@dataclass(frozen=True, slots=True)
class _Axis:
    """Where values lie in the plot; those beyond it lie at its edge."""

    low: float
    high: float

    def place(self, value: float) -> float:
        """Return the place of a value."""
        return max(0.0, min(WIDTH, (value - self.low) / (self.high - self.low) * WIDTH))


def _range(groups: Sequence[Values]) -> tuple[float, float]:
    """Return the values between which the axis goes."""
    values = np.array([value for group in groups for value, _, _ in group.points])
    counted = np.concatenate([group.counted for group in groups])
    low, high = (float(end) for end in np.percentile(counted if len(counted) else values, _BULK))
    span = max(high - low, 0.05 * abs(high))
    return max(float(values.min()), low - span), min(float(values.max()), high + span)


def _strip(group: Values, middle: float, axis: _Axis) -> Strip:
    """Lay out one strip."""
    values = group.counted
    box = Box(*(axis.place(float(at)) for at in np.percentile(values, (5, 25, 50, 75, 95)))) if len(values) else None
    shape = _shape(np.array([axis.place(value) for value in values]), middle)
    usual = None if group.usual is None else (axis.place(group.usual[0]), axis.place(group.usual[1]))
    dots = tuple(_dots(group, middle, axis))
    return Strip(group.name, len(group.points), _describe(group), middle, dots, box, shape, usual)


def _dots(group: Values, middle: float, axis: _Axis) -> list[Dot]:
    """Lay out single images: dots with almost the same value stand above and below each other."""
    points = sorted(group.points)
    if len(points) > MOST_DOTS:
        centre = float(np.median(group.counted)) if len(group.counted) else 0.0
        odd = sorted((point for point in points if point[2] != "plain"), key=lambda point: -abs(point[0] - centre))
        points = sorted(odd[:MOST_DOTS])
    columns = [round(axis.place(value) / _DOT) for value, _, _ in points]
    counts = Counter(columns)
    seen: Counter[int] = Counter()
    dots = []
    for (value, text, style), column in zip(points, columns, strict=True):
        step = min(_DOT, (_STRIP - 1.5 * _DOT) / counts[column])
        y = middle + (seen[column] - (counts[column] - 1) / 2) * step
        seen[column] += 1
        dots.append(Dot(axis.place(value), y, text, style))
    return dots


def _shape(places: NDArray[np.float64], middle: float) -> str:
    """Return the outline of the density of places, mirrored at the middle of the strip."""
    if len(places) < _LEAST_FOR_SHAPE:
        return ""
    counts, edges = np.histogram(places, _BINS, (0.0, WIDTH))
    if not counts.any():
        return ""
    # Silverman's rule (1986), on the smaller of standard deviation and interquartile range / 1.34.
    spread = min(float(places.std()), float(np.subtract(*np.percentile(places, (75, 25)))) / 1.34) or float(
        places.std()
    )
    width = max(1.0, 0.9 * spread * len(places) ** -0.2 / (WIDTH / _BINS))
    offsets = np.arange(-_BINS, _BINS + 1)
    kernel = np.exp(-0.5 * (offsets / width) ** 2)
    density = np.convolve(counts, kernel)[_BINS : 2 * _BINS]
    heights = density / density.max() * _SHAPE * _STRIP
    kept = np.flatnonzero(heights > 0.3)
    kept = np.arange(kept[0], kept[-1] + 1)
    x = (edges[:-1] + edges[1:])[kept] / 2
    upper = [f"{a:.0f} {middle - h:.1f}" for a, h in zip(x, heights[kept], strict=True)]
    lower = [f"{a:.0f} {middle + h:.1f}" for a, h in zip(x, heights[kept], strict=True)]
    return "M" + "L".join(upper + lower[::-1]) + "Z"


def _describe(group: Values) -> str:
    """Tell a strip in words."""
    values = [value for value, _, _ in group.points]
    n_outliers = sum(style == "outlier" for _, _, style in group.points)
    median = f", median {np.median(group.counted):.1f}" if len(group.counted) else ""
    return f"{group.name}: {len(values)} from {min(values):.1f} to {max(values):.1f}{median}, {n_outliers} outliers"
