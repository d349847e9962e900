"""Measure the border of a mask in the image, its shape, its place, and whether the image holds numbers there."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.judge.evidence import Evidence, Surroundings

#: Offsets at which the border is looked for, in mm from the mask's border, and the width of each band.
OFFSETS_MM = np.arange(-3.0, 3.5, 0.5)

_BAND_MM = 0.5

#: Largest part of the change at the border that may be left between it and a stronger change elsewhere, for the border
#: to be an edge of its own: the dura beyond bright fluid, or bone, often is the stronger one.
_VALLEY = 0.85

#: Rings that are compared: the core of the mask and what lies closely around it.
_RING_MM = 3.0

#: Half of the side in mm of the square around the cord's centre that must hold numbers: a cord and its fluid.
HALF_SIDE_MM = 8.0

#: Distance of the points that are looked at.
_STEP_MM = 1.0


def n_objects(around: Surroundings) -> NDArray[np.float64]:
    """Return the number of separate objects in each slice."""
    eight = np.ones((3, 3))
    return np.array([ndimage.label(around.mask[..., k], eight)[1] for k in range(around.mask.shape[2])], float)


def hole_share(around: Surroundings) -> float:
    """Return the area of holes in the slices relative to the mask's."""
    filled = np.stack([ndimage.binary_fill_holes(around.mask[..., k]) for k in range(around.mask.shape[2])], axis=2)
    return float((filled & ~around.mask).sum()) / max(1.0, float(around.mask.sum()))


def asymmetry(around: Surroundings) -> NDArray[np.float64]:
    """Return 1 - Dice of each slice with its mirror image, left for right, about its centre of mass.

    The axis of the mirror is that of the image: a cord turned by a few degrees stays close to its mirror image.
    """
    values = []
    for k in np.flatnonzero(around.mask.any((0, 1))):
        inside = around.mask[..., k]
        i, j = np.nonzero(inside)
        mirrored = np.rint(2 * i.mean() - i).astype(int)
        within = (mirrored >= 0) & (mirrored < len(inside))
        values.append(1 - inside[mirrored[within], j[within]].sum() / len(i))
    return np.array(values)


def centre_steps_mm(evidence: Evidence) -> NDArray[np.float64]:
    """Return how far each slice's centre lies from the line through its neighbours', in mm in plane.

    The distance is reduced by what a smooth course may bend over thick slices: 1 mm for each 10 mm between slices.
    """
    centres, present = _mask_centres_mm(evidence)
    if len(present) < 3:
        return np.zeros(0)
    neighbours = (present[2:] - present[:-2]) == 2
    bend = np.linalg.norm(centres[1:-1] - (centres[2:] + centres[:-2]) / 2, axis=1)
    return np.asarray(np.maximum(0.0, bend - 0.1 * evidence.image.grid.zooms[2])[neighbours])


def apart_mm(evidence: Evidence) -> NDArray[np.float64]:
    """Return the distance in plane between the mask's centre and the centerline in each slice that has both."""
    centres, present = _mask_centres_mm(evidence)
    points = evidence.image.grid.world_to_voxel(evidence.centerline.xyz)
    known = {round(float(k)): (i, j) for i, j, k in points}
    zooms = np.array(evidence.image.grid.zooms[:2])
    found = [
        np.linalg.norm(c - np.array(known[int(k)]) * zooms) for c, k in zip(centres, present, strict=True) if k in known
    ]
    return np.array(found, float)


def _mask_centres_mm(evidence: Evidence) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the centre of each slice of the mask in mm from the image's first voxel, and the slices."""
    mask = evidence.mask.volume
    present = np.flatnonzero(mask.data.any((0, 1)))
    centres = [ndimage.center_of_mass(mask.data[..., k]) for k in present]
    return np.array(centres, float).reshape(-1, 2) * np.array(mask.grid.zooms[:2]), present


def border_share(evidence: Evidence) -> float:
    """Return the share of the slices with mask in which it touches the border of the field of view in plane."""
    mask = evidence.mask.volume.data > 0
    touching = np.asarray(mask[[0, -1]].any((0, 1)) | mask[:, [0, -1]].any((0, 1)))
    present = np.asarray(mask.any((0, 1)))
    return float(touching[present].mean()) if present.any() else 0.0


def reach_mm(evidence: Evidence) -> float:
    """Return how far the mask reaches from the centerline in plane: the 98th percentile of its voxels, in mm."""
    points = evidence.image.grid.world_to_voxel(evidence.centerline.xyz)
    zi, zj, _ = evidence.image.grid.zooms
    reaches = []
    for i0, j0, k0 in points:
        k = round(float(k0))
        if 0 <= k < evidence.image.data.shape[2]:
            i, j = np.nonzero(evidence.mask.volume.data[..., k])
            if len(i):
                reaches.append(float(np.maximum(np.abs(i - i0) * zi, np.abs(j - j0) * zj).max()))
    return float(np.max(reaches)) if reaches else float("nan")


def growth_upward(area: NDArray[np.float64], z_mm: NDArray[np.float64]) -> float:
    """Return the median area of the uppermost 10 mm of the cord relative to that of the 30 mm below it.

    The cord has about the same size from C1 to C3; the medulla widens above the foramen magnum.
    """
    known = np.isfinite(area)
    area, z = area[known], z_mm[known]
    if not len(z):
        return float("nan")
    depth = z.max() - z
    upper, lower = area[depth <= 10], area[(depth > 10) & (depth <= 40)]
    return float(np.median(upper) / np.median(lower)) if len(upper) and len(lower) >= 2 else float("nan")


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


def share_without_numbers(points_mm: NDArray[np.float64], replaced: NDArray[np.bool_], grid: Grid) -> float:
    """Return the share of the surroundings of a cord that held no numbers.

    Parameters
    ----------
    points_mm : (N, 3) float array
        Centerline in RAS+ mm, at least one point.
    replaced : (I, J, K) bool array
        Voxels whose value was NaN or infinite.
    grid : Grid
        Grid of these voxels.

    Returns
    -------
    float
        In [0, 1]; of the points in the field of view, within squares from right to left and from posterior to anterior.
    """
    offsets = np.arange(-HALF_SIDE_MM, HALF_SIDE_MM + _STEP_MM, _STEP_MM)
    x, y = (axis.ravel() for axis in np.meshgrid(offsets, offsets))
    square = np.column_stack([x, y, np.zeros_like(x)])
    n_bad = n_seen = 0
    for point in points_mm:
        ijk = np.rint(grid.world_to_voxel(point + square)).astype(int)
        inside = ijk[((ijk >= 0) & (ijk < grid.shape)).all(1)]
        n_seen += len(inside)
        n_bad += int(replaced[tuple(inside.T)].sum())
    return n_bad / n_seen if n_seen else 0.0
