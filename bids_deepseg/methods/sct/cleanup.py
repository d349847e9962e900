"""Clean the probability of each slice, from inferior to superior [1.5, step 7]."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def clean_slices(probability: NDArray[np.float32], threshold: float) -> NDArray[np.float32]:
    """Threshold, fill holes and keep one object per slice.

    Parameters
    ----------
    probability : (H, W, K) float32 array
        Answers of the network.
    threshold : float
        Pixels above it are cord.

    Returns
    -------
    (H, W, K) float32 array
        0 and 1.
    """
    out = np.zeros(probability.shape, np.float32)
    centre = None
    for k in range(probability.shape[2]):
        mask = keep_one_object(fill_holes(probability[..., k] > threshold), centre)
        if mask.any():
            # The centre is remembered across empty slices.
            centre = ndimage.center_of_mass(mask)
        out[..., k] = mask
    return out


def fill_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill what the background does not reach through sides or corners: a diagonal gap leaves a hole open."""
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(mask, structure=np.ones((3, 3)))
    return filled


def keep_one_object(mask: NDArray[np.bool_], centre: tuple[float, ...] | None) -> NDArray[np.bool_]:
    """Keep, of several objects connected through sides (Q17), that at the rounded centre, otherwise the largest."""
    labels, n_objects = ndimage.label(mask)
    if n_objects < 2:
        return mask
    label = 0 if centre is None else labels[tuple(np.rint(centre).astype(int))]
    if label == 0:
        label = 1 + np.argmax(np.bincount(labels.ravel())[1:])
    return np.asarray(labels == label)
