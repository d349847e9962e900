"""Keep how far a mask reaches in some of its slices: enough to draw a small picture of it, and a few hundred bytes."""

import nibabel as nib
import numpy as np

from bids_deepseg.geometry.grid import AXIS_IS, CANONICAL_AXCODES, Grid, orientation_between
from bids_deepseg.geometry.volume import Volume

#: Most slices that are kept of a mask: a small picture has not many more rows.
MOST_SLICES = 48

#: Of some slices on canonical axes, the slice, and where the mask has voxels in it the first and last of them along i
#: (towards left) and along j (towards anterior): ``(k, i_first, i_last, j_first, j_last)``, or ``(k,)``.
Extent = tuple[tuple[int, ...], ...]


def extent_of(mask: Volume, grid: Grid) -> Extent:
    """Return how far a mask reaches.

    Parameters
    ----------
    mask : Volume
        uint8 mask on ``grid``, or on that of some of its slices.
    grid : Grid
        Native grid of the image.

    Returns
    -------
    tuple of tuple of int
        :data:`Extent` in voxels of the image on canonical axes, evenly spread from the first to the last slice with a
        mask; empty without a mask.
    """
    transform = orientation_between(mask.grid, CANONICAL_AXCODES)
    # A view: a copy of a large mask would take long.
    turned = nib.orientations.apply_orientation(mask.data, transform)
    along_i, along_j = turned.any(1), turned.any(0)
    present = np.flatnonzero(along_i.any(0))
    if not len(present):
        return ()
    count = min(MOST_SLICES, present[-1] - present[0] + 1)
    chosen = np.unique(np.linspace(present[0], present[-1], count).round().astype(int))
    numbers = _numbers(chosen, mask.grid, grid)
    found = []
    for k, number in zip(chosen, numbers, strict=True):
        i, j = (np.flatnonzero(along[:, k]) for along in (along_i, along_j))
        box = (i[0], i[-1], j[0], j[-1]) if len(i) else ()
        found.append(tuple(int(n) for n in (number, *box)))
    return tuple(found)


def _numbers(chosen: "np.ndarray[tuple[int], np.dtype[np.intp]]", own: Grid, grid: Grid) -> list[int]:
    """Return the numbers that slices of a grid have on another grid with the same axes, both canonical."""
    affines = []
    for each in (own, grid):
        transform = orientation_between(each, CANONICAL_AXCODES)
        affines.append(each.affine @ nib.orientations.inv_ornt_aff(transform, each.shape))
    voxels = np.zeros((4, len(chosen)))
    voxels[AXIS_IS], voxels[3] = chosen, 1.0
    placed = np.linalg.inv(affines[1]) @ affines[0] @ voxels
    return [int(number) for number in np.rint(placed[AXIS_IS])]
