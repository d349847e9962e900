"""Turn the probability into the mask: threshold on the native voxels, one object per slice, no holes, no short gaps.

Terms: a *gap* is a run of slices without mask between slices with mask; a *piece* is a run of slices with mask.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.errors import EmptyMaskError
from bids_deepseg.geometry.grid import AXIS_IS, Grid
from bids_deepseg.geometry.resample import resample_onto
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.findings import Measured

#: Gaps shorter than this are bridged; the reference method has the same limit (Gros et al. 2019, its release).
BRIDGED_GAP_MM = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class CordMask:
    """The mask and what was done to it.

    Attributes
    ----------
    volume : Volume
        uint8 mask on canonical axes.
    bridged : (K,) bool array
        Slices whose mask was interpolated between their neighbours.
    n_gaps : int
        Gaps too long to be bridged.
    n_dropped : int
        Slices of small pieces that were removed, cut off from the rest by a long gap.
    """

    volume: Volume
    bridged: NDArray[np.bool_]
    n_gaps: int
    n_dropped: int


def probability_on(probability: Volume, canonical: Grid) -> Volume:
    """Resample the probability to the voxels of the image; coarser voxels get the mean over their area."""
    resampled = resample_onto(probability, canonical, outside="zero")
    return Volume(np.clip(resampled.data, 0, 1), canonical)


def make_mask(probability: Volume, centerline: Centerline, *, threshold: float, is_soft: bool) -> CordMask:
    """Threshold a probability, and clean the mask up unless the result is to stay as it came out."""
    if is_soft:
        return raw_mask(probability, threshold=threshold)
    return clean_mask(probability, centerline, threshold=threshold)


def clean_mask(probability: Volume, centerline: Centerline, *, threshold: float) -> CordMask:
    """Threshold the probability and keep one cord.

    Parameters
    ----------
    probability : Volume
        float32 probability on canonical axes.
    centerline : Centerline
        Course of the cord: of several objects in a slice, the best supported one near to it is kept.
    threshold : float
        Voxels with at least this probability are cord.

    Returns
    -------
    CordMask
        At most one object without holes in every slice.

    Raises
    ------
    EmptyMaskError
        If no voxel reaches the threshold.
    """
    mask = _at_least(probability, threshold)
    centres = probability.grid.world_to_voxel(centerline.xyz)[:, :2]
    box, corner = _box_around(mask)
    for k, centre in zip(centerline.k, centres, strict=True):
        place = (*box, k)
        mask[place] = _keep_one_object(mask[place], probability.data[place], centre - corner, probability.grid.zooms)
    _check_not_empty(mask, probability, threshold)
    thickness_mm = probability.grid.zooms[AXIS_IS]
    n_dropped = _drop_small_pieces(mask, thickness_mm)
    bridged, n_gaps = _bridge_gaps(mask, thickness_mm)
    return CordMask(Volume(mask.astype(np.uint8), probability.grid), bridged, n_gaps, n_dropped)


def raw_mask(probability: Volume, *, threshold: float) -> CordMask:
    """Threshold the probability and leave the mask as it is: any number of objects, holes and gaps.

    Parameters
    ----------
    probability : Volume
        float32 probability on canonical axes.
    threshold : float
        Voxels with at least this probability are cord.

    Raises
    ------
    EmptyMaskError
        If no voxel reaches the threshold.
    """
    mask = _at_least(probability, threshold)
    _check_not_empty(mask, probability, threshold)
    thickness_mm = probability.grid.zooms[AXIS_IS]
    n_long = sum((end - start) * thickness_mm >= BRIDGED_GAP_MM for start, end in _gaps(mask))
    return CordMask(Volume(mask.astype(np.uint8), probability.grid), np.zeros(mask.shape[2], bool), n_long, 0)


def _box_around(mask: NDArray[np.bool_]) -> tuple[tuple[slice, slice], NDArray[np.intp]]:
    """Return the part of the slices that holds all of the mask, with a margin of one pixel, and its first pixel."""
    sides = []
    for axis in range(2):
        found = np.flatnonzero(mask.any((1 - axis, 2)))
        first, last = (found[0], found[-1]) if len(found) else (0, 0)
        sides.append(slice(max(0, int(first) - 1), int(last) + 2))
    return (sides[0], sides[1]), np.array([side.start for side in sides])


def _at_least(probability: Volume, threshold: float) -> NDArray[np.bool_]:
    """Return the voxels that reach the threshold; a probability of 0 is never cord, whatever the threshold."""
    mask: NDArray[np.bool_] = (probability.data >= threshold) & (probability.data > 0)
    return mask


def _check_not_empty(mask: NDArray[np.bool_], probability: Volume, threshold: float) -> None:
    """Refuse a mask without voxel."""
    if not mask.any():
        largest = Measured(probability.data.max(), threshold)
        raise EmptyMaskError(
            f"A cord was found but no voxel has a probability of {threshold} or more (largest: "
            f"{largest:.2f}). Look at the image: is the contrast between cord and surroundings visible?"
        )


def _keep_one_object(
    mask: NDArray[np.bool_],
    probability: NDArray[np.float32],
    centre: NDArray[np.float64],
    zooms: tuple[float, float, float],
) -> NDArray[np.bool_]:
    """Keep the object of a slice with the most probability near to the centre, and fill its holes.

    The weight of a pixel falls with its distance from the centre (standard deviation 8 mm, a wide cord's diameter).
    """
    labels, n_objects = ndimage.label(mask)
    if n_objects > 1:
        i, j = (np.arange(n) for n in mask.shape)
        square_mm = ((i - centre[0]) * zooms[0])[:, None] ** 2 + ((j - centre[1]) * zooms[1])[None] ** 2
        support = ndimage.sum_labels(
            probability * np.exp(-square_mm / (2 * 8.0**2)), labels, np.arange(1, n_objects + 1)
        )
        labels = labels == 1 + np.argmax(support)
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(labels)
    return filled


def _slices_with(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the slices (K,) that hold mask."""
    return np.asarray(mask.any((0, 1)))


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and one-past-last index of each run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _gaps(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and one-past-last slice of each gap."""
    present = _slices_with(mask)
    first, last = np.flatnonzero(present)[[0, -1]]
    inside = np.zeros_like(present)
    inside[first : last + 1] = True
    return _runs(inside & ~present)


def _drop_small_pieces(mask: NDArray[np.bool_], thickness_mm: float) -> int:
    """Remove, in place, pieces that a long gap cuts off and that are shorter than that limit and than the rest."""
    long_gap = np.zeros(mask.shape[2], bool)
    for start, end in _gaps(mask):
        long_gap[start:end] = (end - start) * thickness_mm >= BRIDGED_GAP_MM
    present = _slices_with(mask)
    first, last = np.flatnonzero(present)[[0, -1]]
    occupied = ~long_gap
    occupied[:first] = occupied[last + 1 :] = False
    groups = _runs(occupied)
    longest = max(end - start for start, end in groups)
    n_dropped = 0
    for start, end in groups:
        if end - start < longest and (end - start) * thickness_mm < BRIDGED_GAP_MM:
            n_dropped += int(present[start:end].sum())
            mask[..., start:end] = False
    return n_dropped


def _bridge_gaps(mask: NDArray[np.bool_], thickness_mm: float) -> tuple[NDArray[np.bool_], int]:
    """Fill, in place, short gaps with shapes between those of the bordering slices.

    The shape is the zero level of the linear interpolation of the two signed distances, each taken around its own
    centre, which moves on a straight line: so a tilted cord stays a cord.
    """
    bridged = np.zeros(mask.shape[2], bool)
    n_long = 0
    for start, end in _gaps(mask):
        if (end - start) * thickness_mm >= BRIDGED_GAP_MM:
            n_long += 1
            continue
        below, above = mask[..., start - 1], mask[..., end]
        centres = np.array([ndimage.center_of_mass(below), ndimage.center_of_mass(above)])
        distances = [_signed_distance(below), _signed_distance(above)]
        for k in range(start, end):
            t = (k - start + 1) / (end - start + 1)
            centre = (1 - t) * centres[0] + t * centres[1]
            moved = [
                ndimage.shift(d, centre - c, order=1, mode="nearest") for d, c in zip(distances, centres, strict=True)
            ]
            mask[..., k] = (1 - t) * moved[0] + t * moved[1] > 0
            bridged[k] = mask[..., k].any()
    return bridged, n_long


def _signed_distance(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the distance to the border in pixels, positive inside."""
    inside: NDArray[np.float64] = ndimage.distance_transform_edt(mask)
    outside: NDArray[np.float64] = ndimage.distance_transform_edt(~mask)
    return np.where(mask, inside - 0.5, 0.5 - outside)
