"""Bring intensities to a standard scale by landmarks of their histogram [1]_.

Some percentiles of an image, its landmarks, are mapped to standard values, linearly between two landmarks.

References
----------
.. [1] Nyul LG, Udupa JK, Zhang X. New variants of a method of MRI scale standardization. IEEE Transactions on Medical
   Imaging 19: 143-150 (2000).
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bids_deepseg.errors import ImageError

#: Percentiles of the landmarks (spec of ``sct_deepseg_lesion``).
LANDMARK_PERCENTILES = (1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0)


def standardise_by_landmarks(values: NDArray[np.floating], standard: ArrayLike) -> NDArray[np.float32]:
    """Map the landmarks of an image to those of the standard scale.

    Below the first and above the last landmark the map goes on with the slope of the piece next to it, which then falls
    exponentially: it is smooth, increasing and never leaves the standard range by more than the height of that piece.
    The reference has exponential tails as well; their constants are not known, and these are ours.

    Parameters
    ----------
    values : float array
        Intensities.
    standard : (11,) array_like
        Increasing values of the landmarks on the standard scale.

    Returns
    -------
    float32 array
        The same shape.

    Raises
    ------
    ImageError
        If all landmarks are equal.
    """
    found = np.percentile(values, LANDMARK_PERCENTILES)
    target = np.asarray(standard, np.float64)
    # Equal landmarks, such as those of a background of zeros, become the lowest of their standard values.
    found, first = np.unique(found, return_index=True)
    target = target[first]
    if len(found) < 2:
        raise ImageError(
            f"98 % of the values around the cord are {found[0]:g}, so they have no histogram. Check the image there."
        )
    out = np.interp(values, found, target)
    low, high = values < found[0], values > found[-1]
    out[low] = target[0] - _tail(found[0] - values[low], found[1] - found[0], target[1] - target[0])
    out[high] = target[-1] + _tail(values[high] - found[-1], found[-1] - found[-2], target[-1] - target[-2])
    return np.asarray(out, np.float32)


def _tail(distance: NDArray[np.floating], width: float, height: float) -> NDArray[np.float64]:
    """Return what the map rises over ``distance``: at first by height / width, in all by ``height``."""
    return np.asarray(height * -np.expm1(-distance.astype(np.float64) / width))
