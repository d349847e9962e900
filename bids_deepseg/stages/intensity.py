"""Bring the intensities of a patch to the range on which the networks were trained.

The only place where intensities are changed; training and application share it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: Percentiles of the valid pixels at which a patch is clipped, so that a few hot pixels do not set its scale.
CLIP_PERCENTILES = (0.5, 99.5)

#: Percentiles of the volume that the published networks' input is clipped at, and the range that it is brought to
#: (``sct_deepseg_sc``, its constants).
PUBLISHED_PERCENTILES = (2.0, 98.0)
_PUBLISHED_RANGE = 255.0

#: A function from patches (N, ...) and their valid pixels to patches as a network expects them.
Standardise = Callable[[NDArray[np.floating], NDArray[np.bool_]], NDArray[np.float32]]


def standardise_patches(values: NDArray[np.floating], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Clip each patch at two percentiles and bring it to zero mean and unit variance.

    Parameters
    ----------
    values : (N, ...) float array
        Patches in the units of the image; the value at an invalid pixel does not matter.
    valid : (N, ...) bool array
        Pixels inside the image's field of view.

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


@dataclass(frozen=True, slots=True)
class PublishedScale:
    """The intensities that the published cord networks expect: one rule for the whole volume.

    Attributes
    ----------
    low, high : float
        Percentiles of the volume, which become 0 and 255.
    mean, std : float
        Constants of the network, subtracted and divided by after that.
    """

    low: float
    high: float
    mean: float
    std: float

    @classmethod
    def of(cls, values: NDArray[np.floating], scale: tuple[float, float]) -> "PublishedScale":
        """Take the percentiles of the values of a volume; ``scale`` is (mean, std) of the network."""
        low, high = np.percentile(values, PUBLISHED_PERCENTILES)
        return cls(float(low), float(high), *scale)

    def __call__(self, values: NDArray[np.floating], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Standardise patches (N, ...); pixels outside the field of view are as dark as the darkest of the image."""
        clipped = np.clip(np.where(valid, values, self.low), self.low, self.high)
        spread = self.high - self.low
        scaled = (clipped - self.low) * (_PUBLISHED_RANGE / spread) if spread > 0 else np.zeros(values.shape)
        return np.asarray((scaled - self.mean) / self.std, np.float32)


def standardiser(values: NDArray[np.floating], scale: tuple[float, float] | None) -> Standardise:
    """Return the rule of a network: that of this package, or the published one with its constants ``scale``."""
    return standardise_patches if scale is None else PublishedScale.of(values, scale)
