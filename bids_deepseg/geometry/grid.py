"""Place voxels in space.

Terms
-----
affine
    4x4 matrix from voxel indices to RAS+ millimetres, always in this direction.
ijk
    Voxel coordinates, float, voxel centres at integers.
xyz
    World coordinates in mm, RAS+.
zooms
    Voxel sizes in mm, in the axis order of the array.
axcodes
    nibabel's tuple of the letters towards which the axes point.
canonical
    Axes ``("L", "A", "S")``: i from right to left, j from posterior to anterior, k from inferior to superior. The
    Spinal Cord Toolbox calls it "RPI" since it names the ends where the axes start.
"""

from dataclasses import dataclass
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import ArrayLike, NDArray

from bids_deepseg.errors import ImageError

CANONICAL_AXCODES = ("L", "A", "S")
AXIS_RL, AXIS_PA, AXIS_IS = 0, 1, 2


@dataclass(frozen=True, slots=True, eq=False)
class Grid:
    """A lattice of voxels in world space.

    Attributes
    ----------
    shape : tuple of int
        Number of voxels along the three axes.
    affine : (4, 4) float64 array
        Voxel indices to RAS+ mm; read-only.

    Raises
    ------
    ImageError
        If the shape is not three positive integers, or the affine is not finite, not affine or singular.
    """

    shape: tuple[int, int, int]
    affine: NDArray[np.float64]

    def __post_init__(self) -> None:
        affine = np.array(self.affine, np.float64)
        if len(self.shape) != 3 or min(self.shape) < 1:
            raise ImageError(f"The image has the shape {self.shape}. Three axes of at least one voxel are expected.")
        if affine.shape != (4, 4) or not np.isfinite(affine).all() or (affine[3] != (0, 0, 0, 1)).any():
            raise ImageError(
                f"The image's affine is not a finite 4x4 affine matrix: {affine.tolist()}. "
                "Repair the header's sform or qform."
            )
        lengths = np.linalg.norm(affine[:3, :3], axis=0)
        if (lengths == 0).any() or abs(np.linalg.det(affine[:3, :3] / lengths)) < 1e-4:
            raise ImageError(
                f"The image's affine is singular, its voxels have no volume: {affine[:3, :3].tolist()}. "
                "Repair the header's sform or qform."
            )
        affine.flags.writeable = False
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "affine", affine)

    @property
    def zooms(self) -> tuple[float, float, float]:
        """Voxel sizes in mm."""
        i, j, k = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(i), float(j), float(k)

    @property
    def axcodes(self) -> tuple[str, str, str]:
        """Letters of the world directions closest to the axes."""
        codes: tuple[str, str, str] = nib.orientations.aff2axcodes(self.affine)
        return codes

    @property
    def slice_axis(self) -> int:
        """Array axis closest to inferior-superior, along which slices are counted."""
        return next(axis for axis, code in enumerate(self.axcodes) if code in "SI")

    @property
    def in_plane_axes(self) -> tuple[int, int]:
        """The two other array axes, those within a slice."""
        one, other = (axis for axis in range(3) if axis != self.slice_axis)
        return one, other

    def voxel_to_world(self, ijk: ArrayLike) -> NDArray[np.float64]:
        """Map voxel coordinates of shape (..., 3) to RAS+ mm."""
        return np.asarray(ijk, np.float64) @ self.affine[:3, :3].T + self.affine[:3, 3]

    def world_to_voxel(self, xyz: ArrayLike) -> NDArray[np.float64]:
        """Map RAS+ mm of shape (..., 3) to voxel coordinates."""
        shifted = np.asarray(xyz, np.float64) - self.affine[:3, 3]
        return shifted @ np.linalg.inv(self.affine[:3, :3]).T

    def same_as(self, other: "Grid") -> bool:
        """Return whether both grids have equal shape and affine."""
        return self.shape == other.shape and np.allclose(self.affine, other.affine)


def orientation_between(grid: Grid, axcodes: tuple[str, str, str]) -> NDArray[np.float64]:
    """Return the flips and swaps that turn the axes of ``grid`` towards ``axcodes``.

    Returns
    -------
    (3, 2) float array
        nibabel orientation: new axis and sign (+1 or -1) of each axis of the grid.
    """
    start: Any = nib.orientations.io_orientation(grid.affine)
    end: Any = nib.orientations.axcodes2ornt(axcodes)
    transform: NDArray[np.float64] = nib.orientations.ornt_transform(start, end)
    return transform
