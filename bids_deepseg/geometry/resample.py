"""Interpolate a volume onto another grid.

Only scalar images and probabilities are interpolated, never a mask: a mask is made by thresholding a probability on
the grid where it is wanted.

The centres of the first voxels coincide, and the number of pixels is rounded: the pixel is 0.5 mm only where the field
of view is a multiple of it. Linear interpolation without averaging; beyond the last centre the border's value.
"""

from typing import Any, Literal

import nibabel as nib
import numpy as np
from nibabel.processing import resample_from_to
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume

#: In-plane pixel size of all steps between resampling and pasting.
WORKING_ZOOM_MM = 0.5


def in_plane_grid(grid: Grid, zoom_mm: float) -> Grid:
    """Return the grid of the same slices with square pixels of ``zoom_mm``, over the same field of view.

    The centres of both fields of view coincide, and the pixel size is exact: the last pixel may reach past the border
    by less than one pixel.
    """
    n_old = np.array(grid.shape, float)
    step = np.array([zoom_mm / grid.zooms[0], zoom_mm / grid.zooms[1], 1.0])
    # A thousandth of a pixel keeps a field of view of exactly n pixels from becoming n + 1 because a header rounds its
    # matrix to float32, or to float32 in another unit.
    n_new = np.maximum(1, np.ceil(n_old / step - 1e-3)).astype(int)
    offset = (n_old - 1) / 2 - step * (n_new - 1) / 2
    affine = grid.affine @ np.block([[np.diag(step), offset[:, None]], [np.zeros((1, 3)), 1]])
    return Grid((int(n_new[0]), int(n_new[1]), int(n_new[2])), affine)


def resample_onto(volume: Volume, grid: Grid, *, outside: Literal["nearest", "zero"] = "nearest") -> Volume:
    """Interpolate linearly onto ``grid``, averaging first along axes that get coarser.

    Parameters
    ----------
    volume : Volume
        float32 image, any grid.
    grid : Grid
        Target grid; its axes run along those of ``volume`` (any scale and shift).
    outside : {"nearest", "zero"}
        Value beyond the field of view: that of the border, or 0, which the border falls to over one voxel.

    Returns
    -------
    Volume
        float32 image on ``grid``.
    """
    matrix = np.linalg.inv(volume.grid.affine) @ grid.affine
    scale, shift = np.diag(matrix)[:3], matrix[:3, 3]
    if not np.allclose(matrix[:3, :3], np.diag(scale), atol=1e-5):
        raise ValueError(f"The axes of the two grids are not parallel: {matrix.tolist()}.")
    if volume.data.shape == grid.shape and _is_identity(scale, shift, grid.shape):
        return Volume(volume.data.astype(np.float32), grid)
    smooth = _average_over_target_pixel(volume.data.astype(np.float32, copy=False), scale)
    if outside == "nearest":
        data = ndimage.affine_transform(
            smooth, scale, shift, output_shape=grid.shape, output=np.float32, order=1, mode="nearest"
        )
        return Volume(data, grid)
    data, box = np.zeros(grid.shape, np.float32), _reached(volume.data.shape, scale, shift, grid.shape)
    start = np.array([side.start for side in box])
    # SciPy's "constant" takes a coordinate that rounding moved out of the border slice by 1e-12 for outside, and so
    # loses the slice; "grid-constant" interpolates there.
    ndimage.affine_transform(
        smooth,
        scale,
        shift + scale * start,
        output_shape=data[box].shape,
        output=data[box],
        order=1,
        mode="grid-constant",
    )
    return Volume(data, grid)


def _reached(
    shape: tuple[int, ...], scale: NDArray[np.float64], shift: NDArray[np.float64], target: tuple[int, ...]
) -> tuple[slice, ...]:
    """Return the part of a target grid that lies in the field of view of a source of ``shape``, or within one voxel."""
    ends = np.sort(np.array([(-1 - shift) / scale, (np.array(shape) - shift) / scale]), 0)
    low = np.clip(np.floor(ends[0]), 0, target).astype(int)
    high = np.maximum(np.clip(np.ceil(ends[1]) + 1, 0, target).astype(int), low)
    return tuple(slice(int(first), int(end)) for first, end in zip(low, high, strict=True))


def _is_identity(scale: NDArray[np.float64], shift: NDArray[np.float64], shape: tuple[int, ...]) -> bool:
    """Return whether voxels stay where they are, to a ten-thousandth of their size."""
    return bool((np.abs(scale - 1) * shape + np.abs(shift) < 1e-4).all())


def _average_over_target_pixel(data: NDArray[np.float32], scale: NDArray[np.float64]) -> NDArray[np.float32]:
    """Smooth along the axes whose pixels grow by ``scale``, so that interpolation skips no input.

    A uniform pixel of width w has the variance w²/12, so widening it from 1 to ``scale`` needs a Gaussian of variance
    (scale² - 1) / 12.
    """
    sigma = np.sqrt(np.maximum(scale**2 - 1, 0) / 12)
    if (sigma < 0.05).all():
        return data
    smooth: NDArray[np.float32] = ndimage.gaussian_filter(data, sigma, mode="nearest", truncate=3)
    return smooth


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
