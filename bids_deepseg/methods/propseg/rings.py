"""Describe the border of the cord in a slice by its distance from a centre along rays, and measure it.

Rays start at equal angles; ray 0 points along the first axis, the next ones towards the second.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.methods.propseg.stack import PIXEL_MM

Array = NDArray[np.float64]

#: Rays of a ring: 1 mm apart on the border of a wide cord.
N_RAYS = 32

ANGLES = 2 * np.pi * np.arange(N_RAYS) / N_RAYS
ANGLES.flags.writeable = False
#: Unit vectors of the rays, (N_RAYS, 2).
RAYS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
RAYS.flags.writeable = False


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
