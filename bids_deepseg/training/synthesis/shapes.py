"""Hold the outlines of real and invented cords as signed distances.

Terms: a *cord shape* is one axial slice: the signed distance to the cord's outline and, where known, to the canal's
(the outer border of the cerebrospinal fluid), and the fraction of grey matter, on a square of ``SHAPE_ZOOM_MM`` pixels
centred on the cord. Positions as in :mod:`bids_deepseg.training.synthesis.fields`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.training.synthesis.fields import Array, PixelGrid, ellipse

SHAPE_ZOOM_MM = 0.5
_HALF = 48
#: Pixels of a shape: 48.5 mm square, odd so that one pixel centre is the origin.
SHAPE_GRID = PixelGrid((2 * _HALF + 1, 2 * _HALF + 1), SHAPE_ZOOM_MM)
_FINE_MM = 0.25
#: Area of the human cord in mm2 with room for atrophy and high resolution scans of small cords.
CORD_AREA_RANGE_MM2 = (12.0, 150.0)


@dataclass(frozen=True, slots=True, eq=False)
class CordShape:
    """One axial slice of a cord.

    Attributes
    ----------
    cord_mm : (S, S) float32 array
        Signed distance to the cord's outline.
    canal_mm : (S, S) float32 array or None
        Signed distance to the outer border of the fluid.
    grey : (S, S) float32 array or None
        Fraction of grey matter.
    half_mm : (float, float)
        Half widths of the cord along x and y.
    """

    cord_mm: Array
    canal_mm: Array | None
    grey: Array | None
    half_mm: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ShapeBank:
    """All shapes of the training data; empty where there is no data."""

    shapes: tuple[CordShape, ...] = ()

    def draw(self, rng: np.random.Generator, *, invented: float = 0.25) -> CordShape:
        """Draw a shape, with probability ``invented`` (1 in an empty bank) a procedural one."""
        if not self.shapes or rng.uniform() < invented:
            return invent_shape(rng)
        return self.shapes[rng.integers(len(self.shapes))]

    def draw_grey(self, rng: np.random.Generator) -> CordShape | None:
        """Draw a shape that has grey matter, or None if there is none."""
        with_grey = [shape for shape in self.shapes if shape.grey is not None]
        return with_grey[rng.integers(len(with_grey))] if with_grey else None


def invent_shape(rng: np.random.Generator) -> CordShape:
    """Invent an elliptic cord, 6-14 mm wide, with a flattened front and an anterior fissure."""
    x, y = SHAPE_GRID.positions_mm()
    half_x = float(rng.uniform(3.0, 7.2))
    half_y = float(np.clip(half_x * rng.uniform(0.55, 1.0), 2.3, 5.0))
    cord = ellipse(x, y, half_x, half_y)
    front = half_y * float(rng.uniform(0.75, 1.1))
    cord = np.maximum(cord, y - np.float32(front))
    fissure = ellipse(x, y - np.float32(front), float(rng.uniform(0.2, 0.5)), float(rng.uniform(0.3, 1.6)))
    cord = np.maximum(cord, -fissure).astype(np.float32)
    return CordShape(cord, None, None, (half_x, half_y))


def shape_from_slices(
    cord: NDArray[np.generic],
    canal: NDArray[np.generic] | None,
    grey: NDArray[np.generic] | None,
    zooms_mm: tuple[float, float],
) -> CordShape | None:
    """Turn masks of one slice into a cord shape.

    Parameters
    ----------
    cord : (I, J) array
        Mask of the cord.
    canal, grey : (I, J) arrays or None
        Mask of cord and fluid together; fraction of grey matter in [0, 1].
    zooms_mm : (float, float)
        Pixel size.

    Returns
    -------
    CordShape or None
        None where the slice has no cord, or one outside the human range.
    """
    area = float(np.count_nonzero(cord)) * zooms_mm[0] * zooms_mm[1]
    if not CORD_AREA_RANGE_MM2[0] <= area <= CORD_AREA_RANGE_MM2[1]:
        return None
    indices = np.argwhere(cord)
    centre = indices.mean(0)
    # Twice the standard deviation is the half width of an ellipse.
    half = 2 * indices.std(0) * np.array(zooms_mm)
    canal_mm = None if canal is None else _distance(canal, centre, zooms_mm)
    soft_grey = None
    if grey is not None:
        n = SHAPE_GRID.shape[0]
        soft_grey = _sample(np.asarray(grey, np.float32), centre, zooms_mm, SHAPE_ZOOM_MM, n)
    return CordShape(_distance(cord, centre, zooms_mm), canal_mm, soft_grey, (float(half[0]), float(half[1])))


def place(field: Array, x: Array, y: Array) -> Array:
    """Sample a field of a shape at positions relative to the cord's centre."""
    coordinates = np.stack([x, y]) / np.float32(SHAPE_ZOOM_MM) + np.float32(_HALF)
    sampled: Array = ndimage.map_coordinates(field, coordinates, order=1, mode="nearest")
    return sampled


def _distance(mask: NDArray[np.generic], centre: NDArray[np.float64], zooms_mm: tuple[float, float]) -> Array:
    """Return the signed distance to the smoothed outline of a mask on the grid of shapes."""
    n_fine = 4 * _HALF + 1
    # Smoothing by about half a pixel removes the staircase of the voxels; its inward shift stays below 0.05 mm.
    smooth = ndimage.gaussian_filter(np.asarray(mask != 0, np.float32), 0.6)
    inside = _sample(smooth, centre, zooms_mm, _FINE_MM, n_fine) > 0.5
    distance = ndimage.distance_transform_edt(~inside) - ndimage.distance_transform_edt(inside)
    # The outline runs half a pixel outside the last pixel inside.
    distance -= 0.5 * np.sign(distance)
    return np.asarray(distance[::2, ::2] * _FINE_MM, np.float32)


def _sample(field: Array, centre: NDArray[np.float64], zooms_mm: tuple[float, float], zoom_mm: float, n: int) -> Array:
    """Interpolate a slice on a square of ``n`` pixels of ``zoom_mm`` around ``centre`` (in pixels)."""
    step = zoom_mm / np.array(zooms_mm)
    sampled: Array = ndimage.affine_transform(
        field, step, centre - step * (n - 1) / 2, output_shape=(n, n), order=1, mode="constant"
    )
    return sampled
