"""Trace the cord through the heatmap and decide in which slices there is a cord.

The path is the global optimum over all slices (:mod:`bids_deepseg.stages.optic`). Slices at its ends, where the
evidence speaks against a cord (brain, below the conus, outside the body), are cut: the range of slices is the one
with the largest sum of evidence, so that a few weak slices inside the cord do not end it, and a few strong ones
beyond its end do not prolong it.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.findings import Measured
from bids_deepseg.stages.heatmap import DETECTION_THRESHOLD, Heatmap
from bids_deepseg.stages.optic import least_cost_path

#: Weight of the squared slope (in-plane mm per mm along the cord) against the heat of one slice.
DEFAULT_SMOOTHNESS = 0.1

#: Heat along the path at which the evidence for and against a cord is balanced.
BALANCED_HEAT = 0.3

#: Largest slope of the path (in-plane mm per mm along the cord) along each axis: 79 degrees. A cord in slices that are
#: as good as parallel to it has no course through them.
STEEPEST = 5.0

#: Length of cord that must be found, or the whole image if that is shorter: less is no cord but something like it.
MIN_LENGTH_MM = 10.0

#: Heat that a quarter of the slices reach where there is a cord. Set on training images and phantoms: see
#: docs/experiments.md.
SURE_HEAT = 0.6

#: Radius around the path's pixel in which the heat's centre of mass refines it.
_REFINE_RADIUS_MM = 3.0

#: Standard deviation of the smoothing of the refined path along the slices.
_SMOOTH_MM = 3.0


@dataclass(frozen=True, slots=True, eq=False)
class Centerline:
    """The course of the cord, one point per slice.

    Attributes
    ----------
    ij : (N, 2) float array
        In-plane voxel coordinates on ``grid``.
    k : (N,) int array
        Slices, consecutive and increasing.
    grid : Grid
        Grid of the coordinates, on canonical axes.
    heat : (N,) float array
        Largest heat close to the path in each slice.
    cost : float
        Cost of the path through all slices of the image.
    """

    ij: NDArray[np.float64]
    k: NDArray[np.intp]
    grid: Grid
    heat: NDArray[np.float64]
    cost: float

    def __post_init__(self) -> None:
        if self.ij.shape != (len(self.k), 2) or len(self.heat) != len(self.k) or len(self.k) == 0:
            raise ValueError(f"{len(self.k)} slices, points of shape {self.ij.shape}, {len(self.heat)} heats.")
        if (np.diff(self.k) != 1).any():
            raise ValueError(f"The slices are not consecutive: {self.k.tolist()}.")
        for array in (self.ij, self.k, self.heat):
            array.flags.writeable = False

    @property
    def xyz(self) -> NDArray[np.float64]:
        """Points in RAS+ mm, shape (N, 3), from inferior to superior."""
        return self.grid.voxel_to_world(np.column_stack([self.ij, self.k]))


def trace_centerline(
    heatmap: Heatmap, *, smoothness: float = DEFAULT_SMOOTHNESS, only_cord: bool = False, sure_heat: float = 0.0
) -> Centerline:
    """Trace the cord through the heatmap as the path of least cost.

    Parameters
    ----------
    heatmap : Heatmap
        Detection map; its slices may have any distance.
    smoothness : float, optional
        Weight of the squared slope; the cost of a step is ``smoothness * (step in mm / slice distance in mm)²``.
    only_cord : bool, optional
        The image shows nothing but cord along the path, so no weak stretch ends it: all slices between the first and
        the last one that reach the detection threshold are kept.
    sure_heat : float, optional
        Heat that a quarter of the slices with cord must reach: :data:`SURE_HEAT` for the package's network.

    Returns
    -------
    Centerline
        One point per slice of the range that holds the cord.

    Raises
    ------
    CordNotFoundError
        If the evidence speaks for a cord in a few slices of a longer image only, or nowhere surely.
    """
    zi, zj, dz = heatmap.volume.grid.zooms
    heat = heatmap.volume.data
    weights = (smoothness * (zi / dz) ** 2, smoothness * (zj / dz) ** 2)
    path, cost = least_cost_path(-heat, weights, (math.ceil(STEEPEST * dz / zi), math.ceil(STEEPEST * dz / zj)))
    refined, peak = _refine(heat, path, (zi, zj))
    first, last = _range_detected(peak) if only_cord else _range_with_cord(peak)
    _check_length(last - first + 1, len(peak), dz)
    keep = slice(first, last + 1)
    _check_sure(peak[keep], sure_heat)
    smooth = smooth_course(refined[keep], _SMOOTH_MM / dz)
    return Centerline(smooth, np.arange(first, last + 1), heatmap.volume.grid, peak[keep], cost)


def _refine(
    heat: NDArray[np.float32], path: NDArray[np.intp], zooms: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Move each point to the centre of mass of the heat around it; return the points and the largest heat there."""
    shape = np.array(heat.shape[:2])
    radius = np.maximum(1, np.rint(_REFINE_RADIUS_MM / np.array(zooms)).astype(int))
    points, peaks = path.astype(float), np.zeros(len(path))
    for k, centre in enumerate(path):
        low, high = np.maximum(centre - radius, 0), np.minimum(centre + radius + 1, shape)
        part = heat[low[0] : high[0], low[1] : high[1], k]
        peaks[k] = part.max()
        if part.sum() > 0:
            points[k] = low + ndimage.center_of_mass(part)
    return points, peaks


def _range_with_cord(peak: NDArray[np.float64]) -> tuple[int, int]:
    """Return the first and last slice of the range with the largest sum of evidence.

    The evidence of a slice is the logarithm of the odds of its heat against those of the balanced heat; it is bounded,
    so that no slice outweighs many.
    """
    bounded = np.clip(peak, 0.05, 0.95)
    evidence = np.log(bounded / (1 - bounded)) - np.log(BALANCED_HEAT / (1 - BALANCED_HEAT))
    total = np.concatenate([[0.0], np.cumsum(evidence)])
    # The best range ends where the sum is largest above the least sum before it.
    lowest = np.minimum.accumulate(total[:-1])
    last = int(np.argmax(total[1:] - lowest))
    first = int(np.argmin(total[: last + 1]))
    return first, last


def _range_detected(peak: NDArray[np.float64]) -> tuple[int, int]:
    """Return the first and last slice in which the heat along the path reaches the detection threshold."""
    detected = np.flatnonzero(peak >= DETECTION_THRESHOLD)
    return (int(detected[0]), int(detected[-1])) if len(detected) else _range_with_cord(peak)


def _check_length(n_found: int, n_slices: int, dz: float) -> None:
    """Refuse a range of slices that is shorter than a cord can be in this image."""
    if n_found * dz < min(MIN_LENGTH_MM, n_slices * dz):
        length_mm = Measured(n_found * dz, MIN_LENGTH_MM)
        raise CordNotFoundError(
            f"No cord was found: only {n_found} of {n_slices} slices ({length_mm:.1f} mm) look like one, at least "
            f"{MIN_LENGTH_MM:g} mm are expected. Check that the field of view holds the spinal cord and that the "
            "orientation in the header is right."
        )


def _check_sure(peak: NDArray[np.float64], sure_heat: float) -> None:
    """Refuse what resembles a cord in all of its slices but is one in none."""
    found = float(np.quantile(peak, 0.75))
    if found < sure_heat:
        heat = Measured(found, sure_heat)
        raise CordNotFoundError(
            f"No cord was found: something in {len(peak)} slices resembles one (heat {heat:.2f} in their best quarter "
            f"instead of {sure_heat:g} or more). Check that the field of view holds the spinal cord and that the "
            "orientation in the header is right."
        )


def centerline_mask(centerline: Centerline, canonical: Grid) -> Volume:
    """Draw the centerline, one voxel per slice.

    Parameters
    ----------
    centerline : Centerline
        Points on a grid with the same slices as ``canonical``.
    canonical : Grid
        Grid on canonical axes.

    Returns
    -------
    Volume
        uint8 mask on ``canonical``.
    """
    data = np.zeros(canonical.shape, np.uint8)
    ijk = np.rint(canonical.world_to_voxel(centerline.xyz)).astype(int)
    i, j, k = np.clip(ijk, 0, np.array(canonical.shape) - 1).T
    data[i, j, k] = 1
    return Volume(data, canonical)


def smooth_course(points: NDArray[np.float64], sigma_slices: float) -> NDArray[np.float64]:
    """Smooth points along the slices with a Gaussian.

    Each end is continued by its own mirror image through the end point, so that a straight course stays as it is.

    Parameters
    ----------
    points : (N, D) float array
        One point per slice.
    sigma_slices : float
        Standard deviation in slices.

    Returns
    -------
    (N, D) float array
        Smoothed points.
    """
    if len(points) < 2:
        return points
    n_pad = int(np.ceil(4 * sigma_slices)) + 1
    padded = np.pad(points, ((n_pad, n_pad), (0, 0)), mode="reflect", reflect_type="odd")
    return np.asarray(ndimage.gaussian_filter1d(padded, sigma_slices, axis=0)[n_pad:-n_pad])
