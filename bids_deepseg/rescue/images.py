"""Prepare an image so that the same networks see more in it, or sooner."""

import numpy as np
from scipy import ndimage

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume

#: Slices of an image with which a method is looked at before it is run on all; fewer of an image that has few itself.
_FEW, _FEWEST = 12, 6

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


def some_slices(volume: Volume) -> Volume | None:
    """Return an image of every n-th slice across the cord, about 6 to 12 of them; None if that saves less than half.

    Parameters
    ----------
    volume : Volume
        Image on its native grid.
    """
    axis = volume.grid.slice_axis
    n_slices = volume.grid.shape[axis]
    step = max(n_slices // _FEW, min(2, n_slices // _FEWEST))
    if step < 2:
        return None
    # The first and the last slices are where there is a cord least often.
    chosen = [slice(None)] * 3
    chosen[axis] = slice(step // 2, None, step)
    data = np.ascontiguousarray(volume.data[tuple(chosen)])
    first, scale = np.zeros(3), np.ones(3)
    first[axis], scale[axis] = step // 2, step
    affine = volume.grid.affine @ np.diag([*scale, 1.0])
    affine[:3, 3] = volume.grid.voxel_to_world(first)
    return Volume(data, Grid(data.shape, affine))
