"""Find the closed border of the cord around a centre in each slice: first the best of all, then to parts of a pixel.

Rays start at equal angles; ray 0 points along the first axis, the next ones towards the second. A ring is drawn on the
voxels of its slice as the fraction of each voxel that lies inside.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse import linalg

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.propseg.stack import PIXEL_MM, Edges, smooth_along

Array = NDArray[np.float64]

#: Rays of a ring: 1 mm apart on the border of a wide cord.
N_RAYS = 32

ANGLES = 2 * np.pi * np.arange(N_RAYS) / N_RAYS
ANGLES.flags.writeable = False
#: Unit vectors of the rays, (N_RAYS, 2).
RAYS = np.stack([np.cos(ANGLES), np.sin(ANGLES)], axis=1)
RAYS.flags.writeable = False

#: Points per voxel along each in-plane axis.
_POINTS = 5

#: Distances from the ellipse at which the border is looked for.
_REACH_MM, _STEP_MM = 3.0, 0.25

#: Prices (the bounded gradient is 1 at most): of 1 mm from the ellipse, of a step from one ray to the next, of 1 mm
#: from the neighbouring slices' border; squared.
_ELLIPSE_PRICE, _RAY_PRICE, _SLICE_PRICE = 0.02, 0.08, 0.15

#: Largest step from one ray to the next, rounds, and the distance over which slices are neighbours.
_MOST_STEPS, _ROUNDS, _NEIGHBOUR_MM = 2, 3, 4.0

#: Least distance of a border from its centre.
_LEAST_MM = 0.5

#: The second step: reach and step of the search, rounds, and price of 1 mm squared as part of the typical edge.
_FINE_REACH_MM, _FINE_STEP_MM, _FINE_ROUNDS, _FINE_PRICE = 1.0, 0.125, 3, 0.3

#: Weights of the differences between rays and between slices (per mm of their distance) against a pull of 1.
_RAY_WEIGHT, _SLICE_WEIGHT = 1.0, 2.0

#: The differences between rays are compared with those of the border smoothed so far: along the cord, and rays.
_SHAPE_SIGMA_MM, _SHAPE_SIGMA_RAYS = 3.0, 1.0

#: Weight that holds a ray where nothing pulls.
_HOLD = 1e-3


def _ellipse_radii(half_axes_mm: Array) -> Array:
    """Return the radii (K, N_RAYS) of ellipses with half axes (K, 2) along the axes of the image."""
    radii: Array = 1 / np.linalg.norm(RAYS / half_axes_mm[:, None], axis=2)
    return radii


def ring_points(radii: Array, centres: Array) -> Array:
    """Return the corners (K, N_RAYS, 2) of rings with radii (K, N_RAYS) around centres (K, 2)."""
    points: Array = centres[:, None] + radii[..., None] * RAYS
    return points


def areas(radii: Array) -> Array:
    """Return the area of each ring in mm², (K,), as a polygon."""
    found: Array = 0.5 * np.sin(2 * np.pi / N_RAYS) * (radii * np.roll(radii, -1, axis=1)).sum(axis=1)
    return found


def centroids(radii: Array) -> Array:
    """Return the centre of mass (K, 2) of each ring's polygon, relative to the origin of its rays."""
    corner = radii[..., None] * RAYS
    following = np.roll(corner, -1, axis=1)
    cross = corner[..., 0] * following[..., 1] - corner[..., 1] * following[..., 0]
    found: Array = ((corner + following) * cross[..., None]).sum(axis=1) / (3 * cross.sum(axis=1))[:, None]
    return found


def _radial(gradients: NDArray[np.float32], centres: Array, radii: Array) -> Array:
    """Return the outward component of gradients at points on the rays."""
    middle = gradients.shape[1] // 2
    places = (centres[:, None, None] + radii[..., None] * RAYS[:, None]) / PIXEL_MM + middle
    slices = np.broadcast_to(np.arange(len(gradients), dtype=float)[:, None, None], radii.shape)
    index = np.stack([slices, places[..., 0], places[..., 1]])
    along = [ndimage.map_coordinates(gradients[..., axis], index, order=1, mode="nearest") for axis in (0, 1)]
    component: Array = along[0] * RAYS[:, None, 0] + along[1] * RAYS[:, None, 1]
    return component.astype(np.float64)


def draw_rings(grid: Grid, slices: NDArray[np.intp], centres_mm: Array, radii: Array) -> Volume:
    """Draw one ring per slice.

    Parameters
    ----------
    grid : Grid
        Canonical grid of the image; parts of a ring beyond it are cut off.
    slices : (K,) int array
        Slices.
    centres_mm, radii : (K, 2), (K, N_RAYS) arrays
        Centres (voxel index times voxel size) and distances of the border.

    Returns
    -------
    Volume
        float32, 0 to 1.
    """
    zooms, size = np.array(grid.zooms[:2]), np.array(grid.shape[:2])
    drawn = np.zeros(grid.shape, np.float32)
    for k, centre, radius in zip(slices, centres_mm, radii, strict=True):
        low = np.maximum(np.floor((centre - radius.max()) / zooms), 0).astype(int)
        high = np.minimum(np.ceil((centre + radius.max()) / zooms) + 1, size).astype(int)
        if (high > low).all():
            drawn[low[0] : high[0], low[1] : high[1], k] = _fractions(low, high, zooms, centre, radius)
    return Volume(drawn, grid)


def _fractions(
    low: NDArray[np.intp], high: NDArray[np.intp], zooms: Array, centre: Array, radius: Array
) -> NDArray[np.float64]:
    """Return the part of each voxel from ``low`` to before ``high`` that lies inside a ring."""
    offsets = (np.arange(_POINTS) + 0.5) / _POINTS - 0.5
    x, y = (
        ((np.arange(a, b)[:, None] + offsets) * zoom - c).ravel()
        for a, b, zoom, c in zip(low, high, zooms, centre, strict=True)
    )
    distance = np.hypot(x[:, None], y[None])
    ray = np.arctan2(y[None], x[:, None]) * (N_RAYS / (2 * np.pi))
    before = np.floor(ray).astype(int)
    part = ray - before
    # The radius is interpolated over the angle: rounder than a polygon, as a cord is.
    border = (1 - part) * radius[before % N_RAYS] + part * radius[(before + 1) % N_RAYS]
    inside = (distance <= border).reshape(high[0] - low[0], _POINTS, high[1] - low[1], _POINTS)
    fraction: NDArray[np.float64] = inside.mean(axis=(1, 3))
    return fraction


def best_outlines(edges: Edges, sign: int, centres: Array, half_axes_mm: Array) -> tuple[Array, Array]:
    """Find in each slice the closed border with the largest sum of edges less prices (dynamic programming).

    Parameters
    ----------
    edges : Edges
        Gradients.
    sign : int
        +1 where brightness grows outwards, -1 where it falls.
    centres : (K, 2) array
        Origin of the rays in mm from the middle of each square.
    half_axes_mm : (K, 2) array
        Ellipses near to which the border is.

    Returns
    -------
    radii : (K, N_RAYS) array
        Distance of the border from the centre in mm.
    strength : (K, N_RAYS) array
        Bounded gradient across it, from -1 to 1; positive where it has the right sign.
    """
    shifts = np.arange(-_REACH_MM, _REACH_MM + _STEP_MM / 2, _STEP_MM)
    ellipses = _ellipse_radii(half_axes_mm)
    radii = np.maximum(ellipses[..., None] + shifts, _LEAST_MM)
    strength = sign * _radial(edges.bounded(), centres, radii)
    cost = _ELLIPSE_PRICE * shifts**2 - strength
    nearness = _SLICE_PRICE * np.exp(-edges.slice_mm / _NEIGHBOUR_MM)
    index = _closed_path(cost)
    for _ in range(_ROUNDS - 1):
        around = smooth_along(shifts[index], _NEIGHBOUR_MM, edges.slice_mm)
        index = _closed_path(cost + nearness * (shifts - around[..., None]) ** 2)
    place = index[..., None]
    return np.take_along_axis(radii, place, 2)[..., 0], np.take_along_axis(strength, place, 2)[..., 0]


def _closed_path(cost: Array) -> NDArray[np.intp]:
    """Choose one entry for each ray so that the sum of costs and of squared steps between neighbours is small.

    The rays are gone round three times, and the middle round is taken: its ends meet wherever the border is clear.
    """
    n_slices, n_rays, n_entries = cost.shape
    steps = list(range(-_MOST_STEPS, _MOST_STEPS + 1))
    total, back = cost[:, 0], []
    for ray in range(1, 3 * n_rays):
        reached = np.full((n_slices, len(steps), n_entries), np.inf)
        for number, step in enumerate(steps):
            low, high = max(0, -step), n_entries - max(0, step)
            reached[:, number, low:high] = total[:, low + step : high + step] + _RAY_PRICE * step**2
        best = reached.argmin(axis=1)
        back.append(best - _MOST_STEPS)
        total = np.take_along_axis(reached, best[:, None], 1)[:, 0] + cost[:, ray % n_rays]
    index = np.empty((n_slices, 3 * n_rays), np.intp)
    index[:, -1] = total.argmin(axis=1)
    for ray in range(3 * n_rays - 2, -1, -1):
        after = index[:, ray + 1 : ray + 2]
        index[:, ray] = (after + np.take_along_axis(back[ray], after, 1))[:, 0]
    return index[:, n_rays : 2 * n_rays]


def settle(edges: Edges, sign: int, centres: Array, radii: Array) -> Array:
    """Move borders to the steepest places near to them, while they keep their shape.

    With fixed targets t, pulls w (bounded, 0 to 1) and shape r, the energy is quadratic in the radii x::

        sum w (x - t)²  +  a sum over neighbouring rays (dx - dr)²  +  b sum over neighbouring slices (dx)² / d²

    so each round is one sparse linear system.

    Parameters
    ----------
    edges : Edges
        Gradients with little smoothing, which moves a curved border inwards.
    sign, centres : int, (K, 2) array
        As for :func:`best_outlines`.
    radii : (K, N_RAYS) array
        Borders to begin with.

    Returns
    -------
    (K, N_RAYS) array
        New radii in mm.
    """
    across, along = _differences(len(radii), edges.slice_mm)
    shape = _smooth_shape(radii, edges.slice_mm).ravel()
    for _ in range(_FINE_ROUNDS):
        targets, pulls = (part.ravel() for part in _targets(edges, sign, centres, radii))
        system = sparse.diags(pulls + _HOLD) + _RAY_WEIGHT * across + _SLICE_WEIGHT * along
        right = pulls * targets + _HOLD * radii.ravel() + _RAY_WEIGHT * (across @ shape)
        radii = np.maximum(linalg.spsolve(system.tocsc(), right).reshape(radii.shape), _LEAST_MM)
    return radii


def _targets(edges: Edges, sign: int, centres: Array, radii: Array) -> tuple[Array, Array]:
    """Return where each ray is pulled to, and how strongly (0 to 1)."""
    shifts = np.arange(-_FINE_REACH_MM, _FINE_REACH_MM + _FINE_STEP_MM / 2, _FINE_STEP_MM)
    slopes = sign * _radial(edges.slopes, centres, np.maximum(radii[..., None] + shifts, _LEAST_MM))
    typical = edges.typical[:, None]
    best = (slopes - _FINE_PRICE * typical[..., None] * shifts**2).argmax(axis=2)
    strength = np.maximum(np.take_along_axis(slopes, best[..., None], 2)[..., 0], 0)
    return radii + shifts[best] + _peak_shift(slopes, best), strength / (strength + typical)


def _peak_shift(slopes: Array, best: NDArray[np.intp]) -> Array:
    """Return the distance from the best sample to the top of the parabola through it and its neighbours."""
    inner = np.clip(best, 1, slopes.shape[2] - 2)
    before, there, after = (np.take_along_axis(slopes, (inner + d)[..., None], 2)[..., 0] for d in (-1, 0, 1))
    bend = before - 2 * there + after
    is_peak = (bend < 0) & (inner == best)
    shift = np.clip((before - after) / (2 * np.where(is_peak, bend, 1.0)), -1, 1)
    return np.where(is_peak, shift, 0.0) * _FINE_STEP_MM


def _smooth_shape(radii: Array, slice_mm: float) -> Array:
    """Return the borders smoothed along the cord and, a little, from ray to ray (around the circle)."""
    frequency = 2 * np.pi * np.fft.rfftfreq(N_RAYS)
    along = smooth_along(radii, _SHAPE_SIGMA_MM, slice_mm)
    damped = np.fft.rfft(along, axis=1) * np.exp(-((_SHAPE_SIGMA_RAYS * frequency) ** 2) / 2)
    shape: Array = np.fft.irfft(damped, N_RAYS, axis=1)
    return shape


def _differences(n_slices: int, slice_mm: float) -> tuple[sparse.spmatrix, sparse.spmatrix]:
    """Return the matrices of the sums of squared differences between rays, and between slices per mm."""
    ring = sparse.identity(N_RAYS, format="csr")
    step = ring - ring[np.roll(np.arange(N_RAYS), -1)]
    across = sparse.kron(sparse.identity(n_slices), step.T @ step)
    rise = sparse.diags([-1.0, 1.0], [0, 1], shape=(max(n_slices - 1, 0), n_slices)) if n_slices > 1 else None
    if rise is None:
        return across, sparse.csr_matrix(across.shape)
    return across, sparse.kron((rise.T @ rise) / slice_mm**2, sparse.identity(N_RAYS))
