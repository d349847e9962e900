"""Find the closed border of the cord around a centre in each slice: first the best of all, then to parts of a pixel."""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from bids_deepseg.methods.propseg.rings import N_RAYS, ellipse_radii, radial
from bids_deepseg.methods.propseg.stack import Edges, smooth_along

Array = NDArray[np.float64]

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
    ellipses = ellipse_radii(half_axes_mm)
    radii = np.maximum(ellipses[..., None] + shifts, _LEAST_MM)
    strength = sign * radial(edges.bounded(), centres, radii)
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
    slopes = sign * radial(edges.slopes, centres, np.maximum(radii[..., None] + shifts, _LEAST_MM))
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
