"""Smooth the course of the cord along the slices without bending its ends."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


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
