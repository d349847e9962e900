"""Measure whether the image shows a border where the mask has one."""

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.judge.evidence import Surroundings

#: Offsets at which the border is looked for, in mm from the mask's border, and the width of each band.
OFFSETS_MM = np.arange(-3.0, 3.5, 0.5)
_BAND_MM = 0.5

#: Largest part of the change at the border that may be left between it and a stronger change elsewhere, for the border
#: to be an edge of its own: the dura beyond bright fluid, or bone, often is the stronger one.
_VALLEY = 0.85

#: Rings that are compared: the core of the mask and what lies closely around it.
_RING_MM = 3.0


def edge_profile(around: Surroundings) -> NDArray[np.float64]:
    """Return the mean change of brightness across curves parallel to the mask's border.

    Returns
    -------
    (13,) float array
        Mean absolute derivative of the image along the outward normal at each of :data:`OFFSETS_MM`, relative to its
        mean over all of them; NaN where the image is even.
    """
    zi, zj = around.zooms[:2]
    band = max(_BAND_MM, 0.6 * max(zi, zj))
    totals, counts = np.zeros(len(OFFSETS_MM)), np.zeros(len(OFFSETS_MM))
    for k in np.flatnonzero(around.mask.any((0, 1))):
        distance = around.distance_mm[..., k]
        if min(distance.shape) < 2:
            continue
        gi, gj = np.gradient(around.image[..., k].astype(np.float64), zi, zj)
        ni, nj = np.gradient(distance, zi, zj)
        across = np.abs(gi * ni + gj * nj) / np.maximum(np.hypot(ni, nj), 1e-6)
        for n, offset in enumerate(OFFSETS_MM):
            near = np.abs(distance - offset) <= band
            totals[n] += across[near].sum()
            counts[n] += near.sum()
    profile = totals / np.maximum(counts, 1)
    profile[counts == 0] = np.nan
    mean = np.nanmean(profile) if np.isfinite(profile).any() else 0.0
    return np.asarray(profile / mean) if mean > 0 else np.full(len(OFFSETS_MM), np.nan)


def edge_strength(profile: NDArray[np.float64]) -> float:
    """Return the change of brightness at the mask's border relative to the strongest at another offset; at most 1.

    It is 1 where the image changes less between the two than at both: then the border is an edge of its own.
    """
    middle = len(profile) // 2
    strongest = np.nanmax(profile) if np.isfinite(profile).any() else np.nan
    if not strongest > 0:
        return float("nan")
    near = profile[middle - 1 : middle + 2]
    here, place = float(np.nanmax(near)), middle - 1 + int(np.nanargmax(near))
    other = int(np.nanargmax(profile))
    between = profile[min(place, other) : max(place, other) + 1]
    return 1.0 if np.nanmin(between) <= _VALLEY * here else here / float(strongest)


def ring_contrast(around: Surroundings) -> float:
    """Return the difference of mean brightness between mask and ring, relative to their spread; median of the slices.

    Two rings are taken, 0 to 1.5 mm and 1.5 to 3 mm outside, and the larger difference counts: where the cord touches
    the dura, fluid and bone average out in a wide ring.
    """
    half = _RING_MM / 2
    values = []
    for k in np.flatnonzero(around.mask.any((0, 1))):
        distance, image = around.distance_mm[..., k], around.image[..., k].astype(np.float64)
        core = image[distance < 0]
        found = [0.0]
        for low, high in ((0.0, half), (half, _RING_MM)):
            ring = image[(distance > low) & (distance <= high)]
            spread = np.sqrt((core.var() + ring.var()) / 2) if ring.size else 0.0
            if spread > 0:
                found.append(abs(float(core.mean() - ring.mean())) / float(spread))
        values.append(max(found))
    return float(np.median(values)) if values else float("nan")
