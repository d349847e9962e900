"""Smooth what is known slice by slice along the cord; lengths are in mm, whatever the distance of the slices."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

T = TypeVar("T", bound=np.floating)

#: Below this part of the slice distance a Gaussian changes nothing worth its time.
_LEAST_SIGMA_SLICES = 0.2


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
