"""Hold an image in memory together with its place in space, and turn its axes without loss."""

from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import ImageError
from bids_deepseg.geometry.grid import CANONICAL_AXCODES, Grid, orientation_between


@dataclass(frozen=True, slots=True, eq=False)
class Volume:
    """A scalar image or a mask on a grid.

    Attributes
    ----------
    data : (I, J, K) array
        float32 values, or uint8 values 0 and 1 for a mask; read-only.
    grid : Grid
        Place of the voxels.

    Raises
    ------
    ImageError
        If the shapes differ, or values are not finite.
    """

    data: NDArray[Any]
    grid: Grid

    def __post_init__(self) -> None:
        if self.data.shape != self.grid.shape:
            raise ImageError(f"The data have the shape {self.data.shape}, their grid {self.grid.shape}.")
        if self.data.dtype not in (np.float32, np.uint8):
            raise ImageError(f"The data have the type {self.data.dtype}. float32 or uint8 is expected.")
        if self.data.dtype == np.float32 and not np.isfinite(self.data).all():
            raise ImageError("The data contain NaN or infinite values. Replace them before building a volume.")
        view = self.data.view()
        view.flags.writeable = False
        object.__setattr__(self, "data", view)

    def __repr__(self) -> str:
        shape = "x".join(map(str, self.grid.shape))
        zooms = "x".join(f"{z:.2f}" for z in self.grid.zooms)
        return f"<Volume {shape} ({self.data.dtype}) {zooms} mm {''.join(self.grid.axcodes)}>"


def reorient(volume: Volume, axcodes: tuple[str, str, str]) -> Volume:
    """Flip and swap the axes so that they point towards ``axcodes``; every voxel keeps its place in the world.

    Parameters
    ----------
    volume : Volume
        Image in any of the 48 orientations.
    axcodes : tuple of str
        Wanted directions, for example ``("L", "A", "S")``.

    Returns
    -------
    Volume
        The same values, as a contiguous array.
    """
    transform = orientation_between(volume.grid, axcodes)
    data = np.ascontiguousarray(nib.orientations.apply_orientation(volume.data, transform))
    affine = volume.grid.affine @ nib.orientations.inv_ornt_aff(transform, volume.grid.shape)
    return Volume(data, Grid(data.shape, affine))


def reorient_onto(volume: Volume, grid: Grid) -> Volume:
    """Undo :func:`reorient` to the canonical axes: bring ``volume`` back to the axes of ``grid``.

    Parameters
    ----------
    volume : Volume
        Image on canonical axes whose voxels are those of ``grid``.
    grid : Grid
        Native grid, in any orientation.

    Returns
    -------
    Volume
        The same values with exactly the affine of ``grid``, to the bit.

    Raises
    ------
    ImageError
        If the two do not hold the same voxels.
    """
    forward = orientation_between(grid, CANONICAL_AXCODES)
    backward = np.empty_like(forward)
    for axis, (target, sign) in enumerate(forward):
        backward[int(target)] = axis, sign
    data = np.ascontiguousarray(nib.orientations.apply_orientation(volume.data, backward))
    affine = volume.grid.affine @ nib.orientations.inv_ornt_aff(backward, volume.grid.shape)
    if data.shape != grid.shape or not np.allclose(affine, grid.affine, atol=1e-3):
        raise ImageError(f"The volume's voxels are not those of the wanted grid: {data.shape} and {grid.shape}.")
    return Volume(data, grid)


def to_canonical(volume: Volume) -> Volume:
    """Flip and swap the axes to L, A, S: i right to left, j posterior to anterior, k inferior to superior.

    Nothing is interpolated: the stages resample the part that they need to the pixel size of their network.
    """
    return reorient(volume, CANONICAL_AXCODES)
