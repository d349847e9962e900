"""Bring an image and what was found in it to canonical axes, and find where the cord runs in each slice.

The *course* gives the in-plane position (i, j) of the cord in each slice of the canonical grid.
"""

from dataclasses import dataclass, field
from typing import Any

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import AXIS_IS, AXIS_PA, AXIS_RL, CANONICAL_AXCODES, Grid, orientation_between
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.report.heat import Heat


@dataclass(frozen=True, slots=True, eq=False)
class CordImage:
    """An image on canonical axes with what was found in it.

    Attributes
    ----------
    data : (I, J, K) float32 array
        Image.
    mask : (I, J, K) bool array or None
        Cord.
    probability : (I, J, K) float32 array or None
        Probability of cord.
    course : (K, 2) float array
        Where the cord is, or would be, in each slice.
    found : (K,) bool array
        Slices in which the course or the mask saw a cord.
    numbers : (K,) int array
        Native numbers of the slices.
    zooms : (float, float, float)
        Voxel size in mm.
    structure : (I, J, K) bool array or None
        Structure inside the cord.
    heat : Heat or None
        What the detection network saw.
    centres : (K, 2) float array
        Centre of the mask in each slice, NaN without mask.
    """

    data: NDArray[np.float32]
    mask: NDArray[np.bool_] | None
    probability: NDArray[np.float32] | None
    course: NDArray[np.float64]
    found: NDArray[np.bool_]
    numbers: NDArray[np.intp]
    zooms: tuple[float, float, float]
    structure: NDArray[np.bool_] | None = None
    heat: Heat | None = None
    centres: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        centres = np.full((len(self.numbers), 2), np.nan) if self.mask is None else _centres(self.mask)
        object.__setattr__(self, "centres", centres)

    @property
    def seen(self) -> bool:
        """Whether a cord was seen anywhere; if not, whole slices are shown."""
        return bool(self.found.any())


def cord_image(
    image: Volume,
    mask: Volume | None,
    probability: Volume | None,
    centerline_xyz: NDArray[np.float64] | None,
    structure: Volume | None = None,
    heat: Volume | None = None,
) -> CordImage:
    """Bring an image and its results to canonical axes, without a copy of them.

    Parameters
    ----------
    image, mask, probability, structure : Volume
        On one native grid; the last one is the mask of a structure inside the cord.
    centerline_xyz : (N, 3) float array or None
        Course of the cord in RAS+ mm; without one the centres of the mask's slices are taken.
    heat : Volume or None
        What the detection network saw, on any grid.
    """
    transform = orientation_between(image.grid, CANONICAL_AXCODES)
    data = _turned(image, transform)
    affine = image.grid.affine @ nib.orientations.inv_ornt_aff(transform, image.grid.shape)
    grid = Grid(data.shape, affine)
    inside = None if mask is None else _as_bool(_turned(mask, transform))
    inner = None if structure is None else _as_bool(_turned(structure, transform))
    sure = None if probability is None else _turned(probability, transform)
    points = np.empty((0, 3))
    if centerline_xyz is not None and len(centerline_xyz):
        points = grid.world_to_voxel(centerline_xyz)
    elif inside is not None:
        centres = _centres(inside)
        present = np.flatnonzero(np.isfinite(centres[:, 0]))
        points = np.column_stack([centres[present], present])
    course, found = _course(points, grid.shape)
    if inside is not None:
        found |= inside.any((0, 1))
    numbers = _native_numbers(image.grid)
    seen = None if heat is None else Heat.on(heat, grid)
    return CordImage(data, inside, sure, course, found, numbers, grid.zooms, inner, seen)


def _turned(volume: Volume, transform: NDArray[np.float64]) -> NDArray[Any]:
    """Return the values on other axes, as a view: a copy of a large image needs more memory than all the rest."""
    return np.asarray(nib.orientations.apply_orientation(volume.data, transform))


def _as_bool(mask: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return a mask of 0 and 1 as a view."""
    return mask.view(np.bool_)


def _course(points: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Interpolate points (N, 3) in voxels to one position in each slice; beyond the ends the last one stays."""
    k = np.arange(shape[AXIS_IS])
    if not len(points):
        return np.tile((np.array(shape[:2]) - 1) / 2, (len(k), 1)), np.zeros(len(k), bool)
    points = points[np.argsort(points[:, 2])]
    course = np.column_stack([np.interp(k, points[:, 2], points[:, axis]) for axis in (AXIS_RL, AXIS_PA)])
    found = (k >= points[0, 2] - 0.5) & (k <= points[-1, 2] + 0.5)
    return np.clip(course, 0, np.array(shape[:2]) - 1), found


def _centres(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the centre of mass (K, 2) of each slice, NaN for one without mask.

    Slices lie apart in memory, so each look at one of a large image takes long; all are summed at once.
    """
    along = [np.flatnonzero(mask.any(axes)) for axes in ((1, 2), (0, 2))]
    box = mask[np.ix_(*along)] if all(map(len, along)) else mask[:0, :0]
    counts = box.sum((0, 1)).astype(float)
    counts[counts == 0] = np.nan
    sums = [index @ box.sum(1 - axis) for axis, index in enumerate(along)] if box.size else [counts, counts]
    return np.column_stack([total / counts for total in sums])


def _native_numbers(grid: Grid) -> NDArray[np.intp]:
    """Return the native number of each canonical slice."""
    axis = grid.slice_axis
    numbers = np.arange(grid.shape[axis])
    return numbers if grid.axcodes[axis] == "S" else numbers[::-1]
