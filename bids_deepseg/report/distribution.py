"""Lay out how a measure is distributed: one strip per kind of image, one dot per image, as SVG."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

#: Size of the area of the dots, height of one strip, and diameter of a dot, in pixels.
WIDTH = 640.0
_STRIP = 56.0
_DOT = 7.0

_MOST_TICKS = 8


@dataclass(frozen=True, slots=True)
class Dot:
    """One image: its place, its name with the value, and its class (``plain``, ``outlier`` or ``unused``)."""

    x: float
    y: float
    text: str
    style: str


@dataclass(frozen=True, slots=True)
class Strip:
    """One kind of image.

    Attributes
    ----------
    name : str
        What is beside it.
    description : str
        The strip in words.
    middle : float
        Its height in the plot.
    dots : tuple of Dot
        The images.
    median : float or None
        Place of the median.
    usual : (float, float) or None
        Begin and end of the range without outliers.
    """

    name: str
    description: str
    middle: float
    dots: tuple[Dot, ...]
    median: float | None
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
    """What is drawn of one kind of image.

    Attributes
    ----------
    name : str
        Kind.
    points : sequence of (float, str, str)
        Value, text and class of each image.
    median, limit : float
        Median, and distance from it from which an image is an outlier; NaN if unknown.
    """

    name: str
    points: Sequence[tuple[float, str, str]]
    median: float
    limit: float


def plot_distribution(groups: Sequence[Values]) -> Distribution | None:
    """Lay out the strips, one below the other over one axis.

    Parameters
    ----------
    groups : sequence of Values
        Kinds of images.

    Returns
    -------
    Distribution or None
        None if there is no value at all.
    """
    values = [value for group in groups for value, _, _ in group.points]
    if not values:
        return None
    ticks = axis_ticks(min(values), max(values))
    low, high = ticks[0], ticks[-1]
    scale = WIDTH / (high - low)
    strips = tuple(
        _strip(group, (index + 0.5) * _STRIP, low, scale) for index, group in enumerate(groups) if group.points
    )
    return Distribution(
        WIDTH, _STRIP * len(strips), _STRIP, strips, tuple(((tick - low) * scale, f"{tick:g}") for tick in ticks)
    )


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


def _strip(group: Values, middle: float, low: float, scale: float) -> Strip:
    """Lay out one strip: dots with almost the same value stand above and below each other."""
    columns = [round((value - low) * scale / _DOT) for value, _, _ in group.points]
    counts = Counter(columns)
    seen: Counter[int] = Counter()
    dots = []
    for (value, text, style), column in sorted(zip(group.points, columns, strict=True), key=lambda item: item[0]):
        step = min(_DOT, (_STRIP - 1.5 * _DOT) / counts[column])
        y = middle + (seen[column] - (counts[column] - 1) / 2) * step
        seen[column] += 1
        dots.append(Dot((value - low) * scale, y, text, style))
    usual = None
    if math.isfinite(group.limit):
        ends = (max(0.0, min(WIDTH, (group.median + sign * group.limit - low) * scale)) for sign in (-1, 1))
        usual = (next(ends), next(ends))
    median = (group.median - low) * scale if math.isfinite(group.median) else None
    return Strip(group.name, _describe(group), middle, tuple(dots), median, usual)


def _describe(group: Values) -> str:
    """Tell a strip in words."""
    values = [value for value, _, _ in group.points]
    n_outliers = sum(style == "outlier" for _, _, style in group.points)
    median = f", median {group.median:.1f}" if math.isfinite(group.median) else ""
    return f"{group.name}: {len(values)} from {min(values):.1f} to {max(values):.1f}{median}, {n_outliers} outliers"
