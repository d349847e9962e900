"""Prepare the image for PropSeg and read it between voxels.

Points are given in millimetres along the canonical axes (voxel index times voxel size), as in :mod:`.mesh`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.geometry.volume import Volume

Array = NDArray[np.float64]

#: Upper end of the intensity scale (spec of the reference method, 5.2).
SCALE = 1000.0

#: Half of the distance over which the derivative along a direction is taken.
HALF_BASE_MM = 0.5

#: Smoothing of the upper end of the scale along the slices, and its least part of the whole image's.
_RANGE_SIGMA_MM, _LEAST_RANGE = 15.0, 0.03


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The image on the scale from 0 to 1000, with a sign that makes the fluid the bright part.

    Attributes
    ----------
    data : (I, J, K) float32 array
        Values; for an image with dark fluid they are turned round, 1000 - value.
    zooms : (3,) array
        Voxel sizes in mm.
    """

    data: NDArray[np.float32]
    zooms: Array

    def values(self, points_mm: Array) -> Array:
        """Interpolate linearly at points of shape (..., 3); beyond the border its values continue."""
        index = np.moveaxis(points_mm / self.zooms, -1, 0)
        values: Array = ndimage.map_coordinates(self.data, index.reshape(3, -1), order=1, mode="nearest")
        return values.reshape(points_mm.shape[:-1]).astype(np.float64)

    def slopes(self, points_mm: Array, directions: Array) -> Array:
        """Return the change per mm along unit vectors, both (..., 3)."""
        step = HALF_BASE_MM * directions
        return (self.values(points_mm + step) - self.values(points_mm - step)) / (2 * HALF_BASE_MM)

    def gradients(self, points_mm: Array) -> Array:
        """Return the gradient per mm at points of shape (..., 3)."""
        axes = np.eye(3)
        return np.stack([self.slopes(points_mm, np.broadcast_to(axis, points_mm.shape)) for axis in axes], axis=-1)

    def inside(self, points_mm: Array) -> NDArray[np.bool_]:
        """Tell which points of shape (..., 3) lie in a voxel of the image."""
        index = points_mm / self.zooms
        within = (index >= -0.5) & (index <= np.array(self.data.shape) - 0.5)
        return np.asarray(within.all(axis=-1), np.bool_)


def prepare_field(canonical: Volume, *, sign: int) -> Field:
    """Bring the intensities to 0 to 1000, and turn them round where the fluid is dark.

    The range is that of the image after a median filter of 5 voxels along each axis in turn, so that single bright
    voxels do not set it. (The reference filters with a cube of 5 voxels; one axis after the other takes a tenth of the
    time.) Added: the upper end follows the slices smoothly, because the signal of surface coils falls off along the
    cord, tenfold and more, and the limits of contrast are on one scale.

    Parameters
    ----------
    canonical : Volume
        float32 image on canonical axes.
    sign : int
        +1 for bright, -1 for dark fluid.

    Returns
    -------
    Field
        The image, ready to be read.

    Raises
    ------
    CordNotFoundError
        If the image is constant.
    """
    median = np.asarray(canonical.data, np.float32)
    for axis in range(3):
        size = [1, 1, 1]
        size[axis] = 5
        median = ndimage.median_filter(median, size=tuple(size), mode="nearest")
    low, high = float(median.min()), float(median.max())
    if not high > low:
        raise CordNotFoundError(
            f"No cord was found: the image is constant ({low:g}), apart from single voxels. Check the image."
        )
    upper = np.maximum(median.max(axis=(0, 1)) - low, _LEAST_RANGE * (high - low))
    smooth = np.exp(ndimage.gaussian_filter1d(np.log(upper), _RANGE_SIGMA_MM / canonical.grid.zooms[2], mode="nearest"))
    # Never below the slice's own: where the signal ends, cord and fluid would both be cut off.
    upper = np.maximum(smooth, upper)
    scaled = np.clip((canonical.data - low) * (SCALE / upper), 0, SCALE).astype(np.float32)
    return Field(scaled if sign > 0 else np.float32(SCALE) - scaled, np.array(canonical.grid.zooms))
