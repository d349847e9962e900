"""Measure how sure the networks are, and whether the mask is what they see.

The *expected Dice* of a mask M under a probability p is ``2 sum of p in M / (size of M + sum of p)``: the soft Dice
(Milletari et al. 2016, V-Net, eq. of the Dice loss with sums in place of squares) between the mask and the probability.
It is near to 1 only where the mask is all that the networks see and they are sure of it.

A network answers with the fraction of cord in a voxel, so that even a perfect one is at a half in the middle of a
border. How much of a mask is border depends on the size of the cord and of the voxels, and not on the network.
"""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.judge.evidence import Evidence, Surroundings

#: Points along each side of a voxel at which the ellipse is sampled.
_POINTS = 5


def best_certainty(mask: NDArray[np.bool_], zooms: tuple[float, ...]) -> tuple[float, float]:
    """Return what the exact fractions of cord say of the mask of one slice, as if it was an ellipse.

    Parameters
    ----------
    mask : (I, J) bool array
        Slice of a mask; not empty.
    zooms : (float, float)
        Size of a pixel.

    Returns
    -------
    dice : float
        Expected Dice (:mod:`bids_deepseg.judge.certainty`) of the pixels that are at least half cord.
    mean : float
        Mean fraction of cord in them. Both are NaN where no pixel is half cord.
    """
    i, j = np.nonzero(mask)
    part = np.ascontiguousarray(mask[i.min() : i.max() + 1, j.min() : j.max() + 1], np.bool_)
    return _of_shape(part.tobytes(), (part.shape[0], part.shape[1]), (float(zooms[0]), float(zooms[1])))


@lru_cache(maxsize=4096)
def _of_shape(part: bytes, shape: tuple[int, int], zooms: tuple[float, float]) -> tuple[float, float]:
    """Return the certainty of a mask, wherever it lies: several rules ask about the same slices."""
    i, j = np.nonzero(np.frombuffer(part, np.bool_).reshape(shape))
    step = np.array(zooms)
    points = np.stack([i, j], 1) * step
    centre = points.mean(0)
    # A pixel is no point: it adds the moments of its own area.
    moments = (points - centre).T @ (points - centre) / len(i) + np.diag(step**2) / 12
    # The ellipse with these moments, scaled to the area of the mask.
    moments *= len(i) * step.prod() / (4 * np.pi * np.sqrt(np.linalg.det(moments)))
    inverse = np.linalg.inv(moments) / 4
    within = (np.arange(_POINTS) + 0.5) / _POINTS - 0.5
    low, high = np.stack([i, j], 1).min(0) - 1, np.stack([i, j], 1).max(0) + 2
    sides = [np.add.outer(np.arange(low[n], high[n]), within).ravel() * step[n] - centre[n] for n in range(2)]
    x, y = sides[0][:, None], sides[1][None]
    inside = inverse[0, 0] * x * x + 2 * inverse[0, 1] * x * y + inverse[1, 1] * y * y <= 1
    fraction = inside.reshape(high[0] - low[0], _POINTS, high[1] - low[1], _POINTS).mean((1, 3))
    own = fraction >= 0.5
    if not own.any():
        return float("nan"), float("nan")
    total = own.sum() + fraction.sum()
    return float(2 * fraction[own].sum() / total), float(fraction[own].mean())


#: Probability below which a voxel of the mask is one that the network denies, and above which it misses one.
_DENIED, _SURE = 0.2, 0.8

#: Heat is a rival of the path's when it is farther away than a wide cord's diameter.
_RIVAL_MM = 15.0


def whole_expected_dice(around: Surroundings) -> float:
    """Return the expected Dice of the whole mask."""
    total = float(around.mask.sum() + around.probability.sum(dtype=np.float64))
    return 2 * float((around.probability * around.mask).sum(dtype=np.float64)) / total if total > 0 else 0.0


def certainty(around: Surroundings, threshold: float = 0.5) -> float:
    """Return how sure the network is of its own mask, whatever mask is judged: the median of its slices; 0 of none."""
    known = slice_certainty(around, threshold)
    known = known[np.isfinite(known)]
    return float(np.median(known)) if len(known) else 0.0


def agreement(around: Surroundings, threshold: float = 0.5) -> float:
    """Return the Dice of the mask and the network's own."""
    return dice(around.mask, around.probability >= threshold)


def slice_agreement(around: Surroundings, threshold: float = 0.5) -> NDArray[np.float64]:
    """Return the Dice of the mask and the network's own in each slice; NaN where both have little to compare.

    A slice with less of both than a small cord's area (15 mm²) has nothing to agree about.
    """
    own = around.probability >= threshold
    least = 15.0 / (around.zooms[0] * around.zooms[1])
    both, size = (around.mask & own).sum((0, 1)), around.mask.sum((0, 1)) + own.sum((0, 1))
    return np.where(size >= least, 2 * both / np.maximum(size, 1), np.nan)


def slice_certainty(around: Surroundings, threshold: float = 0.5) -> NDArray[np.float64]:
    """Return the expected Dice of the network's own mask in each slice, relative to that of exact fractions of cord.

    NaN in slices without such a mask, and in those of the lower end of the cord.
    """
    own = around.probability >= threshold
    mass = (around.probability * own).sum((0, 1), dtype=np.float64)
    total = own.sum((0, 1)) + around.probability.sum((0, 1), dtype=np.float64)
    found = np.full(own.shape[2], np.nan)
    for k in np.flatnonzero(own.any((0, 1)) & ~around.is_end):
        found[k] = min(1.0, 2 * mass[k] / total[k] / best_certainty(own[..., k], around.zooms)[0])
    return found


def denied_share(around: Surroundings) -> float:
    """Return the share of the mask that the network sees as something else."""
    return float((around.probability[around.mask] < _DENIED).mean()) if around.mask.any() else 1.0


def missed_share(around: Surroundings) -> float:
    """Return the voxels that the network is sure of and that the mask lacks, relative to the mask's."""
    missed = float(((around.probability > _SURE) & ~around.mask).sum())
    return missed / max(1.0, float(around.mask.sum()))


def disagreement(evidence: Evidence) -> float:
    """Return the difference between the answers to patches and to their mirror images, relative to their sum.

    It is the median of the slices with a mask that was not bridged.
    """
    if evidence.spread is None:
        return float("nan")
    mass, spread = (volume.data.sum((0, 1), dtype=np.float64) for volume in (evidence.probability, evidence.spread))
    known = (mass > 0) & evidence.mask.volume.data.any((0, 1)) & evidence.segmented
    return float(np.median(spread[known] / mass[known])) if known.any() else float("nan")


def inverted_mm(evidence: Evidence) -> float:
    """Return by how much the border moves when bright and dark are exchanged.

    If the border of a disc with the radius r moves by d, the answers differ by about d / r of their sum: the same d is
    a larger part of a thin cord.
    """
    area = evidence.metrics.columns()["area_mm2"]
    return evidence.inverted * float(np.sqrt(np.nanmedian(area) / np.pi)) if np.isfinite(area).any() else float("nan")


def other_dice(evidence: Evidence) -> float:
    """Return the Dice of the mask with that of another network, in the slices that were not bridged."""
    if evidence.other is None:
        return float("nan")
    return dice((evidence.mask.volume.data > 0) & evidence.segmented, (evidence.other.data >= 0.5) & evidence.segmented)


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return the Dice of two masks, 1 when both are empty."""
    total = int(a.sum()) + int(b.sum())
    return 2 * int((a & b).sum()) / total if total else 1.0


def path_heat(evidence: Evidence) -> float:
    """Return the heat that a quarter of the slices of the path reach, those left out that were bridged."""
    heat = evidence.centerline.heat[evidence.segmented[evidence.centerline.k]]
    return float(np.percentile(heat, 75)) if evidence.heatmap and len(heat) else float("nan")


def rival_heat(evidence: Evidence) -> float:
    """Return the largest heat far from the path relative to that at the path; median of the slices not bridged."""
    if evidence.heatmap is None:
        return float("nan")
    volume, centerline = evidence.heatmap.volume, evidence.centerline
    points = volume.grid.world_to_voxel(centerline.xyz)
    zi, zj, _ = volume.grid.zooms
    i, j = (np.arange(n) for n in volume.data.shape[:2])
    shares = []
    for point, heat, is_segmented in zip(points, centerline.heat, evidence.segmented[centerline.k], strict=True):
        k = round(float(point[2]))
        if not (is_segmented and 0 <= k < volume.data.shape[2]):
            continue
        far = ((i - point[0]) * zi)[:, None] ** 2 + ((j - point[1]) * zj)[None] ** 2 > _RIVAL_MM**2
        rival = float(volume.data[..., k][far].max()) if far.any() else 0.0
        shares.append(rival / max(float(heat), 0.05))
    return float(np.median(shares)) if shares else float("nan")


def roughness(around: Surroundings) -> float:
    """Return how much neighbouring slices of the mask differ, their centres aligned: the mean of 1 - Dice."""
    present = np.flatnonzero(around.mask.any((0, 1)))
    centres = {int(k): ndimage.center_of_mass(around.mask[..., k]) for k in present}
    values = []
    for k in present[:-1]:
        if k + 1 not in centres:
            continue
        move = np.rint(np.subtract(centres[int(k)], centres[int(k) + 1])).astype(int)
        values.append(1 - dice(around.mask[..., k], np.roll(around.mask[..., k + 1], move, (0, 1))))
    return float(np.mean(values)) if values else float("nan")
