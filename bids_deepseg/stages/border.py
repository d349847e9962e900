"""Move the outline that the network found to where the image shows the border of the cord.

A network outlines a cord more tightly where it is bright, and where the image is blurred, so that the area of one cord
depends on the contrast. The image does not: a pixel that is half cord and half fluid has the middle brightness in every
contrast. So the outline is moved along its normals to the half-way brightness between cord and surroundings, and then
inwards by a constant distance, since this is where people draw it. Where the image shows no border, the network's
outline stays; nowhere does it move far, and never by the brightness of single voxels.

Terms: a *ray* leaves the middle of the cord in one of ``N_RAYS`` directions; a *profile* is the brightness along the
normal of the outline where a ray meets it; *depth* is the position in a profile, negative inside; the *film* is the
nearest tissue around the cord, in most contrasts fluid.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.edges import N_RAYS, REACH_MM, Array, Outline, directions, find_edges, sample

#: The outline lies this far inside the half-way brightness: about 8 % of the area of a cord, as in the manual masks
#: of the training data (6 % on T2w, 10 % on T2*w), which were drawn by many hands.
INSET_MM = 0.23
#: Measured twice, since the first outline may lie so far off that cord and film are mixed up at it.
_N_PASSES = 2


_LONGEST_RAY_MM = 16.0
_RAY_STEP_MM = 0.25
#: Largest part of the radius that an outline moves inwards, so that no cord vanishes.
_LARGEST_LOSS = 0.3
_TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class BorderShift:
    """How far the outline moves.

    Attributes
    ----------
    k : (N,) int array
        Slices.
    centre_ij : (N, 2) float array
        Middle of the cord, voxels.
    radius_mm : (N, N_RAYS) float array
        Where the rays meet the network's outline. Ray ``n`` has the angle ``2 pi n / N_RAYS`` from the first axis
        towards the second one.
    shift_mm : (N, N_RAYS) float array
        Movement of the outline along the rays, positive outwards.
    confidence : (N, N_RAYS) float array
        How much of the edge in the image counts, in [0, 1]; the rest is the network's outline.
    grid : Grid
        Grid on canonical axes.
    """

    k: NDArray[np.intp]
    centre_ij: Array
    radius_mm: Array
    shift_mm: Array
    confidence: Array
    grid: Grid


def find_border(image: Volume, fraction: Volume, mask: Volume, *, threshold: float) -> BorderShift:
    """Find how far the network's outline is to be moved.

    Parameters
    ----------
    image : Volume
        float32 image on canonical axes; its brightness may be scaled, shifted or inverted without changing the result.
    fraction : Volume
        The network's answer on the same grid.
    mask : Volume
        uint8 mask of the cord made of it, which tells the cord from other objects.
    threshold : float
        Answer at the network's outline.

    Returns
    -------
    BorderShift
        Slices in which the middle of the mask is no cord by the answer are left out.
    """
    start = _outline(fraction, mask, threshold)
    found, confidence = start, np.zeros_like(start.radius_mm)
    inset = np.zeros_like(start.radius_mm)
    for _ in range(_N_PASSES if len(start.k) else 0):
        edge_mm, confidence, cosine = find_edges(image, found)
        # What is not sure keeps to the network's outline, also in the second pass.
        radius = start.radius_mm + confidence * (found.radius_mm + edge_mm / cosine - start.radius_mm)
        inset = confidence * INSET_MM / cosine
        found = replace(found, radius_mm=np.clip(radius, start.radius_mm - REACH_MM, start.radius_mm + REACH_MM))
    shift = np.maximum(found.radius_mm - inset - start.radius_mm, -_LARGEST_LOSS * start.radius_mm)
    return BorderShift(start.k, start.centre_ij, start.radius_mm, shift, confidence, fraction.grid)


def move(volume: Volume, shift: BorderShift) -> Volume:
    """Move a map of the network's answers with its outline.

    Inside the outline the map is stretched from the middle of the cord, outside it is moved as a whole; values are
    interpolated linearly. Slices in which nothing moves keep theirs.

    Parameters
    ----------
    volume : Volume
        float32 map on the grid of ``shift``.
    shift : BorderShift
        How far the outline moves.
    """
    data = volume.data.copy()
    zooms = np.array(shift.grid.zooms[:2])
    reach = np.ceil((shift.radius_mm.max(initial=0) + 12) / zooms).astype(int)
    for k, centre, radius, moved in zip(shift.k, shift.centre_ij, shift.radius_mm, shift.shift_mm, strict=True):
        if np.abs(moved).max() < 1e-6:
            continue
        low = np.maximum(np.floor(centre).astype(int) - reach, 0)
        high = np.minimum(np.floor(centre).astype(int) + reach + 2, data.shape[:2])
        window = (slice(low[0], high[0]), slice(low[1], high[1]))
        i, j = np.ogrid[window]
        x, y = (i - centre[0]) * zooms[0], (j - centre[1]) * zooms[1]
        distance = np.hypot(x, y)
        ray = np.arctan2(y, x) / (2 * np.pi) * N_RAYS
        by, outline = _at_angle(moved, ray), _at_angle(radius + moved, ray)
        source = distance - by * np.minimum(1, distance / np.maximum(outline, _RAY_STEP_MM))
        stretch = source / np.maximum(distance, _TINY)
        at = [centre[0] + x * stretch / zooms[0], centre[1] + y * stretch / zooms[1]]
        data[(*window, k)] = ndimage.map_coordinates(volume.data[..., k], at, order=1, mode="constant")
    return Volume(data, volume.grid)


def _at_angle(values: Array, ray: Array) -> Array:
    """Interpolate values of the rays (N_RAYS,) at any number of a ray, around the circle."""
    low = np.floor(ray).astype(int)
    part = ray - low
    return np.asarray(values[low % N_RAYS] * (1 - part) + values[(low + 1) % N_RAYS] * part)


def _outline(fraction: Volume, mask: Volume, threshold: float) -> Outline:
    """Follow the rays from the middle of the mask to where the answer falls below the threshold."""
    slices = np.flatnonzero(mask.data.any((0, 1)))
    centres = np.array([np.argwhere(mask.data[..., k]).mean(0) for k in slices]).reshape(-1, 2)
    along, _ = directions()
    distance = np.arange(0, _LONGEST_RAY_MM, _RAY_STEP_MM)
    points = np.broadcast_to(along[None, :, None] * distance[:, None], (len(slices), N_RAYS, len(distance), 2))
    answer = sample(fraction, slices, centres, points, "constant")
    inside = answer >= threshold
    # The last step inside and the first one outside; a ray that never ends is as long as it can be.
    last = np.where(inside.all(2), len(distance) - 2, np.maximum(np.argmin(inside, 2) - 1, 0))[..., None]
    above, below = (np.take_along_axis(answer, last + n, 2)[..., 0] for n in (0, 1))
    part = np.clip((above - threshold) / np.maximum(above - below, _TINY), 0, 1)
    radius = (last[..., 0] + part) * _RAY_STEP_MM
    found = inside[:, :, 0].all(1)
    return Outline(slices[found], centres[found], radius[found], fraction.grid)
