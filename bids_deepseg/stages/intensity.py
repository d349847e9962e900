"""Bring the intensities of a patch to the range on which the networks were trained.

The only place where intensities are changed; training and application share it.
"""

import numpy as np
from numpy.typing import NDArray

#: Percentiles of the valid pixels at which a patch is clipped, so that a few hot pixels do not set its scale.
CLIP_PERCENTILES = (0.5, 99.5)


def standardise_patches(values: NDArray[np.floating], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Clip each patch at two percentiles and bring it to zero mean and unit variance.

    Parameters
    ----------
    values : (N, ...) float array
        Patches in the units of the image; the value at an invalid pixel does not matter.
    valid : (N, ...) bool array
        Pixels inside of the image's field of view.

    Returns
    -------
    (N, ...) float32 array
        Standardised patches, 0 at invalid pixels and in patches without contrast.
    """
    out = np.zeros(values.shape, np.float32)
    for patch, inside, result in zip(values, valid, out, strict=True):
        pixels = patch[inside].astype(np.float64)
        if pixels.size == 0:
            continue
        clipped = np.clip(pixels, *np.percentile(pixels, CLIP_PERCENTILES))
        mean, std = clipped.mean(), clipped.std()
        # A patch whose spread is rounding noise carries no information: leave it at zero.
        if std > 1e-6 * max(abs(mean), np.finfo(np.float32).tiny):
            result[inside] = (clipped - mean) / std
    return out
