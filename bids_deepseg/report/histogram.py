"""Draw how bright the cord and its surroundings are, as two histograms over one axis."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.grid import AXIS_PA, AXIS_RL
from bids_deepseg.report.cord import CordImage
from bids_deepseg.report.distribution import axis_ticks
from bids_deepseg.report.plots import Tick
from bids_deepseg.report.views import tile_window

#: What counts as surroundings: voxels up to this distance from the mask, in the slice.
AROUND_MM = 4.0
#: Size of the area of the bars in pixels, and number of bars.
WIDTH, HEIGHT = 250.0, 90.0
_BINS = 50
#: Brightness outside these percentiles is counted with the first and the last bar.
_PERCENTILES = (0.2, 99.8)


@dataclass(frozen=True, slots=True)
class Histogram:
    """Two histograms, ready to be written as SVG.

    Attributes
    ----------
    cord, around : str
        Path data of their outlines, closed along the axis.
    ticks : tuple of Tick
        Numbers of the brightness.
    description : str
        What they show, in words.
    """

    cord: str
    around: str
    ticks: tuple[Tick, ...]
    description: str


def draw_histogram(cord: CordImage) -> Histogram | None:
    """Draw the brightness inside the mask and around it; None without mask, or for a picture of one brightness.

    Each histogram is scaled to its own number of voxels, and both to the highest bar.
    """
    inside, around = _collect(cord)
    if not len(inside) or not len(around):
        return None
    low, high = (float(value) for value in np.percentile(np.concatenate([inside, around]), _PERCENTILES))
    if not high > low:
        return None
    edges = np.linspace(low, high, _BINS + 1)
    shares = [np.histogram(np.clip(values, low, high), edges)[0] / len(values) for values in (inside, around)]
    highest = max(float(share.max()) for share in shares)
    paths = [_outline(share / highest) for share in shares]
    scale = WIDTH / (high - low)
    ticks = [Tick((at - low) * scale, f"{at:.6g}") for at in axis_ticks(low, high) if low <= at <= high]
    return Histogram(paths[0], paths[1], tuple(ticks[:: max(1, -(-len(ticks) // 5))]), _describe(inside, around))


def _collect(cord: CordImage) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the brightness of all voxels inside the mask, and of those around it."""
    found: tuple[list[NDArray[np.float32]], list[NDArray[np.float32]]] = ([], [])
    empty = np.empty(0, np.float32)
    if cord.mask is None:
        return empty, empty
    n_i, n_j, _ = cord.data.shape
    for k in np.flatnonzero(cord.mask.any((0, 1))):
        i, j = tile_window(cord, int(k))
        part = np.ix_(i[(i >= 0) & (i < n_i)], j[(j >= 0) & (j < n_j)], [k])
        inside = cord.mask[part][..., 0]
        distance = ndimage.distance_transform_edt(~inside, sampling=(cord.zooms[AXIS_RL], cord.zooms[AXIS_PA]))
        values = cord.data[part][..., 0]
        found[0].append(values[inside])
        found[1].append(values[~inside & (distance <= AROUND_MM)])
    if not found[0]:
        return empty, empty
    return np.concatenate(found[0]), np.concatenate(found[1])


def _outline(heights: NDArray[np.float64]) -> str:
    """Return the outline of bars, as path data with the axis below."""
    x = np.linspace(0, WIDTH, len(heights) + 1)
    y = HEIGHT * (1 - heights)
    steps = "".join(f"V{y[n]:.1f}H{x[n + 1]:.1f}" for n in range(len(heights)))
    return f"M0 {HEIGHT:g}{steps}V{HEIGHT:g}Z"


def _describe(inside: NDArray[np.float32], around: NDArray[np.float32]) -> str:
    """Tell in words what the histograms show."""
    parts = [
        f"{name}: median {np.median(values):.4g}, middle half from {np.percentile(values, 25):.4g} to "
        f"{np.percentile(values, 75):.4g}"
        for name, values in (("Cord", inside), (f"Up to {AROUND_MM:g} mm around it", around))
    ]
    return ". ".join(parts) + "."
