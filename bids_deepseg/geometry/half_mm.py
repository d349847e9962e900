"""Resample in the plane to 0.5 mm and back, on the grid of the reference method.

The centres of the first voxels coincide, and the number of pixels is rounded: the pixel is 0.5 mm only where the field
of view is a multiple of it. Linear interpolation without averaging; beyond the last centre the border's value.
"""

from typing import Any

import nibabel as nib
import numpy as np
from nibabel.processing import resample_from_to
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume

#: In-plane pixel size of all steps between resampling and pasting.
WORKING_ZOOM_MM = 0.5


def rounded_size(n: int, zoom_mm: float, target_mm: float = WORKING_ZOOM_MM) -> int:
    """Return the number of pixels of ``target_mm`` for ``n`` of ``zoom_mm``: rounded, halves to even, at least 1.

    The inner rounding makes a half of what the header's single precision left next to a half.
    """
    return max(1, round(round(n * zoom_mm / target_mm, 3)))


def working_grid(canonical: Grid) -> Grid:
    """Return the grid of about 0.5 mm in the plane for an image on canonical axes; slices stay."""
    old = np.array(canonical.shape)
    (i, j, k), zooms = canonical.shape, canonical.zooms
    new = (rounded_size(i, zooms[0]), rounded_size(j, zooms[1]), k)
    return Grid(new, canonical.affine @ np.diag([*(old / new), 1.0]))


def resample(volume: Volume, grid: Grid) -> Volume:
    """Interpolate linearly onto ``grid``, without averaging; beyond the last centres the border's value."""
    image: Any = nib.Nifti1Image(volume.data, volume.grid.affine)
    result: Any = resample_from_to(image, (grid.shape, grid.affine), order=1, mode="nearest")
    return Volume(np.asarray(result.dataobj, np.float32), grid)


def stretch(data: NDArray[np.float32], shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Resample an array to ``shape`` by the same rule; index x comes from x * (old size / new size)."""
    steps = [old / new for old, new in zip(data.shape, shape, strict=True)]
    result: NDArray[np.float32] = ndimage.affine_transform(
        data, steps, output_shape=shape, output=np.float32, order=1, mode="nearest"
    )
    return result
