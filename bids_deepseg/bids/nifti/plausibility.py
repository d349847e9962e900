"""Tell voxel sizes, extents and places of an image of a cord from those of a wrong header.

Detection resamples each slice to pixels of 1 mm over its whole field of view, so that a wrong size takes memory that
the number of voxels does not tell. These limits are generous to microscopy and whole-body images.
"""

from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import ImageError

Matrix = NDArray[np.float64]
WorldAxes = tuple[int, int, int]

#: Voxel sizes in mm. Microscopy of a cord has 0.01 mm; the widest gaps of localizers are below 50 mm.
VOXEL_MM = (0.01, 50.0)

#: Longest fields of view in mm: the table of a whole-body scanner moves 2 m, its bore is 0.7 m wide. An image of a
#: whole spine whose orientation is not stated may have its length across.
ALONG_MM, ACROSS_MM = 2500.0, 1200.0

#: Largest pixel in mm² across the cord, whose own area is about 80 mm².
PIXEL_MM2 = 25.0

#: Largest distance in mm of the first voxel from the origin, which lies in the scanner or in the brain.
DISTANCE_MM = 10_000.0

#: Relative rounding of the numbers of a header, less than what is shown of them in messages.
_ROUNDING = 1e-5

#: Volume of the unit voxel along the axes below which a matrix is singular, as in :class:`Grid`.
_LEAST_VOLUME = 1e-4


def is_singular(matrix: Matrix) -> bool:
    """Return whether a matrix is not finite or gives voxels without volume."""
    if not np.isfinite(matrix).all():
        return True
    lengths = np.linalg.norm(matrix[:3, :3], axis=0)
    return not lengths.all() or abs(np.linalg.det(matrix[:3, :3] / lengths)) < _LEAST_VOLUME


def _refusal(name: str, message: str) -> ImageError:
    """Return the error."""
    return ImageError(f"{name}: {message}")


def check_plausible(name: str, affine: Matrix, shape: tuple[int, int, int], unit_mm: float) -> WorldAxes:
    """Refuse sizes, extents and places that no image of a cord has, before memory is reserved for them.

    Parameters
    ----------
    name : str
        Name of the file, for messages.
    affine : (4, 4) float64 array
        Voxel indices to RAS+ mm.
    shape : tuple of int
        Voxels along the three axes.
    unit_mm : float
        Millimetres of the unit of the header.

    Returns
    -------
    tuple of int
        For each axis of the array the world axis that is closest: 0 right-left, 1 posterior-anterior,
        2 inferior-superior.

    Raises
    ------
    ImageError
        With the voxel size, the extent or the place, and the question about the unit.
    """
    if is_singular(affine):
        raise _refusal(name, f"the matrix of the header is singular: {affine[:3].tolist()}. Repair the header.")
    sizes = np.linalg.norm(affine[:3, :3], axis=0)
    shown = " x ".join(f"{size:.7g}" for size in sizes)
    unit = {1000.0: "metres", 0.001: "micrometres"}.get(unit_mm, "millimetres")
    advice = f"The header counts in {unit}. Are its unit (xyzt_units) and its matrices (sform, qform, pixdim) right?"
    if sizes.min() < VOXEL_MM[0] * (1 - _ROUNDING) or sizes.max() > VOXEL_MM[1] * (1 + _ROUNDING):
        raise _refusal(
            name, f"the voxel size is {shown} mm. {VOXEL_MM[0]:g} to {VOXEL_MM[1]:g} mm are expected. {advice}"
        )
    axes = _world_axes(affine)
    axis = axes.index(2)
    extent, most = sizes * shape, np.where(np.arange(3) == axis, ALONG_MM, ACROSS_MM)
    if (extent > most * (1 + _ROUNDING)).any():
        raise _refusal(
            name,
            f"the extent is {' x '.join(f'{length:.7g}' for length in extent)} mm. At most {ALONG_MM:g} mm along "
            f"the cord and {ACROSS_MM:g} mm across are expected. {advice}",
        )
    pixel = float(np.delete(sizes, axis).prod())
    if pixel > PIXEL_MM2 * (1 + _ROUNDING):
        raise _refusal(
            name,
            f"the voxel size is {shown} mm, so that a pixel across the cord has {pixel:.7g} mm². At most "
            f"{PIXEL_MM2:g} mm² are expected, a third of a cord. {advice}",
        )
    if np.abs(affine[:3, 3]).max() > DISTANCE_MM * (1 + _ROUNDING):
        place = ", ".join(f"{value:.7g}" for value in affine[:3, 3])
        raise _refusal(
            name,
            f"the first voxel lies at ({place}) mm. A distance of at most {DISTANCE_MM:g} mm from the origin is "
            f"expected. {advice}",
        )
    return axes


def _world_axes(affine: Matrix) -> WorldAxes:
    """Return the closest world axis of each axis of the array."""
    orientation: Any = nib.orientations.io_orientation(affine)
    i, j, k = (int(axis) for axis in orientation[:, 0])
    return i, j, k
