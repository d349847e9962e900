"""Move the points of a tube to where the image pulls them, while it keeps its shape.

With fixed targets, weights and rotation the energy [5.4] is quadratic in the points::

    E(x) =   sum over triangles        w (g . (target - centre(x)))²
           + a sum over neighbours     |x_i - x_j - T (r_i - r_j)|²

so each round is one sparse linear system (the reference method minimises it by conjugate gradients as well, as a
general function). r are the points of the reference shape and T the rotation that fits them best to the present ones.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from bids_deepseg.methods.propseg.field import Field
from bids_deepseg.methods.propseg.mesh import (
    Array,
    rigid_fit,
    ring_centres,
    triangle_frames,
    wall_edges,
    wall_triangles,
)
from bids_deepseg.methods.propseg.parameters import PropsegParameters


@dataclass(frozen=True, slots=True, eq=False)
class RingContrast:
    """What the rays of each ring see.

    Attributes
    ----------
    contrast : (R,) array
        Fluid minus cord on the scale from 0 to 1000, mean of the rays; NaN for a ring beyond the image.
    agreement : (R,) array
        Share of the rays on which the fluid is the brighter one; NaN likewise.
    rise : (R,) array
        Brightness behind the border minus that inside, mean of the rays, with its sign; NaN likewise.
    """

    contrast: Array
    agreement: Array
    rise: Array


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Where the image pulls each triangle to.

    Attributes
    ----------
    points : (T, 3) array
        Target points.
    directions : (T, 3) array
        Unit vectors along which the distance to the target counts.
    weights : (T,) array
        Strength of the edge there, 0 where there is none.
    """

    points: Array
    directions: Array
    weights: Array


def measure_rings(field: Field, points: Array) -> RingContrast:
    """Measure contrast, rise and agreement of each ring of a tube (R, M, 3).

    Contrast [5.4]: along each ray from the ring's centre, sampled every millimetre up to 2.5 radii, split at the
    largest rise; the largest value outside minus the smallest inside. Rise (added): the mean close behind the border,
    where the fluid is even if it is thin, minus the mean up to 0.7 radii; in noise, which has contrast, it is small.
    Agreement (added): whether that is positive.
    """
    centres = ring_centres(points)[:, None]
    rays = points - centres
    lengths = np.linalg.norm(rays, axis=2)
    units = rays / np.maximum(lengths, 1e-9)[..., None]
    reach = np.arange(int(np.ceil(2.5 * lengths.max())) + 1, dtype=float)
    samples = centres[:, :, None] + units[:, :, None] * reach[:, None]
    values = field.values(samples)
    allowed = reach <= np.maximum(2.5 * lengths, 2.0)[..., None]
    contrast = _largest_step(values, allowed)
    inner = field.values(centres[:, :, None] + rays[:, :, None] * np.array([0.1, 0.3, 0.5, 0.7])[:, None])
    outer = field.values(centres[:, :, None] + rays[:, :, None] * np.array([1.05, 1.2, 1.35])[:, None])
    rise = outer.mean(axis=-1) - inner.mean(axis=-1)
    seen = field.inside(points)
    return RingContrast(
        _mean_where(contrast, seen), _mean_where((rise > 0).astype(float), seen), _mean_where(rise, seen)
    )


def _largest_step(values: Array, allowed: NDArray[np.bool_]) -> Array:
    """Split profiles (..., S) at their largest rise; return the maximum behind it minus the minimum before it."""
    rises = np.where(allowed[..., 1:], np.diff(values, axis=-1), -np.inf)
    before = np.arange(values.shape[-1]) <= rises.argmax(axis=-1)[..., None]
    inside = np.where(before, values, np.inf).min(axis=-1)
    outside = np.where(~before & allowed, values, -np.inf).max(axis=-1)
    steps: Array = np.abs(outside - inside)
    return steps


def _mean_where(values: Array, chosen: NDArray[np.bool_]) -> Array:
    """Return the mean of the chosen entries of each row, NaN where there is none."""
    count = chosen.sum(axis=1)
    mean = np.where(chosen, values, 0).sum(axis=1) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.nan)


def trade_off(contrast: float, parameters: PropsegParameters) -> float:
    """Return the price of the squared distance of an edge, from the contrast (scale 0 to 1000) [5.4].

    The price of the farthest place that is searched is kept below a part of the contrast (added): with the formula
    alone no edge at 3 mm is worth its price from a contrast of 400 on, and a tube that holds half of the cord stays so.
    """
    if parameters.trade_off is not None:
        return parameters.trade_off
    reach = parameters.search_steps * parameters.search_step_mm
    most = MAX_PRICE_OF_REACH * contrast / reach**2
    return min(most, max(0.0, 1e-4 * contrast**2 + 0.02 * contrast - 1.6242))


def find_targets(field: Field, points: Array, price: float, parameters: PropsegParameters) -> Targets:
    """Search along the normal of each triangle for the edge that pulls it most [5.4].

    The edge with the largest rise minus ``price`` times squared distance wins; it pulls along the gradient there, with
    its rise as weight. Beyond the image nothing pulls.
    """
    centres, normals = triangle_frames(points)
    n_steps = parameters.search_steps
    offsets = parameters.search_step_mm * np.arange(-n_steps, n_steps + 1)
    places = centres[:, None] + offsets[:, None] * normals[:, None]
    slopes = field.slopes(places, np.broadcast_to(normals[:, None], places.shape))
    best = (slopes - price * offsets**2).argmax(axis=1)
    every = np.arange(len(centres))
    chosen = places[every, best]
    weights = np.maximum(slopes[every, best], 0) * field.inside(chosen)
    gradients = field.gradients(chosen)
    length = np.linalg.norm(gradients, axis=1, keepdims=True)
    directions = np.where(length > 1e-9, gradients / np.maximum(length, 1e-9), normals)
    return Targets(chosen, directions, weights)


#: Largest price of the farthest place that is searched, as part of the contrast.
MAX_PRICE_OF_REACH = 0.3

#: Weight that holds each point in place; it only keeps the system regular where nothing pulls.
_HOLD = 1e-3

#: Systems with more unknowns are solved by conjugate gradients.
_LARGEST_DIRECT = 3000


def deform(
    field: Field,
    points: Array,
    parameters: PropsegParameters,
    *,
    price: float,
    n_fixed: int = 0,
    rounds: int,
    enough_mm: float,
) -> Array:
    """Deform a tube until it moves no more.

    Parameters
    ----------
    field : Field
        The image.
    points : (R, M, 3) array
        Tube; also the reference shape.
    parameters : PropsegParameters
        Search and weights.
    price : float
        Price of the squared distance of an edge.
    n_fixed : int
        First rings that stay where they are.
    rounds : int
        Largest number of rounds, each with new targets.
    enough_mm : float
        Mean displacement of a round below which it ends.

    Returns
    -------
    (R, M, 3) array
        The deformed tube.
    """
    present = points
    for _ in range(rounds):
        targets = find_targets(field, present, price, parameters)
        rotation = rigid_fit(points.reshape(-1, 3), present.reshape(-1, 3))
        moved = minimise(present, points @ rotation.T, targets, weight=parameters.shape_weight, n_fixed=n_fixed)
        shift = float(np.linalg.norm(moved - present, axis=2)[n_fixed:].mean())
        present = moved
        if shift < enough_mm:
            break
    return present


def minimise(points: Array, reference: Array, targets: Targets, *, weight: float, n_fixed: int = 0) -> Array:
    """Return the points with the least energy.

    Parameters
    ----------
    points, reference : (R, M, 3) arrays
        Present points, and the shape that the neighbours should keep (already rotated).
    targets : Targets
        What pulls the triangles.
    weight : float
        Weight of the shape.
    n_fixed : int
        First rings that stay.

    Returns
    -------
    (R, M, 3) array
        New points.
    """
    n_rings, n_points = points.shape[:2]
    flat, shape = points.reshape(-1), reference.reshape(-1)
    stiffness = weight * _neighbour_matrix(n_rings, n_points)
    data = _data_matrix(n_rings, n_points, targets)
    pull = np.sqrt(targets.weights) * np.einsum("ij,ij->i", targets.directions, targets.points)
    system = (data.T @ data + stiffness + _HOLD * sparse.identity(len(flat))).tocsr()
    right = data.T @ pull + stiffness @ shape + _HOLD * flat
    start = 3 * n_points * n_fixed
    right = right[start:] - system[start:, :start] @ flat[:start]
    moved = flat.copy()
    moved[start:] = _solve(system[start:, start:], right, flat[start:])
    return moved.reshape(points.shape)


def _neighbour_matrix(n_rings: int, n_points: int) -> sparse.csr_matrix:
    """Return the matrix of the sum of squared differences between neighbours, for (x, y, z) of each point."""
    edges = wall_edges(n_rings, n_points)
    rows = np.repeat(np.arange(len(edges)), 2)
    signs = np.tile([1.0, -1.0], len(edges))
    difference = sparse.csr_matrix((signs, (rows, edges.ravel())), shape=(len(edges), n_rings * n_points))
    return sparse.kron(difference.T @ difference, sparse.identity(3), format="csr")


def _data_matrix(n_rings: int, n_points: int, targets: Targets) -> sparse.csr_matrix:
    """Return the matrix (T, 3 N) that gives the weighted position of each triangle's centre along its direction."""
    triangles = wall_triangles(n_rings, n_points)
    values = np.sqrt(targets.weights)[:, None] * targets.directions / 3
    columns = 3 * triangles[:, :, None] + np.arange(3)
    rows = np.broadcast_to(np.arange(len(triangles))[:, None, None], columns.shape)
    entries = np.broadcast_to(values[:, None], columns.shape)
    size = (len(triangles), 3 * n_rings * n_points)
    return sparse.csr_matrix((entries.ravel(), (rows.ravel(), columns.ravel())), shape=size)


def _solve(system: sparse.csr_matrix, right: Array, start: Array) -> Array:
    """Solve a symmetric positive definite system."""
    solution: Array
    if len(right) <= _LARGEST_DIRECT:
        solution = linalg.spsolve(system.tocsc(), right)
        return solution
    inverse_diagonal: NDArray[np.float64] = 1 / system.diagonal()
    preconditioner = sparse.diags(inverse_diagonal)
    solution, _ = linalg.cg(system, right, x0=start, rtol=1e-6, maxiter=500, M=preconditioner)
    return solution
