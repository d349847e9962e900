"""Gather what a result is judged by, on the part of the image around the mask.

A mask may come from the networks, from another method or from a person: it is always judged by the image, by the
networks' probability and by its own shape.

Where the network saw no cord and the mask was bridged over a short gap, that is one fault with one reason
(``gap-bridged``, by the share of these slices). What the networks say there, and what the image shows, is not held
against the mask once more.

Where a cord ends inside the field of view, it tapers over 2 to 4 cm (the conus), with roots beside and below it that
look like it. Nobody can tell its tip to the millimetre, so its slices are judged by what is known of them: the area
falls, and networks are less sure than elsewhere.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.grid import AXIS_IS
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.heatmap import Heatmap
from bids_deepseg.stages.mask import CordMask
from bids_deepseg.stages.metrics import CordMetrics

#: Length of the taper, and the largest share of the mask that counts as it.
_TAPER_MM, _LARGEST_SHARE = 40.0, 1 / 3

#: Least part of the image below the mask: less may mean that the field of view ends, and not the cord.
_BELOW_MM = 20.0


def lower_end(mask: Volume) -> NDArray[np.bool_]:
    """Return the slices in which the cord tapers.

    Parameters
    ----------
    mask : Volume
        uint8 mask on canonical axes.

    Returns
    -------
    (K,) bool array
        The lowest 4 cm of the mask, at most a third of it; no slice where the image ends less than 2 cm below it.
    """
    end = np.zeros(mask.data.shape[AXIS_IS], bool)
    present = np.flatnonzero(mask.data.any((0, 1)))
    thickness_mm = mask.grid.zooms[AXIS_IS]
    if len(present) and present[0] * thickness_mm >= _BELOW_MM:
        length = present[-1] - present[0] + 1
        end[present[0] : present[0] + int(min(_TAPER_MM / thickness_mm, _LARGEST_SHARE * length))] = True
    return end


#: How far around mask and probability the image is looked at.
_MARGIN_MM = 12.0

#: Least probability that belongs to what the network sees as cord.
_FAINT = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """A result and everything that can speak for or against it.

    Attributes
    ----------
    image : Volume
        Image on canonical axes.
    mask : CordMask
        The mask that is judged and what was done to it, on the grid of the image.
    probability : Volume
        The networks' probability there.
    centerline : Centerline
        Course of the cord, on a grid with the same slices.
    metrics : CordMetrics
        Measures of the mask.
    heatmap : Heatmap, optional
        What the detection network saw.
    spread : Volume, optional
        Half of the difference between the answers to a patch and to its mirror image, on the grid of the image.
    other : Volume, optional
        Probability (or mask) of another network, on the grid of the image.
    inverted : float
        Difference between the networks' answers to patches and to those with bright and dark exchanged
        (:class:`bids_deepseg.stages.probability.Answers`), NaN if unknown.
    threshold : float
        Probability from which the network calls a voxel cord.
    """

    image: Volume
    mask: CordMask
    probability: Volume
    centerline: Centerline
    metrics: CordMetrics
    heatmap: Heatmap | None = None
    spread: Volume | None = None
    other: Volume | None = None
    inverted: float = math.nan
    threshold: float = 0.5

    @property
    def segmented(self) -> NDArray[np.bool_]:
        """Slices (K,) that were not bridged over: those in which networks and image can speak for or against a mask."""
        return ~self.mask.bridged


@dataclass(frozen=True, slots=True, eq=False)
class Surroundings:
    """The box around mask and probability, in the slices of the mask: all of them, or those that were not bridged.

    Attributes
    ----------
    mask : (I, J, K) bool array
        Mask.
    image, probability : (I, J, K) float array
        Image and probability.
    distance_mm : (I, J, K) float array
        Distance in plane from the border of the mask, negative inside; infinite in slices without mask.
    zooms : (float, float, float)
        Voxel size.
    is_end : (K,) bool array
        Slices of the lower end of the cord, where it tapers.
    """

    mask: NDArray[np.bool_]
    image: NDArray[np.float32]
    probability: NDArray[np.float32]
    distance_mm: NDArray[np.float64]
    zooms: tuple[float, float, float]
    is_end: NDArray[np.bool_]


def look_around(evidence: Evidence, *, with_bridged: bool = True) -> Surroundings:
    """Cut out the box around mask and probability and measure the distance from the mask's border.

    Parameters
    ----------
    evidence : Evidence
        The result and what is known of it.
    with_bridged : bool, optional
        Whether slices whose mask was bridged over a short gap are among the slices of the box.
    """
    mask = evidence.mask.volume.data > 0
    around = mask | (evidence.probability.data > _FAINT)
    if not with_bridged:
        around[..., evidence.mask.bridged] = False
    zooms = evidence.image.grid.zooms
    box = _box_around(around, zooms)
    kept = slice(None) if with_bridged else evidence.segmented[box[2]]
    inside = np.ascontiguousarray(mask[box][..., kept])
    distance = np.full(inside.shape, np.inf)
    for k in np.flatnonzero(inside.any((0, 1))):
        distance[..., k] = distance_mm(inside[..., k], zooms)
    image, probability = (volume.data[box][..., kept] for volume in (evidence.image, evidence.probability))
    return Surroundings(inside, image, probability, distance, zooms, lower_end(evidence.mask.volume)[box[2]][kept])


def _box_around(chosen: NDArray[np.bool_], zooms: tuple[float, float, float]) -> tuple[slice, slice, slice]:
    """Return the box of the chosen voxels, with a margin in plane."""
    ranges = []
    for axis in range(3):
        others = tuple(n for n in range(3) if n != axis)
        found = np.flatnonzero(chosen.any(others))
        margin = int(np.ceil(_MARGIN_MM / zooms[axis])) if axis < 2 else 0
        low, high = (int(found[0]), int(found[-1])) if len(found) else (0, chosen.shape[axis] - 1)
        ranges.append(slice(max(0, low - margin), min(chosen.shape[axis], high + 1 + margin)))
    return ranges[0], ranges[1], ranges[2]


def distance_mm(mask: NDArray[np.bool_], zooms: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the signed distance in plane from the border of a slice's mask: negative inside, 0 between two pixels."""
    half = min(zooms[0], zooms[1]) / 2
    inside: NDArray[np.float64] = ndimage.distance_transform_edt(mask, zooms[:2])
    outside: NDArray[np.float64] = ndimage.distance_transform_edt(~mask, zooms[:2])
    return np.where(mask, half - inside, outside - half)
