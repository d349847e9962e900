"""Cut a square around the course of the cord out of each slice: in the stack of squares the cord stands upright.

Slices stay slices: nothing is interpolated between them, so that slices of 17 mm are as good as those of 1 mm. Across
them :func:`smooth_along` follows the cord, not the image; its lengths are in mm, whatever the distance of the slices.
"""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.volume import Volume

Array = NDArray[np.float64]

#: Pixels of the squares and half of their width: the widest cord, its fluid, and what the course may be wrong by.
PIXEL_MM, HALF_MM = 0.5, 18.0

#: Edges within this distance of the course set the scale on which all of them are bounded.
_SCALE_RADIUS_MM = 12.0
#: Smoothing of that scale along the cord: as slowly as the sensitivity of a coil falls off.
_SCALE_SIGMA_MM = 10.0

T = TypeVar("T", bound=np.floating)

#: Below this part of the slice distance a Gaussian changes nothing worth its time.
_LEAST_SIGMA_SLICES = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """Squares around the course of the cord, K of N x N pixels.

    Attributes
    ----------
    values : (K, N, N) float32 array
        Brightness; the first axis of a square goes right to left, the second posterior to anterior.
    valid : (K, N, N) bool array
        Pixels inside the image.
    course_mm : (K, 2) array
        Middle of each square, voxel index times voxel size.
    slices : (K,) int array
        Slices of the image.
    slice_mm : float
        Their distance.
    """

    values: NDArray[np.float32]
    valid: NDArray[np.bool_]
    course_mm: Array
    slices: NDArray[np.intp]
    slice_mm: float


@dataclass(frozen=True, slots=True, eq=False)
class Edges:
    """Change of brightness in plane.

    Attributes
    ----------
    slopes : (K, N, N, 2) float32 array
        Gradient per mm along the two axes of the squares; 0 outside the image.
    typical : (K,) array
        Median size of the gradient around the course.
    slice_mm : float
        Distance of the slices.
    """

    slopes: NDArray[np.float32]
    typical: Array
    slice_mm: float

    def bounded(self) -> NDArray[np.float32]:
        """Return the gradients with their size g replaced by g / (g + typical), from 0 to 1.

        So no single strong edge (fat, a vessel, an artefact) outweighs the many that a closed border has, and the
        numbers mean the same in every image.
        """
        size = np.linalg.norm(self.slopes, axis=-1)
        bounded: NDArray[np.float32] = self.slopes / (size + self.typical[:, None, None].astype(np.float32))[..., None]
        return bounded


def straighten(canonical: Volume, course_mm: Array, slices: NDArray[np.intp]) -> Stack:
    """Cut squares around a course out of an image.

    Parameters
    ----------
    canonical : Volume
        float32 image on canonical axes.
    course_mm : (K, 2) array
        In-plane points, voxel index times voxel size.
    slices : (K,) int array
        Their slices.
    """
    zooms = np.array(canonical.grid.zooms[:2])
    n = round(HALF_MM / PIXEL_MM)
    offsets = PIXEL_MM * np.arange(-n, n + 1)
    values = np.empty((len(slices), 2 * n + 1, 2 * n + 1), np.float32)
    valid = np.empty(values.shape, bool)
    for m, (k, centre) in enumerate(zip(slices, course_mm, strict=True)):
        axes = [(c + offsets) / zoom for c, zoom in zip(centre, zooms, strict=True)]
        index = np.meshgrid(*axes, indexing="ij")
        ndimage.map_coordinates(canonical.data[..., k], index, output=values[m], order=1, mode="nearest")
        inside = [(a >= -0.5) & (a <= size - 0.5) for a, size in zip(axes, canonical.data.shape, strict=False)]
        valid[m] = inside[0][:, None] & inside[1][None]
    return Stack(values, valid, course_mm, slices, float(canonical.grid.zooms[2]))


def find_edges(stack: Stack, *, sigma_mm: float, along_mm: float) -> Edges:
    """Take the gradient of Gaussian-smoothed squares.

    Parameters
    ----------
    stack : Stack
        Squares around the course.
    sigma_mm, along_mm : float
        Standard deviations in plane and along the cord.
    """
    smooth = smooth_along(stack.values, along_mm, stack.slice_mm)
    sigma = sigma_mm / PIXEL_MM
    parts: list[NDArray[np.float32]] = [
        ndimage.gaussian_filter(smooth, (0, sigma, sigma), order=(0, *o)) for o in ((1, 0), (0, 1))
    ]
    slopes = np.asarray(np.stack(parts, axis=-1) / PIXEL_MM, np.float32)
    slopes[~stack.valid] = 0
    return Edges(slopes, _typical(slopes, stack), stack.slice_mm)


def _typical(slopes: NDArray[np.float32], stack: Stack) -> Array:
    """Return the median size of the gradients around the course, smoothed along the cord; never 0."""
    n = stack.values.shape[1] // 2
    offsets = PIXEL_MM * np.arange(-n, n + 1)
    near = stack.valid & (np.hypot(offsets[:, None], offsets[None]) <= _SCALE_RADIUS_MM)
    size = np.linalg.norm(slopes, axis=-1)
    median = np.array([np.median(s[w]) if w.any() else 0.0 for s, w in zip(size, near, strict=True)])
    floor = max(1e-6 * float(size.max()), float(np.finfo(np.float32).tiny))
    # Dark slices go on from their neighbours: the logarithm of nearly nothing would pull those down.
    known = np.flatnonzero(median > 1e-3 * median.max())
    if not len(known):
        return np.full(len(median), floor)
    logs = np.interp(np.arange(len(median)), known, np.log(median[known]))
    typical: Array = np.maximum(np.exp(smooth_along(logs, _SCALE_SIGMA_MM, stack.slice_mm)), floor)
    return typical


def smooth_along(values: NDArray[T], sigma_mm: float, slice_mm: float) -> NDArray[T]:
    """Smooth along the first axis (slices) with a Gaussian; the ends go on as they are."""
    sigma = sigma_mm / slice_mm
    if sigma < _LEAST_SIGMA_SLICES or len(values) < 2:
        return values
    smooth: NDArray[T] = ndimage.gaussian_filter1d(values, sigma, axis=0, mode="nearest")
    return smooth


def median_along(values: NDArray[np.float64], window_mm: float, slice_mm: float) -> NDArray[np.float64]:
    """Replace each row by the median of the rows within a window, so that single bad slices drop out."""
    size = 2 * int(window_mm / 2 / slice_mm) + 1
    if size < 3 or len(values) < 3:
        return values
    median: NDArray[np.float64] = ndimage.median_filter(values, (size, *(1,) * (values.ndim - 1)), mode="nearest")
    return median


@dataclass(frozen=True, slots=True, eq=False)
class Tube:
    """The border of the cord in K slices.

    Attributes
    ----------
    slices : (K,) int array
        Slices of the image, consecutive.
    centres_mm : (K, 2) array
        Origin of the rays, voxel index times voxel size.
    radii : (K, N_RAYS) array
        Distance of the border from it in mm (:mod:`.outline`).
    edge : (K,) array
        Mean bounded gradient across the border, 1 at most.
    agreement : (K,) array
        Share of the rays on which it has the right sign.
    """

    slices: NDArray[np.intp]
    centres_mm: Array
    radii: Array
    edge: Array
    agreement: Array

    def part(self, first: int, last: int) -> "Tube":
        """Return the rings from the first to the last, both included."""
        kept = slice(first, last + 1)
        return Tube(self.slices[kept], self.centres_mm[kept], self.radii[kept], self.edge[kept], self.agreement[kept])
