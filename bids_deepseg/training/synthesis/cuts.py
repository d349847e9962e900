"""Cut a slice out of a real image, turned, scaled, warped and flipped.

Terms: a *cut* is an (H, W) slice on network pixels around a chosen point of the image, with the fraction of cord in
each pixel, the pixels inside the image and the place of the cord's centre.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from bids_deepseg.training.sources import RealImage
from bids_deepseg.training.synthesis.fields import Array, PixelGrid, smooth_field

#: Voxels at least this flat are volumes, which can be cut obliquely.
_THIN_SLICE_MM = 1.6


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A slice of a real image on network pixels.

    Attributes
    ----------
    image, cord : (H, W) float32 arrays
        Brightness, and fraction of cord (zero where there is none or where it is not known).
    valid : (H, W) bool array
        Pixels inside the image.
    centre_mm : (float, float) or None
        Centre of the cord from the centre of the grid; None without cord.
    """

    image: Array
    cord: Array
    valid: np.ndarray
    centre_mm: tuple[float, float] | None


def cut_slice(
    rng: np.random.Generator, grid: PixelGrid, source: RealImage, *, k: int, point_ij: tuple[float, float]
) -> Cut:
    """Cut around ``point_ij`` of slice ``k``: rotation +-25 degrees, scale 0.75-1.25, flip, mild elastic warp.

    Volumes with thin slices are cut obliquely and averaged over 1-5 mm, others are cut within their slice.
    """
    angle = np.deg2rad(rng.uniform(-25, 25) if rng.uniform() < 0.7 else rng.normal(0, 4))
    scale = rng.uniform(0.75, 1.25) * np.array([1.0, rng.uniform(0.8, 1.1) if rng.uniform() < 0.3 else 1.0])
    flip = np.diag([-1.0 if rng.uniform() < 0.5 else 1.0, 1.0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # Patch mm to image mm: the content appears larger by ``scale``.
    matrix = turn @ flip @ np.diag(1 / scale)
    x, y = grid.positions_mm()
    amplitude, pitch = np.float32(rng.uniform(0, 0.7)), float(rng.uniform(7, 16)) / grid.zoom_mm
    x = x + amplitude * smooth_field(rng, grid.shape, pitch)
    y = y + amplitude * smooth_field(rng, grid.shape, pitch)
    zooms = source.zooms_mm
    i = point_ij[0] + (matrix[0, 0] * x + matrix[0, 1] * y) / zooms[0]
    j = point_ij[1] + (matrix[1, 0] * x + matrix[1, 1] * y) / zooms[1]
    n_i, n_j = source.data.shape[:2]
    valid = (i >= -0.5) & (i <= n_i - 0.5) & (j >= -0.5) & (j <= n_j - 0.5)
    depths = _depths(rng, source, k, x, y)
    image, cord = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
    for depth in depths:
        coordinates = np.stack([i, j, depth])
        image += ndimage.map_coordinates(source.data, coordinates, order=1, mode="nearest")
        if source.mask is not None:
            cord += ndimage.map_coordinates(source.mask, coordinates, order=1, mode="constant")
    n = np.float32(len(depths))
    centre = _centre_mm(source, k, point_ij, matrix)
    return Cut(image / n, cord / n, valid, centre)


def _depths(rng: np.random.Generator, source: RealImage, k: int, x: Array, y: Array) -> list[Array]:
    """Return the slice coordinates of the planes to average, each (H, W) in voxels."""
    level = np.full(x.shape, k, np.float32)
    dk = source.zooms_mm[2]
    n_slices = source.data.shape[2]
    if dk > _THIN_SLICE_MM or source.mask is None:
        return [level]
    if rng.uniform() < 0.3:
        return [level]
    slope = np.tan(np.deg2rad(rng.normal(0, [6, 10])))
    plane = level + np.float32(slope[0] / dk) * x + np.float32(slope[1] / dk) * y
    thickness = float(rng.uniform(0, 5))
    offsets = np.linspace(-0.5, 0.5, 1 + round(thickness / 1.5)) * thickness if thickness > 1.5 else [0.0]
    return [np.clip(plane + np.float32(o / dk), 0, n_slices - 1).astype(np.float32) for o in offsets]


def _centre_mm(
    source: RealImage, k: int, point_ij: tuple[float, float], matrix: np.ndarray
) -> tuple[float, float] | None:
    """Return where the cord's centre comes to lie, from the centre of the grid."""
    centre = source.centre_ij[k]
    if np.isnan(centre).any():
        return None
    offset = (centre - np.asarray(point_ij)) * np.array(source.zooms_mm[:2])
    x, y = np.linalg.solve(matrix, offset)
    return float(x), float(y)
