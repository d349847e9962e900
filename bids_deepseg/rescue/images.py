"""Prepare an image so that the same networks see more in it."""

import numpy as np
from scipy import ndimage

from bids_deepseg.geometry.volume import Volume

#: Standard deviations of the smoothing that removes noise, and of that which finds the shading of the coil.
_NOISE_MM, _SHADING_MM = 0.8, 20.0


def denoised(volume: Volume) -> Volume:
    """Take out speckles (median of 3 x 3 x 1 voxels in the plane of the finest voxels) and smooth by 0.8 mm."""
    zooms = np.array(volume.grid.zooms)
    # The thickest axis is not touched: slices far apart show different things.
    size = np.where(zooms > 1.5 * zooms.min(), 1, 3)
    sigma = np.where(zooms > 1.5 * zooms.min(), 0.0, _NOISE_MM / zooms)
    median = ndimage.median_filter(volume.data, size=tuple(int(n) for n in size), mode="nearest")
    return Volume(np.asarray(ndimage.gaussian_filter(median, sigma, mode="nearest"), np.float32), volume.grid)


def evened(volume: Volume) -> Volume:
    """Divide by the shading of the coil: the image smoothed by 20 mm, with a floor of a tenth of its mean."""
    data = volume.data - volume.data.min()
    shading = ndimage.gaussian_filter(data, _SHADING_MM / np.array(volume.grid.zooms), mode="nearest")
    floor = 0.1 * float(shading.mean())
    if floor <= 0:
        return volume
    return Volume(np.asarray(data / np.maximum(shading, floor), np.float32), volume.grid)
