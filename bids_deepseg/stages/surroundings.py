"""Check whether the image holds numbers where the cord was found."""

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import Grid

#: Half of the side in mm of the square around the cord's centre that must hold numbers: a cord and its fluid.
HALF_SIDE_MM = 8.0

#: Distance of the points that are looked at.
_STEP_MM = 1.0


def share_without_numbers(points_mm: NDArray[np.float64], replaced: NDArray[np.bool_], grid: Grid) -> float:
    """Return the share of the surroundings of a cord that held no numbers.

    Parameters
    ----------
    points_mm : (N, 3) float array
        Centerline in RAS+ mm, at least one point.
    replaced : (I, J, K) bool array
        Voxels whose value was NaN or infinite.
    grid : Grid
        Grid of these voxels.

    Returns
    -------
    float
        In [0, 1]; of the points in the field of view, within squares from right to left and from posterior to anterior.
    """
    offsets = np.arange(-HALF_SIDE_MM, HALF_SIDE_MM + _STEP_MM, _STEP_MM)
    x, y = (axis.ravel() for axis in np.meshgrid(offsets, offsets))
    square = np.column_stack([x, y, np.zeros_like(x)])
    n_bad = n_seen = 0
    for point in points_mm:
        ijk = np.rint(grid.world_to_voxel(point + square)).astype(int)
        inside = ijk[((ijk >= 0) & (ijk < grid.shape)).all(1)]
        n_seen += len(inside)
        n_bad += int(replaced[tuple(inside.T)].sum())
    return n_bad / n_seen if n_seen else 0.0
