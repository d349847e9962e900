"""Cut a slice out of a real image, turned, scaled, warped and flipped, and change its brightness.

Terms: a *cut* is an (H, W) slice on network pixels around a chosen point of the image, with the fraction of cord in
each pixel, the pixels inside the image and the place of the cord's centre. With its brightness changed, one participant
stands for many contrasts.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from bids_deepseg.training.sources import RealImage
from bids_deepseg.training.synthesis.fields import Array, PixelGrid, ellipse, over, smooth_field, soft


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """A slice of a real image on network pixels.

    Attributes
    ----------
    image, cord : (H, W) float32 arrays
        Brightness, and fraction of cord (zero where there is none or where it is not known).
    valid : (H, W) bool array
        Pixels inside the image.
    centre_mm : (float, float) or None
        Centre of the cord from the centre of the grid; None without cord.
    """

    image: Array
    cord: Array
    valid: np.ndarray
    centre_mm: tuple[float, float] | None


def cut_slice(
    rng: np.random.Generator, grid: PixelGrid, source: RealImage, *, k: int, point_ij: tuple[float, float]
) -> Cut:
    """Cut around ``point_ij`` of slice ``k``: rotation +-25 degrees, scale 0.75-1.25, flip, mild elastic warp.

    Volumes with thin slices are cut obliquely and averaged over 1-5 mm, others are cut within their slice.
    """
    angle = np.deg2rad(rng.uniform(-25, 25) if rng.uniform() < 0.7 else rng.normal(0, 4))
    scale = rng.uniform(0.75, 1.25) * np.array([1.0, rng.uniform(0.8, 1.1) if rng.uniform() < 0.3 else 1.0])
    flip = np.diag([-1.0 if rng.uniform() < 0.5 else 1.0, 1.0])
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    # Patch mm to image mm: the content appears larger by ``scale``.
    matrix = turn @ flip @ np.diag(1 / scale)
    x, y = grid.positions_mm()
    amplitude, pitch = np.float32(rng.uniform(0, 0.7)), float(rng.uniform(7, 16)) / grid.zoom_mm
    x = x + amplitude * smooth_field(rng, grid.shape, pitch)
    y = y + amplitude * smooth_field(rng, grid.shape, pitch)
    zooms = source.zooms_mm
    i = point_ij[0] + (matrix[0, 0] * x + matrix[0, 1] * y) / zooms[0]
    j = point_ij[1] + (matrix[1, 0] * x + matrix[1, 1] * y) / zooms[1]
    n_i, n_j = source.data.shape[:2]
    valid = (i >= -0.5) & (i <= n_i - 0.5) & (j >= -0.5) & (j <= n_j - 0.5)
    depths = _depths(rng, source, k, x, y)
    image, cord = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
    for depth in depths:
        coordinates = np.stack([i, j, depth])
        image += ndimage.map_coordinates(source.data, coordinates, order=1, mode="nearest")
        if source.mask is not None:
            cord += ndimage.map_coordinates(source.mask, coordinates, order=1, mode="constant")
    n = np.float32(len(depths))
    centre = _centre_mm(source, k, point_ij, matrix)
    return Cut(image / n, cord / n, valid, centre)


def _depths(rng: np.random.Generator, source: RealImage, k: int, x: Array, y: Array) -> list[Array]:
    """Return the slice coordinates of the planes to average, each (H, W) in voxels."""
    level = np.full(x.shape, k, np.float32)
    dk = source.zooms_mm[2]
    n_slices = source.data.shape[2]
    if dk > _THIN_SLICE_MM or source.mask is None:
        return [level]
    if rng.uniform() < 0.3:
        return [level]
    slope = np.tan(np.deg2rad(rng.normal(0, [6, 10])))
    plane = level + np.float32(slope[0] / dk) * x + np.float32(slope[1] / dk) * y
    thickness = float(rng.uniform(0, 5))
    offsets = np.linspace(-0.5, 0.5, 1 + round(thickness / 1.5)) * thickness if thickness > 1.5 else [0.0]
    return [np.clip(plane + np.float32(o / dk), 0, n_slices - 1).astype(np.float32) for o in offsets]


def _centre_mm(
    source: RealImage, k: int, point_ij: tuple[float, float], matrix: np.ndarray
) -> tuple[float, float] | None:
    """Return where the cord's centre comes to lie, from the centre of the grid."""
    centre = source.centre_ij[k]
    if np.isnan(centre).any():
        return None
    offset = (centre - np.asarray(point_ij)) * np.array(source.zooms_mm[:2])
    x, y = np.linalg.solve(matrix, offset)
    return float(x), float(y)


#: Voxels at least this flat are volumes, which can be cut obliquely.
_THIN_SLICE_MM = 1.6

#: Least difference between the mean of the cord and of its ring, relative to the spread of the slice.
_LEAST_CONTRAST = 0.12
_N_KNOTS = 6


def draw_curve(rng: np.random.Generator, *, peak: float) -> tuple[Array, Array]:
    """Draw a tone curve as knots over [0, peak].

    Half are increasing, a third decreasing (T2-like to T1-like), the rest rises and falls at random;
    knots lie denser where a slice has most of its pixels, in the dark half.
    """
    knots = np.linspace(0, 1, _N_KNOTS) ** 1.3 * peak
    kind = rng.uniform()
    if kind < 0.5:
        steps = rng.gamma(1.2, 1, _N_KNOTS)
        steps[0] = 0
        values = np.cumsum(steps)
    elif kind < 0.82:
        # Inverted above the dark background, which stays dark: fluid gets dark and cord bright.
        steps = rng.gamma(1.2, 1, _N_KNOTS)
        values = np.cumsum(steps)[::-1].copy()
        if rng.uniform() < 0.7:
            values[0] = 0
    else:
        values = rng.uniform(0, 1, _N_KNOTS)
        if rng.uniform() < 0.7:
            values[0] = 0
    return knots.astype(np.float32), (values / max(values.max(), 1e-6)).astype(np.float32)


def apply_curve(image: Array, curve: tuple[Array, Array]) -> Array:
    """Apply a tone curve."""
    return np.interp(image, *curve).astype(np.float32)


def remap(rng: np.random.Generator, image: Array, cord: Array | None, *, unchanged: float = 0.3) -> Array:
    """Remap a slice at random, such that the cord keeps an outline where ``cord`` (its alpha) is given.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    image : (H, W) float32 array
        Brightness, about [0, 1].
    cord : (H, W) float32 array or None
        Fraction of each pixel that is cord.
    unchanged : float, optional
        Probability that the tone curve is left out.
    """
    if cord is not None and rng.uniform() < 0.3:
        # A cord somewhat brighter or darker than this participant's, which no curve of the brightness alone gives.
        spread = float(image.std())
        image = np.maximum(image + cord * np.float32(rng.normal(0, 0.5) * spread), 0)
    if cord is not None and rng.uniform() < 0.15:
        image = fade_fluid(image, cord, quantile=float(rng.uniform(0.6, 0.95)), slope=float(rng.uniform(0.03, 0.4)))
    if cord is not None and rng.uniform() < 0.12:
        image = _add_lesions(rng, image, cord)
    if rng.uniform() < unchanged:
        return image
    peak = max(float(np.percentile(image, 99.8)), 1e-3)
    for _ in range(6):
        mapped = apply_curve(image, draw_curve(rng, peak=peak))
        if cord is None or _has_outline(mapped, cord):
            break
    else:
        return image
    if rng.uniform() < 0.3:
        # Another receive coil: a local change of the curve.
        weight = soft(smooth_field(rng, (image.shape[0], image.shape[1]), image.shape[0] / 2), 2.0)
        mapped = mapped + np.float32(0.5) * weight * (image / np.float32(peak) - mapped)
    return np.asarray(mapped, np.float32)


def fade_fluid(image: Array, cord: Array, *, quantile: float, slope: float) -> Array:
    """Flatten the tone curve above the cord, so that bright fluid is left hardly brighter than the cord.

    T2*w images of long echo trains look so: what shows the cord is its grey matter and a faint edge.

    Parameters
    ----------
    image, cord : (H, W) float32 arrays
        Brightness, and fraction of each pixel that is cord.
    quantile : float
        Share of the cord's pixels below the bend of the curve.
    slope : float
        Slope of the curve above the bend; 1 changes nothing.
    """
    inside = cord > 0.7
    if not inside.any():
        return image
    bend = np.float32(np.quantile(image[inside], quantile))
    return np.where(image > bend, bend + np.float32(slope) * (image - bend), image).astype(np.float32)


def _has_outline(image: Array, cord: Array) -> bool:
    """Return whether the cord differs from its surroundings by a part of the spread of the slice."""
    inside, ring = cord > 0.7, (cord < 0.05)
    if inside.sum() < 8 or ring.sum() < 8:
        return True
    # The nearest surroundings are the fluid: the ring of pixels that a wider cord would cover.
    near = _dilate(cord > 0.3, 3) & ring
    if near.sum() < 8:
        return True
    difference = abs(float(image[inside].mean()) - float(image[near].mean()))
    return difference > _LEAST_CONTRAST * float(image.std()) and difference > float(image[inside].std()) * 0.5


def _dilate(mask: np.ndarray, n: int) -> np.ndarray:
    """Widen a mask by ``n`` pixels along both axes."""
    out = mask.copy()
    for axis in (0, 1):
        wide = out.copy()
        for step in range(1, n + 1):
            wide |= np.roll(out, step, axis) | np.roll(out, -step, axis)
        out = wide
    return out


def _add_lesions(rng: np.random.Generator, image: Array, cord: Array) -> Array:
    """Paint one to three lesions into the cord, as bright as the brightest or as dark as the darkest tissue."""
    inside = np.argwhere(cord > 0.5)
    if not len(inside):
        return image
    image = image.copy()
    rows, columns = (np.asarray(index, np.float32) for index in np.indices(image.shape))
    value = float(np.percentile(image, rng.choice([5, 90, 97])))
    for row, column in inside[rng.integers(len(inside), size=int(rng.integers(1, 4)))]:
        half = rng.uniform(1, 6, 2)
        blob = ellipse(rows - np.float32(row), columns - np.float32(column), float(half[0]), float(half[1]))
        over(image, soft(blob, 1.5) * cord * np.float32(rng.uniform(0.3, 0.9)), value)
    return image
