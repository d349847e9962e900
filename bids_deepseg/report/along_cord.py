"""Lay out the area along the cord of many images, as SVG: the band of the cohort, and those that leave it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.report.distribution import axis_ticks
from bids_deepseg.report.figures import line_paths

#: Size of the area of the curves in pixels.
WIDTH, HEIGHT = 640.0, 220.0

#: The band is drawn from this many images on.
LEAST_IMAGES = 5

#: Places into which the cord is cut where there are no vertebral levels.
PLACES = 20

#: Curves of single images that are drawn at most.
_MOST_CURVES = 8


@dataclass(frozen=True, slots=True)
class Profile:
    """One image: its name, its areas at the places from superior to inferior (NaN where unknown), and its class.

    The class is ``plain`` or ``outlier``.
    """

    text: str
    areas: Sequence[float]
    style: str


@dataclass(frozen=True, slots=True)
class Band:
    """The plot of one kind of image, ready to be written as SVG.

    Attributes
    ----------
    kind : str
        Kind of image.
    n_images : int
        Images that make the band.
    by_level : bool
        Whether places are vertebral levels; else they are equal parts of the cord that has a mask.
    description : str
        The plot in words.
    band, median : str
        Path data of the range from the 5th to the 95th percentile, and of the median.
    curves : tuple of (str, str)
        Path data and name of outliers, the farthest first.
    columns, rows : tuple of (float, str)
        Places and texts of the numbers on the axes.
    low, high : float
        Areas at the bottom and at the top.
    n_places : int
        Places along the cord.
    """

    kind: str
    n_images: int
    by_level: bool
    description: str
    band: str
    median: str
    curves: tuple[tuple[str, str], ...]
    columns: tuple[tuple[float, str], ...]
    rows: tuple[tuple[float, str], ...]
    low: float
    high: float
    n_places: int


def plot_band(kind: str, profiles: Sequence[Profile], levels: Sequence[str] = ()) -> Band | None:
    """Lay out the areas along the cord of one kind of image.

    Parameters
    ----------
    kind : str
        Kind of image.
    profiles : sequence of Profile
        Images that may be used, the farthest outliers first.
    levels : sequence of str, optional
        Names of the places, if they are vertebral levels.

    Returns
    -------
    Band or None
        None if there are fewer than :data:`LEAST_IMAGES` images.
    """
    if len(profiles) < LEAST_IMAGES:
        return None
    areas = np.array([profile.areas for profile in profiles], float)
    known = np.isfinite(areas).sum(0) >= LEAST_IMAGES
    if not known.any():
        return None
    low, median, high = np.full((3, areas.shape[1]), np.nan)
    low[known], median[known], high[known] = np.nanpercentile(areas[:, known], (5, 50, 95), axis=0)
    shown = [profile for profile in profiles if profile.style == "outlier"][:_MOST_CURVES]
    drawn = np.concatenate([low, high, *(np.asarray(profile.areas, float) for profile in shown)])
    ticks = axis_ticks(float(np.nanmin(drawn)), float(np.nanmax(drawn)))
    frame = _Frame(ticks[0], ticks[-1], areas.shape[1])
    return Band(
        kind,
        len(profiles),
        bool(levels),
        _describe(kind, len(profiles), median, levels),
        frame.band(low, high),
        frame.line(median),
        tuple((frame.line(np.asarray(profile.areas, float)), profile.text) for profile in shown),
        frame.columns(levels),
        tuple((frame.height(tick), f"{tick:g}") for tick in ticks),
        ticks[0],
        ticks[-1],
        areas.shape[1],
    )


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where areas and places lie in the plot."""

    low: float
    high: float
    n_places: int

    def height(self, area: float) -> float:
        """Return where an area lies."""
        return (self.high - area) / (self.high - self.low) * HEIGHT

    @property
    def x(self) -> NDArray[np.float64]:
        """The middles of all places."""
        return (np.arange(self.n_places) + 0.5) / self.n_places * WIDTH

    def line(self, areas: NDArray[np.float64]) -> str:
        """Return the path of a curve, interrupted where it is not known."""
        y = (self.high - areas) / (self.high - self.low) * HEIGHT
        return line_paths(np.where(np.isfinite(y), self.x, np.nan), y)

    def band(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> str:
        """Return the path around the range between two curves, a closed one for each stretch without gap."""
        known = np.flatnonzero(np.isfinite(low))
        path = ""
        for part in np.split(known, np.flatnonzero(np.diff(known) > 1) + 1):
            # A place alone is as wide as a place, not a line without width.
            x = self.x[part] if len(part) > 1 else self.x[part[0]] + np.array([-0.5, 0.5]) * WIDTH / self.n_places
            upper, lower = (np.broadcast_to(edge[part], x.shape) for edge in (high, low))
            corners = [f"{a:.1f} {self.height(b):.1f}" for a, b in zip(x, upper, strict=True)]
            corners += [f"{a:.1f} {self.height(b):.1f}" for a, b in zip(x[::-1], lower[::-1], strict=True)]
            path += "M" + "L".join(corners) + "Z"
        return path

    def columns(self, levels: Sequence[str]) -> tuple[tuple[float, str], ...]:
        """Return places and texts of the numbers along the cord."""
        if levels:
            return tuple(zip(self.x.tolist(), levels, strict=True))
        return tuple((part / 4 * WIDTH, f"{25 * part} %") for part in range(5))


def _describe(kind: str, n_images: int, median: NDArray[np.float64], levels: Sequence[str]) -> str:
    """Tell the plot in words."""
    known = np.flatnonzero(np.isfinite(median))
    ends = (known[0], known[-1])
    names = [levels[end] if levels else f"{100 * (end + 0.5) / len(median):.0f} %" for end in ends]
    areas = [f"{median[end]:.1f} mm² at {name}" for end, name in zip(ends, names, strict=True)]
    return f"{kind}: {n_images} images, median area from {areas[0]} to {areas[1]}"
