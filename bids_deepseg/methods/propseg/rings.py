"""Describe the border of the cord in a slice by its distance from a centre along rays, measure it, and draw it.

Rays start at equal angles; ray 0 points along the first axis, the next ones towards the second. A ring is drawn on the
voxels of its slice as the fraction of each voxel that lies inside.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.propseg.stack import PIXEL_MM

Array = NDArray[np.float64]

#: Rays of a ring: 1 mm apart on the border of a wide cord.
N_RAYS = 32

ANGLES = 2 * np.pi * np.arange(N_RAYS) / N_RAYS
ANGLES.flags.writeable = False
#: Unit vectors of the rays, (N_RAYS, 2).
RAYS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
RAYS.flags.writeable = False

#: Points per voxel along each in-plane axis.
_POINTS = 5


def ellipse_radii(half_axes_mm: Array) -> Array:
    """Return the radii (K, N_RAYS) of ellipses with half axes (K, 2) along the axes of the image."""
    radii: Array = 1 / np.linalg.norm(RAYS / half_axes_mm[:, None], axis=2)
    return radii


def ring_points(radii: Array, centres: Array) -> Array:
    """Return the corners (K, N_RAYS, 2) of rings with radii (K, N_RAYS) around centres (K, 2)."""
    points: Array = centres[:, None] + radii[..., None] * RAYS
    return points


def areas(radii: Array) -> Array:
    """Return the area of each ring in mm², (K,), as a polygon."""
    found: Array = 0.5 * np.sin(2 * np.pi / N_RAYS) * (radii * np.roll(radii, -1, axis=1)).sum(axis=1)
    return found


def centroids(radii: Array) -> Array:
    """Return the centre of mass (K, 2) of each ring's polygon, relative to the origin of its rays."""
    corner = radii[..., None] * RAYS
    following = np.roll(corner, -1, axis=1)
    cross = corner[..., 0] * following[..., 1] - corner[..., 1] * following[..., 0]
    found: Array = ((corner + following) * cross[..., None]).sum(axis=1) / (3 * cross.sum(axis=1))[:, None]
    return found


def radial(gradients: NDArray[np.float32], centres: Array, radii: Array) -> Array:
    """Return the outward component of gradients at points on the rays.

    Parameters
    ----------
    gradients : (K, N, N, 2) array
        Gradients on the pixels of a stack.
    centres : (K, 2) array
        Origin of the rays in mm from the middle of each square.
    radii : (K, N_RAYS, S) array
        Distances of S points on each ray.

    Returns
    -------
    (K, N_RAYS, S) array
        Interpolated linearly.
    """
    middle = gradients.shape[1] // 2
    places = (centres[:, None, None] + radii[..., None] * RAYS[:, None]) / PIXEL_MM + middle
    slices = np.broadcast_to(np.arange(len(gradients), dtype=float)[:, None, None], radii.shape)
    index = np.stack([slices, places[..., 0], places[..., 1]])
    along = [ndimage.map_coordinates(gradients[..., axis], index, order=1, mode="nearest") for axis in (0, 1)]
    component: Array = along[0] * RAYS[:, None, 0] + along[1] * RAYS[:, None, 1]
    return component.astype(np.float64)


def draw_rings(grid: Grid, slices: NDArray[np.intp], centres_mm: Array, radii: Array) -> Volume:
    """Draw one ring per slice.

    Parameters
    ----------
    grid : Grid
        Canonical grid of the image; parts of a ring beyond it are cut off.
    slices : (K,) int array
        Slices.
    centres_mm, radii : (K, 2), (K, N_RAYS) arrays
        Centres (voxel index times voxel size) and distances of the border.

    Returns
    -------
    Volume
        float32, 0 to 1.
    """
    zooms, size = np.array(grid.zooms[:2]), np.array(grid.shape[:2])
    drawn = np.zeros(grid.shape, np.float32)
    for k, centre, radius in zip(slices, centres_mm, radii, strict=True):
        low = np.maximum(np.floor((centre - radius.max()) / zooms), 0).astype(int)
        high = np.minimum(np.ceil((centre + radius.max()) / zooms) + 1, size).astype(int)
        if (high > low).all():
            drawn[low[0] : high[0], low[1] : high[1], k] = _fractions(low, high, zooms, centre, radius)
    return Volume(drawn, grid)


def _fractions(
    low: NDArray[np.intp], high: NDArray[np.intp], zooms: Array, centre: Array, radius: Array
) -> NDArray[np.float64]:
    """Return the part of each voxel from ``low`` to before ``high`` that lies inside a ring."""
    offsets = (np.arange(_POINTS) + 0.5) / _POINTS - 0.5
    x, y = (
        ((np.arange(a, b)[:, None] + offsets) * zoom - c).ravel()
        for a, b, zoom, c in zip(low, high, zooms, centre, strict=True)
    )
    distance = np.hypot(x[:, None], y[None])
    ray = np.arctan2(y[None], x[:, None]) * (N_RAYS / (2 * np.pi))
    before = np.floor(ray).astype(int)
    part = ray - before
    # The radius is interpolated over the angle: rounder than a polygon, as a cord is.
    border = (1 - part) * radius[before % N_RAYS] + part * radius[(before + 1) % N_RAYS]
    inside = (distance <= border).reshape(high[0] - low[0], _POINTS, high[1] - low[1], _POINTS)
    fraction: NDArray[np.float64] = inside.mean(axis=(1, 3))
    return fraction
