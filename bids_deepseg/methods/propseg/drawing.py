"""Draw rings on the voxels of their slices: the fraction of each voxel that lies inside."""

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.propseg.rings import N_RAYS

Array = NDArray[np.float64]

#: Points per voxel along each in-plane axis.
_POINTS = 5


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
