"""Move the points of a tube to where the image pulls them, while it keeps its shape.

With fixed targets, weights and rotation the energy [5.4] is quadratic in the points::

    E(x) =   sum over triangles        w (g . (target - centre(x)))²
           + a sum over neighbours     |x_i - x_j - T (r_i - r_j)|²

so each round is one sparse linear system (the reference method minimises it by conjugate gradients as well, as a
general function). r are the points of the reference shape and T the rotation that fits them best to the present ones.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse import linalg

from bids_deepseg.methods.propseg.field import Field
from bids_deepseg.methods.propseg.forces import Targets, find_targets
from bids_deepseg.methods.propseg.mesh import Array, rigid_fit, wall_edges, wall_triangles
from bids_deepseg.methods.propseg.parameters import PropsegParameters

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
