"""Find where the brightness of an image is half-way between the cord and what surrounds it.

Terms: a *ray* leaves the middle of the cord in one of ``N_RAYS`` directions; a *profile* is the brightness along the
normal of the outline where a ray meets it; *depth* is the position in a profile, negative inside; the *film* is the
nearest tissue around the cord, in most contrasts fluid.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.grid import AXIS_IS, Grid
from bids_deepseg.geometry.volume import Volume

Array = NDArray[np.float64]

N_RAYS = 48
#: Farthest way from the network's outline to the half-way brightness.
REACH_MM = 1.0

_RAY_STEP_MM = 0.1
_DEPTH_MM = np.arange(-25, 26) * 0.1
_CORD_MM = (-2.5, -1.0)
_FILM_MM = (-0.5, 2.5)
_RING_MM = (0.3, 1.8)
#: Standard deviations of the smoothing of profiles, levels and displacements around the cord and along it.
_PROFILE_DEG, _PROFILE_MM = 8.0, 1.0
_LEVEL_DEG, _LEVEL_MM = 10.0, 4.0
_MOVE_DEG, _MOVE_MM = 25.0, 5.0
_SLICE_MM = 10.0
#: The film differs from the cord as it does in 60 % of its neighbourhood, which reaches so far to both sides, since
#: blurring takes from its brightness where it is thin,
_FILM_DEG, _FILM_ALONG_MM, _FILM_PERCENTILE = 15.0, 8.0, 60.0
#: but by no more than is seen here over this.
_LEAST_SEEN = 0.85
#: Contrast, relative to that of the slice, and total weight at which an edge counts half.
_HALF_CONTRAST, _HALF_WEIGHT = 0.3, 0.1
#: Spreads of the brightness in the cord below which a difference is no edge.
_TEXTURES = 2.0
#: Contrast of the ring around the cord over that of the film: below the first there is no border to be seen (roots,
#: fluid as bright as the cord), above the second there is. Painted slices of known outline were made worse below 0.3
#: and not above 0.5; in real images with a border it is 0.45 to 0.9.
_RING_CONTRAST = (0.25, 0.5)
#: Edges farther than this from the mean of their neighbours count a fifth.
_OUTLIER_MM = 0.4
_LARGEST_BLUR_MM = 1.2
#: A film of the width 2 u, blurred by a standard deviation of 1, reaches half of its peak this far in front of its edge
#: (second row), with the peak at the distance of the first row from there: u = 1, 1.25, 1.5, 1.75, 2, 2.5 and 3.
#: This much of it is corrected: films are no boxes, and with all of it areas at real films (T2w) came out larger than
#: those of the same cord in other contrasts.
_PEAK_AT = (1.37, 1.505, 1.668, 1.85, 2.057, 2.516, 3.003)
_TOO_EARLY = (0.37, 0.255, 0.168, 0.10, 0.057, 0.016, 0.0)
_FILM_PART = 0.6
_TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class Outline:
    """Places where the rays meet an outline; as in :class:`BorderShift`."""

    k: NDArray[np.intp]
    centre_ij: Array
    radius_mm: Array
    grid: Grid


def directions() -> tuple[Array, Array]:
    """Return the unit vectors (N_RAYS, 2) along the rays and across them."""
    angle = np.arange(N_RAYS) * (2 * np.pi / N_RAYS)
    return np.stack([np.cos(angle), np.sin(angle)], -1), np.stack([-np.sin(angle), np.cos(angle)], -1)


def sample(volume: Volume, k: NDArray[np.intp], centres: Array, points_mm: Array, mode: str) -> Array:
    """Interpolate at points (N, ..., 2), in mm from the middle of the cord of each slice, within the slices."""
    shape = (len(k),) + (1,) * (points_mm.ndim - 2)
    i, j = (centres[:, n].reshape(shape) + points_mm[..., n] / volume.grid.zooms[n] for n in (0, 1))
    at = np.stack([i, j, np.broadcast_to(k.reshape(shape), i.shape)])
    return np.asarray(ndimage.map_coordinates(volume.data, at, order=1, mode=mode, output=np.float64))


def _profiles(image: Volume, outline: Outline) -> tuple[Array, Array]:
    """Return the profiles (N, N_RAYS, D), and the cosines (N, N_RAYS) of the angle between ray and normal."""
    along, across = directions()
    radius = ndimage.gaussian_filter1d(outline.radius_mm, 1.0, axis=1, mode="wrap")
    slope = (np.roll(radius, -1, 1) - np.roll(radius, 1, 1)) * (N_RAYS / (4 * np.pi))
    length = np.maximum(np.hypot(radius, slope), _TINY)
    normal = (radius[..., None] * along - slope[..., None] * across) / length[..., None]
    foot = outline.radius_mm[..., None] * along
    points = foot[:, :, None] + normal[:, :, None] * _DEPTH_MM[:, None]
    # Very flat corners would stretch a step along the normal without limit.
    return sample(image, outline.k, outline.centre_ij, points, "nearest"), np.maximum(radius / length, 0.3)


def _smooth(values: Array, deg: float, slices: float) -> Array:
    """Smooth (N, N_RAYS, ...) around the cord and along it; ``slices`` is the standard deviation along it."""
    around = ndimage.gaussian_filter1d(values, deg * N_RAYS / 360, axis=1, mode="wrap")
    return _along(around, slices)


def _along(values: Array, slices: float) -> Array:
    """Smooth along the cord; thick slices are left as they are."""
    if slices < 0.1:
        return values
    return np.asarray(ndimage.gaussian_filter1d(values, slices, axis=0, mode="nearest"))


@dataclass(frozen=True, slots=True, eq=False)
class _Levels:
    """Brightness to both sides of the outline, each (N, N_RAYS) or (N, 1).

    Attributes
    ----------
    sign : array
        +1 where the film is brighter than the cord, else -1.
    cord : array
        Brightness of the cord near its border.
    contrast : array
        Difference of the film from the cord, 0 or more.
    seen : array
        Share of this contrast that is seen on this very ray, in [0, 1].
    typical : array
        Contrast of the slice.
    peak_mm : array
        Depth at which the film differs most from the cord.
    texture : array
        Spread of the brightness in the cord.
    ring : array
        Contrast of the mean ring over that of the slice.
    """

    sign: Array
    cord: Array
    contrast: Array
    seen: Array
    typical: Array
    peak_mm: Array
    texture: Array
    ring: Array


def _between(limits_mm: tuple[float, float]) -> NDArray[np.bool_]:
    """Tell which depths lie between two."""
    return (limits_mm[0] - 0.01 <= _DEPTH_MM) & (limits_mm[1] + 0.01 >= _DEPTH_MM)


def _levels(profiles: Array, thickness_mm: float) -> _Levels:
    """Measure the brightness of cord and film."""
    inner = profiles[..., _between(_CORD_MM)]
    cord = np.median(inner, 2)
    ring = np.median(np.median(profiles[..., _between(_RING_MM)], 2) - cord, 1, keepdims=True)
    ring = _along(ring, _SLICE_MM / thickness_mm)
    sign = np.where(ring >= 0, 1.0, -1.0)
    spread = np.median(np.abs(inner - np.median(inner, (1, 2), keepdims=True)), (1, 2))[:, None]
    cord = _smooth(cord, _LEVEL_DEG, _LEVEL_MM / thickness_mm)
    outer = sign[..., None] * profiles[..., _between(_FILM_MM)]
    film, peak = outer.max(2), _DEPTH_MM[_between(_FILM_MM)][outer.argmax(2)]
    here = np.maximum(film - sign * cord, 0)
    local = _smooth(here, _LEVEL_DEG, _LEVEL_MM / thickness_mm)
    around = _smooth(_upper(here, thickness_mm), _LEVEL_DEG, _LEVEL_MM / thickness_mm)
    contrast = np.minimum(around, local / _LEAST_SEEN)
    typical = _along(np.median(contrast, 1, keepdims=True), _SLICE_MM / thickness_mm)
    return _Levels(
        sign, cord, contrast,
        seen=np.clip(local / np.maximum(around, _TINY), 0, 1),
        typical=typical,
        peak_mm=_smooth(peak, _LEVEL_DEG, _LEVEL_MM / thickness_mm),
        texture=_along(1.4826 * spread, _SLICE_MM / thickness_mm),
        ring=np.abs(ring) / np.maximum(typical, _TINY),
    )  # fmt: skip


def _upper(values: Array, thickness_mm: float) -> Array:
    """Return the value below which 60 % of those in the neighbourhood of each ray lie."""
    n_around = round(_FILM_DEG * N_RAYS / 360)
    n_along = min(round(_FILM_ALONG_MM / thickness_mm), len(values))
    wrapped = np.pad(values, ((0, 0), (n_around, n_around)), mode="wrap")
    size = (2 * n_along + 1, 2 * n_around + 1)
    upper = ndimage.percentile_filter(wrapped, _FILM_PERCENTILE, size=size, mode="nearest")
    return np.asarray(upper[:, n_around:-n_around])


def find_edges(image: Volume, outline: Outline) -> tuple[Array, Array, Array]:
    """Return depth of the half-way brightness, its confidence, and the cosines of ray and normal, each (N, N_RAYS)."""
    thickness_mm = image.grid.zooms[AXIS_IS]
    raw, cosine = _profiles(image, outline)
    # Of an image that varies by rounding errors only, nothing is seen.
    raw = np.where(np.ptp(raw) > 1e-5 * np.abs(raw).max(initial=0), raw, 0.0)
    profiles = _smooth(raw, _PROFILE_DEG, _PROFILE_MM / thickness_mm)
    levels = _levels(profiles, thickness_mm)
    above = levels.sign[..., None] * (profiles - levels.cord[..., None]) - levels.contrast[..., None] / 2
    depth, steepness = _crossings(above)
    weight = _weights(levels) * np.isfinite(depth)
    depth = np.where(np.isfinite(depth), depth, 0.0)
    blur = _blur_mm(levels.contrast, steepness, weight)
    depth = depth + _FILM_PART * blur * np.interp((levels.peak_mm - depth) / max(blur, 0.1), _PEAK_AT, _TOO_EARLY)
    smoothing = (_MOVE_DEG, _MOVE_MM / thickness_mm)
    trusted = weight
    for _ in range(2):
        mean = _smooth(trusted * depth, 2 * smoothing[0], smoothing[1])
        mean /= np.maximum(_smooth(trusted, 2 * smoothing[0], smoothing[1]), _TINY)
        trusted = weight * np.where(np.abs(depth - mean) > _OUTLIER_MM, 0.2, 1.0)
    total = _smooth(trusted, *smoothing)
    mean = _smooth(trusted * depth, *smoothing) / np.maximum(total, _TINY)
    low, high = _RING_CONTRAST
    confidence = total**2 / (total**2 + _HALF_WEIGHT**2) * np.clip((levels.ring - low) / (high - low), 0, 1)
    # Blurring moves the half-way brightness of a disc of radius R inwards by variance / (2 R).
    return mean + blur**2 / (2 * np.maximum(outline.radius_mm.mean(1, keepdims=True), 1.0)), confidence, cosine


def _crossings(above: Array) -> tuple[Array, Array]:
    """Return the depth, nearest to the outline, at which profiles rise through 0, infinite if none; and the slope."""
    low, high = above[..., :-1], above[..., 1:]
    rises = (low < 0) & (high >= 0)
    depth = _DEPTH_MM[:-1] + _RAY_STEP_MM * -low / np.where(rises, high - low, 1.0)
    depth = np.where(rises & (np.abs(depth) <= REACH_MM), depth, np.inf)
    nearest = np.abs(depth).argmin(2)[..., None]
    wide = np.clip(nearest, 2, above.shape[2] - 3)
    slope = np.take_along_axis(above, wide + 2, 2) - np.take_along_axis(above, wide - 2, 2)
    return np.take_along_axis(depth, nearest, 2)[..., 0], slope[..., 0] / (4 * _RAY_STEP_MM)


def _weights(levels: _Levels) -> Array:
    """Weigh the edges by their contrast against that of the slice and the texture of the cord."""
    clear = np.maximum(levels.contrast - _TEXTURES * levels.texture, 0) ** 2
    unclear = (_HALF_CONTRAST * levels.typical) ** 2 + levels.texture**2
    return np.asarray(levels.seen**2 * clear / np.maximum(clear + unclear, np.finfo(float).tiny))


def _blur_mm(contrast: Array, steepness: Array, weight: Array) -> float:
    """Return the standard deviation of the blurring of the image: contrast over slope, over the root of 2 pi."""
    good = (steepness > 0) & (weight > 0) & (weight >= np.median(weight))
    if not good.any():
        return 0.0
    return min(float(np.median(contrast[good] / steepness[good]) / np.sqrt(2 * np.pi)), _LARGEST_BLUR_MM)
