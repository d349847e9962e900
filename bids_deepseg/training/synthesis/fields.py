"""Smooth random fields, signed distances and soft layers: the brushes of the painter.

Terms: *position* is a pair of arrays (x, y) in mm, x from right to left and y from posterior to anterior; a *signed
distance* is in mm and negative inside a shape; an *alpha* is the fraction of a pixel that a layer covers.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
#: Standard deviation of a cubic B-spline of unit white noise, mean over positions: 0.479 for each axis.
_SPLINE_VARIANCE_PER_AXIS = 0.479


@dataclass(frozen=True, slots=True)
class PixelGrid:
    """Square pixels around an origin.

    Attributes
    ----------
    shape : (int, int)
        Number of pixels along x and y.
    zoom_mm : float
        Pixel size.
    """

    shape: tuple[int, int]
    zoom_mm: float

    def positions_mm(self) -> tuple[Array, Array]:
        """Return x and y of all pixel centres, two (H, W) arrays; the origin is the centre of the grid."""
        axes = [(np.arange(n, dtype=np.float32) - (n - 1) / 2) * self.zoom_mm for n in self.shape]
        x, y = np.meshgrid(*axes, indexing="ij")
        return x.astype(np.float32), y.astype(np.float32)


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], scale_px: float) -> Array:
    """Draw a smooth random field of mean 0 and standard deviation 1.

    White noise on a coarse lattice of pitch ``scale_px``, interpolated by cubic B-splines.
    """
    rows = _spline_weights(shape[0], scale_px, rng.uniform())
    columns = _spline_weights(shape[1], scale_px, rng.uniform())
    noise = rng.standard_normal((rows.shape[1], columns.shape[1]), dtype=np.float32)
    return np.asarray(rows @ noise @ columns.T / _SPLINE_VARIANCE_PER_AXIS, np.float32)


def _spline_weights(n: int, pitch: float, phase: float) -> Array:
    """Return the (n, n_knots) matrix that interpolates knots of the given pitch with cubic B-splines."""
    position = np.arange(n) / pitch + phase
    base = np.floor(position).astype(int)
    f = position - base
    columns = np.stack([(1 - f) ** 3, 3 * f**3 - 6 * f**2 + 4, -3 * f**3 + 3 * f**2 + 3 * f + 1, f**3])
    matrix = np.zeros((n, int(base[-1]) + 4), np.float32)
    for offset, weight in enumerate(columns / 6):
        matrix[np.arange(n), base + offset] = weight
    return matrix


def warp_positions(
    rng: np.random.Generator, grid: PixelGrid, *, amplitude_mm: float, scale_mm: float
) -> tuple[Array, Array]:
    """Return the positions of the grid moved by a mild elastic field, two (H, W) arrays in mm."""
    x, y = grid.positions_mm()
    scale_px = scale_mm / grid.zoom_mm
    x += np.float32(amplitude_mm) * smooth_field(rng, grid.shape, scale_px)
    y += np.float32(amplitude_mm) * smooth_field(rng, grid.shape, scale_px)
    return x, y


def rotate(x: Array, y: Array, angle_deg: float) -> tuple[Array, Array]:
    """Rotate positions around the origin."""
    c, s = np.float32(np.cos(np.deg2rad(angle_deg))), np.float32(np.sin(np.deg2rad(angle_deg)))
    return c * x - s * y, s * x + c * y


def soft(distance_mm: Array, width_mm: float) -> Array:
    """Return the alpha of a shape whose edge is ``width_mm`` wide."""
    alpha: Array = np.clip(0.5 - distance_mm / np.float32(width_mm), 0, 1)
    return alpha


def over(image: Array, alpha: Array, value: Array | float) -> None:
    """Paint ``value`` over ``image`` in place where ``alpha`` covers it."""
    image += alpha * (np.asarray(value, np.float32) - image)


def ellipse(x: Array, y: Array, half_x_mm: float, half_y_mm: float) -> Array:
    """Return the signed distance to an ellipse around the origin, to first order: f / |grad f|."""
    u, v = x / np.float32(half_x_mm), y / np.float32(half_y_mm)
    norm = np.sqrt(u * u + v * v) + np.float32(1e-4)
    slope = np.sqrt((u / np.float32(half_x_mm)) ** 2 + (v / np.float32(half_y_mm)) ** 2)
    distance: Array = norm * (norm - 1) / (slope + np.float32(1e-4 / half_x_mm))
    return distance


def capsule(x: Array, y: Array, start_mm: tuple[float, float], end_mm: tuple[float, float], radius_mm: float) -> Array:
    """Return the signed distance to a thick line segment."""
    (x0, y0), (x1, y1) = start_mm, end_mm
    dx, dy = x1 - x0, y1 - y0
    length2 = max(dx * dx + dy * dy, 1e-6)
    t = np.clip(((x - x0) * dx + (y - y0) * dy) / np.float32(length2), 0, 1)
    distance: Array = np.hypot(x - x0 - t * dx, y - y0 - t * dy) - np.float32(radius_mm)
    return distance.astype(np.float32, copy=False)
