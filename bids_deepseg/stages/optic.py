"""Find the best path through a stack of slices: the optimisation of OptiC.

One point is chosen in each slice so that the sum of the points' costs and of the weighted squared in-plane steps
between neighbouring slices is the least possible [1]_. The optimum is exact: dynamic programming over the slices,
where the best predecessor of every pixel is found by a distance transform of sampled functions [2]_, in time linear in
the number of voxels.

References
----------
.. [1] Gros et al. (2018), Automatic spinal cord localization, robust to MRI contrasts using global curve optimization,
   Medical Image Analysis 44, 215-227.
.. [2] Felzenszwalb and Huttenlocher (2012), Distance transforms of sampled functions, Theory of Computing 8, 415-428.
"""

import numpy as np
from numpy.typing import NDArray


def least_cost_path(cost: NDArray[np.floating], weights: tuple[float, float]) -> tuple[NDArray[np.intp], float]:
    """Choose one pixel per slice with the least sum of costs and weighted squared steps.

    Parameters
    ----------
    cost : (I, J, K) float array
        Cost of each pixel, finite.
    weights : (float, float)
        Positive weights of the squared steps along i and j, per pixel².

    Returns
    -------
    ij : (K, 2) int array
        The path.
    total : float
        Its cost.
    """
    n_slices = cost.shape[2]
    best = np.empty((n_slices, *cost.shape[:2]))
    best[0] = cost[..., 0]
    for k in range(1, n_slices):
        best[k] = cost[..., k] + _least_over_steps(best[k - 1], weights)
    ij = np.empty((n_slices, 2), np.intp)
    ij[-1] = np.unravel_index(np.argmin(best[-1]), cost.shape[:2])
    i, j = (np.arange(n) for n in cost.shape[:2])
    for k in range(n_slices - 2, -1, -1):
        step = weights[0] * (i - ij[k + 1, 0])[:, None] ** 2 + weights[1] * (j - ij[k + 1, 1])[None] ** 2
        ij[k] = np.unravel_index(np.argmin(best[k] + step), cost.shape[:2])
    return ij, float(best[-1].min())


def _least_over_steps(values: NDArray[np.float64], weights: tuple[float, float]) -> NDArray[np.float64]:
    """Return at each pixel the least of ``values`` plus the weighted squared distance to it; separable."""
    along_j = squared_distance_transform(values, weights[1])
    return squared_distance_transform(along_j.T, weights[0]).T


def squared_distance_transform(values: NDArray[np.float64], weight: float) -> NDArray[np.float64]:
    """Compute ``min over q of values[:, q] + weight * (x - q)²`` for every x of every line.

    The minimum over all q is the lower envelope of parabolas, which is built from left to right: a new parabola
    removes those of the envelope that it hides. All lines are treated at once.

    Parameters
    ----------
    values : (L, N) float array
        Lines of finite values.
    weight : float
        Positive weight.

    Returns
    -------
    (L, N) float array
        The transform.
    """
    n_lines, n = values.shape
    lines = np.arange(n_lines)
    raised = values + weight * np.arange(n) ** 2
    # The envelope of each line: the apexes of its parabolas, and where each one starts to be the lowest.
    apex = np.zeros((n_lines, n), np.intp)
    start = np.full((n_lines, n), -np.inf)
    last = np.zeros(n_lines, np.intp)
    for q in range(1, n):
        while True:
            top = apex[lines, last]
            crossing = (raised[:, q] - raised[lines, top]) / (2 * weight * (q - top))
            hidden = crossing <= start[lines, last]
            if not hidden.any():
                break
            last -= hidden
        last += 1
        apex[lines, last] = q
        start[lines, last] = crossing
    # The number of parabolas that start at or before x is the index of the lowest one at x.
    used = (np.arange(n) <= last[:, None]) & np.isfinite(start)
    first_x = np.clip(np.ceil(np.where(used, start, 0)), 0, n).astype(np.intp)
    counts = np.zeros((n_lines, n + 1), np.intp)
    np.add.at(counts, (np.broadcast_to(lines[:, None], used.shape)[used], first_x[used]), 1)
    lowest = apex[lines[:, None], np.cumsum(counts[:, :n], 1)]
    return np.asarray(values[lines[:, None], lowest] + weight * (np.arange(n) - lowest) ** 2)
