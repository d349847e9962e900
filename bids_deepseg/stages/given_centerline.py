"""Turn points that were given, clicked or taken from a mask, into the centerline of an image.

The course between the points is the shape-preserving cubic of the in-plane coordinates over the slices (Fritsch and
Butland 1984, SIAM Journal on Scientific and Statistical Computing 5, 300-304): it passes through the points, has no
kinks, and never leaves the range between two neighbouring points, so that two clicks close together cannot throw it
out of the cord, as splines do.
"""

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import ImageError
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.stages.centerline import Centerline

#: Distance between two points of the same slice from which they cannot both lie in one cord, however thick the slice.
MAX_SPREAD_MM = 30.0


def centerline_from_points(points_mm: NDArray[np.float64], canonical: Grid) -> Centerline:
    """Fit a centerline to points.

    Points of the same slice are averaged. Slices between points are filled; beyond the outermost points there is no
    centerline, since nobody said that there is a cord: one point gives one slice, two a straight line. Points above
    and below the image guide the course inside it.

    Parameters
    ----------
    points_mm : (N, 3) float array
        Points in RAS+ mm, in any order.
    canonical : Grid
        Grid of the image, on canonical axes.

    Returns
    -------
    Centerline
        One point in each slice from the lowest to the highest given point; its heat is 1, its cost 0.

    Raises
    ------
    ImageError
        If there is no point, a number is not finite, two points of a slice are too far apart, or the course leaves the
        field of view or has no slice in it.
    """
    if points_mm.ndim != 2 or points_mm.shape[1] != 3 or not len(points_mm) or not np.isfinite(points_mm).all():
        raise ImageError(
            f"Points of the shape {points_mm.shape} were given as centerline. At least one point of three finite "
            "coordinates is expected."
        )
    ijk = _one_per_slice(canonical.world_to_voxel(points_mm), canonical)
    first, last = np.rint(ijk[[0, -1], 2]).astype(int)
    k = np.arange(max(first, 0), min(last, canonical.shape[2] - 1) + 1)
    if not len(k):
        raise ImageError(
            f"The given centerline lies in the slices {first} to {last} of the image, which has "
            f"{canonical.shape[2]}. Does it belong to another image?"
        )
    # The outermost points lie up to half a slice inside the outermost slices.
    ij = _interpolate(ijk, np.clip(k, ijk[0, 2], ijk[-1, 2]))
    if (ij < -0.5 - 1e-3).any() or (ij > np.array(canonical.shape[:2]) - 0.5 + 1e-3).any():
        raise ImageError("The given centerline leaves the field of view. Give points inside the image.")
    return Centerline(ij, k, canonical, np.ones(len(k)), 0.0)


def _one_per_slice(ijk: NDArray[np.float64], canonical: Grid) -> NDArray[np.float64]:
    """Return the mean of the points of each slice, from inferior to superior."""
    slices, group = np.unique(np.rint(ijk[:, 2]), return_inverse=True)
    means = np.stack([np.bincount(group, column) for column in ijk.T], 1) / np.bincount(group)[:, None]
    distance = np.linalg.norm((ijk - means[group])[:, :2] * canonical.zooms[:2], axis=1)
    if distance.max() > MAX_SPREAD_MM / 2:
        k = int(slices[group[np.argmax(distance)]])
        raise ImageError(
            f"Points of the given centerline lie more than {MAX_SPREAD_MM:g} mm apart in the same slice ({k}, counted "
            "from the feet). One cord is expected. Remove those beside it."
        )
    return means


def _interpolate(ijk: NDArray[np.float64], k: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the in-plane coordinates at ``k``, which lie between the points."""
    if len(ijk) < 3:
        return np.column_stack([np.interp(k, ijk[:, 2], column) for column in ijk.T[:2]])
    from scipy.interpolate import PchipInterpolator  # noqa: PLC0415 - takes 0.15 s, and few centerlines are given

    return np.asarray(PchipInterpolator(ijk[:, 2], ijk[:, :2])(k))
