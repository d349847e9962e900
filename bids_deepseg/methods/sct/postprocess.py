"""Clean the probability of each slice [1.5, step 7], and the mask as a whole [1.8].

Slices come from inferior to superior. Of the mask, far objects, empty slices and slices at the ends are cleaned.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.resample import stretch
from bids_deepseg.methods.sct.settings import EDGE_SHARE, EDGE_SLICES, LONGEST_HOLE_MM, SMALLEST_BLOB

#: Pixel size at which areas are measured, and pixels left around the object [1.8].
_AREA_PIXEL_MM, _AREA_MARGIN_PX = 0.1, 3


@dataclass(frozen=True, slots=True, eq=False)
class Cleaned:
    """A cleaned mask and what was done to it.

    Attributes
    ----------
    data : (I, J, K) float32 array
        Mask of 0 and 1, or a probability.
    filled : (K,) bool array
        Empty slices that were filled from their neighbours.
    removed : (K,) bool array
        Slices that lost everything.
    """

    data: NDArray[np.float32]
    filled: NDArray[np.bool_]
    removed: NDArray[np.bool_]


def clean_volume(data: NDArray[np.float32], zooms: tuple[float, float, float], *, all_quirks: bool) -> Cleaned:
    """Remove small objects above the cord, fill empty slices and remove end slices that are too small.

    Parameters
    ----------
    data : (I, J, K) float32 array
        Mask of 0 and 1, or a probability, on canonical axes; not empty.
    zooms : (float, float, float)
        Voxel size in mm.
    all_quirks : bool
        Repeat Q3 (nothing is filled) and Q4 (end slices are often not tested).
    """
    mask = remove_blobs_above(data > 0)
    holes = list_holes(mask, zooms[2], drop_first=all_quirks)
    whole = data * mask
    for start, end in holes:
        mask[..., start:end] |= (mask[..., start - 1] | mask[..., end])[..., None]
        whole[..., start:end] = np.maximum(whole[..., start - 1], whole[..., end])[..., None]
    mask = remove_small_ends(mask, zooms, all_quirks=all_quirks)
    # Q3: the reference fills a working copy, and only takes from it what is to be removed.
    result = (data if all_quirks else whole) * mask
    before, after = np.asarray(data.any((0, 1))), np.asarray(result.any((0, 1)))
    return Cleaned(np.asarray(result, np.float32), after & ~before, before & ~after)


def remove_blobs_above(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Remove objects above the top slice of the largest one that have less than a tenth of its voxels.

    Objects are connected through sides (Q17).
    """
    out = mask.copy()
    labels, n_objects = ndimage.label(mask)
    if n_objects < 2:
        return out
    sizes = np.bincount(labels.ravel())[1:]
    largest = 1 + int(np.argmax(sizes))
    top = int(np.flatnonzero((labels == largest).any((0, 1)))[-1])
    above = out[..., top + 1 :]
    pieces, n_pieces = ndimage.label(above)
    for piece in range(1, n_pieces + 1):
        if (pieces == piece).sum() < SMALLEST_BLOB * sizes[largest - 1]:
            above[pieces == piece] = False
    return out


def list_holes(mask: NDArray[np.bool_], slice_mm: float, *, drop_first: bool) -> list[tuple[int, int]]:
    """Return first and one-past-last slice of the short runs of empty slices between others.

    ``drop_first`` leaves out the lowest empty slice of all (part of Q3).
    """
    present = np.flatnonzero(mask.any((0, 1)))
    if len(present) == 0:
        return []
    empty = np.setdiff1d(np.arange(present[0], present[-1]), present)[1 if drop_first else 0 :]
    if len(empty) == 0:
        return []
    runs = np.split(empty, np.flatnonzero(np.diff(empty) > 1) + 1)
    return [(int(run[0]), int(run[-1]) + 1) for run in runs if (len(run) + 1) * slice_mm < LONGEST_HOLE_MM]


def remove_small_ends(
    mask: NDArray[np.bool_], zooms: tuple[float, float, float], *, all_quirks: bool
) -> NDArray[np.bool_]:
    """Empty the lowest and the highest slice if their area is less than half of the median of the five slices there.

    With all quirks the lower five are counted from slice 0, so there is no test when the mask starts above slice 4;
    the upper test needs the mask to reach slice 4; and an empty slice among the five ends either test (Q4).
    """
    out = mask.copy()
    areas = np.array([slice_area_mm2(mask[..., k], zooms) for k in range(mask.shape[2])])
    present = np.flatnonzero(areas > 0)
    if len(present) == 0:
        return out
    first, last = int(present[0]), int(present[-1])
    if all_quirks:
        empty = np.where(areas > 0, areas, np.nan)
        lower = empty[first:EDGE_SLICES]
        upper = empty[last - EDGE_SLICES + 1 : last + 1] if last >= EDGE_SLICES - 1 else empty[:0]
    else:
        lower, upper = areas[present[present < first + EDGE_SLICES]], areas[present[present > last - EDGE_SLICES]]
    for k, window in ((first, lower), (last, upper)):
        if len(window) and areas[k] < EDGE_SHARE * np.median(window):
            out[..., k] = False
    return out


def slice_area_mm2(mask: NDArray[np.bool_], zooms: tuple[float, float, float]) -> float:
    """Return the area of a slice, not corrected for the angle, after its box was resampled to 0.1 mm."""
    if not mask.any():
        return 0.0
    i, j = np.nonzero(mask)
    low = np.maximum([i.min() - _AREA_MARGIN_PX, j.min() - _AREA_MARGIN_PX], 0)
    high = np.array([i.max(), j.max()]) + _AREA_MARGIN_PX + 1
    box = mask[low[0] : high[0], low[1] : high[1]].astype(np.float32)
    sides = [max(1, round(n * zoom / _AREA_PIXEL_MM)) for n, zoom in zip(box.shape, zooms[:2], strict=True)]
    fine = stretch(box, tuple(sides))
    pixel_mm2 = box.shape[0] * zooms[0] / sides[0] * box.shape[1] * zooms[1] / sides[1]
    return float((fine > 0.5).sum() * pixel_mm2)


def clean_slices(probability: NDArray[np.float32], threshold: float) -> NDArray[np.float32]:
    """Threshold, fill holes and keep one object per slice.

    Parameters
    ----------
    probability : (H, W, K) float32 array
        Answers of the network.
    threshold : float
        Pixels above it are cord.

    Returns
    -------
    (H, W, K) float32 array
        0 and 1.
    """
    out = np.zeros(probability.shape, np.float32)
    centre = None
    for k in range(probability.shape[2]):
        mask = keep_one_object(fill_holes(probability[..., k] > threshold), centre)
        if mask.any():
            # The centre is remembered across empty slices.
            centre = ndimage.center_of_mass(mask)
        out[..., k] = mask
    return out


def fill_holes(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Fill what the background does not reach through sides or corners: a diagonal gap leaves a hole open."""
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(mask, structure=np.ones((3, 3)))
    return filled


def keep_one_object(mask: NDArray[np.bool_], centre: tuple[float, ...] | None) -> NDArray[np.bool_]:
    """Keep, of several objects connected through sides (Q17), that at the rounded centre, otherwise the largest."""
    labels, n_objects = ndimage.label(mask)
    if n_objects < 2:
        return mask
    label = 0 if centre is None else labels[tuple(np.rint(centre).astype(int))]
    if label == 0:
        label = 1 + np.argmax(np.bincount(labels.ravel())[1:])
    return np.asarray(labels == label)
