"""Say how sure of a mask the best network could be at the size of its voxels.

A network answers with the fraction of cord in a voxel, so that even a perfect one is at a half in the middle of a
border. How much of a mask is border depends on the size of the cord and of the voxels, and not on the network.
"""

import numpy as np
from numpy.typing import NDArray

#: Points along each side of a voxel at which the ellipse is sampled.
_POINTS = 5


def best_certainty(mask: NDArray[np.bool_], zooms: tuple[float, ...]) -> tuple[float, float]:
    """Return what the exact fractions of cord say of the mask of one slice, as if it was an ellipse.

    Parameters
    ----------
    mask : (I, J) bool array
        Slice of a mask; not empty.
    zooms : (float, float)
        Size of a pixel.

    Returns
    -------
    dice : float
        Expected Dice (:mod:`bids_deepseg.judge.certainty`) of the pixels that are at least half cord.
    mean : float
        Mean fraction of cord in them. Both are NaN where no pixel is half cord.
    """
    i, j = np.nonzero(mask)
    step = np.array(zooms[:2], float)
    points = np.stack([i, j], 1) * step
    centre = points.mean(0)
    # A pixel is no point: it adds the moments of its own area.
    moments = (points - centre).T @ (points - centre) / len(i) + np.diag(step**2) / 12
    # The ellipse with these moments, scaled to the area of the mask.
    moments *= len(i) * step.prod() / (4 * np.pi * np.sqrt(np.linalg.det(moments)))
    inverse = np.linalg.inv(moments) / 4
    within = (np.arange(_POINTS) + 0.5) / _POINTS - 0.5
    low, high = np.stack([i, j], 1).min(0) - 1, np.stack([i, j], 1).max(0) + 2
    sides = [np.add.outer(np.arange(low[n], high[n]), within).ravel() * step[n] - centre[n] for n in range(2)]
    x, y = sides[0][:, None], sides[1][None]
    inside = inverse[0, 0] * x * x + 2 * inverse[0, 1] * x * y + inverse[1, 1] * y * y <= 1
    shape = (high[0] - low[0], _POINTS, high[1] - low[1], _POINTS)
    fraction = inside.reshape(shape).mean((1, 3))
    own = fraction >= 0.5
    if not own.any():
        return float("nan"), float("nan")
    total = own.sum() + fraction.sum()
    return float(2 * fraction[own].sum() / total), float(fraction[own].mean())
