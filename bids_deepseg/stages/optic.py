"""Find the best path through a stack of slices: the optimisation of OptiC.

One point is chosen in each slice so that the sum of the points' costs and of the weighted squared in-plane steps
between neighbouring slices is the least possible [1]_. The optimum is exact: dynamic programming over the slices,
where the best predecessor of every pixel is found by a distance transform of sampled functions [2]_, in time linear in
the number of voxels; or by trying the steps one by one, which is quicker where they are bounded, or where few of them
can pay: a step whose price is more than what can be gained at all is never part of the best path.

References
----------
.. [1] Gros et al. (2018), Automatic spinal cord localization, robust to MRI contrasts using global curve optimization,
   Medical Image Analysis 44, 215-227.
.. [2] Felzenszwalb and Huttenlocher (2012), Distance transforms of sampled functions, Theory of Computing 8, 415-428.
"""

import numpy as np
from numpy.typing import NDArray

#: Steps up to which trying all of them is quicker than the distance transform, whose loop is one over pixels.
_FEW_STEPS = 200


def least_cost_path(
    cost: NDArray[np.floating], weights: tuple[float, float], longest: tuple[int, int] | None = None
) -> tuple[NDArray[np.intp], float]:
    """Choose one pixel per slice with the least sum of costs and weighted squared steps.

    Parameters
    ----------
    cost : (I, J, K) float array
        Cost of each pixel, finite.
    weights : (float, float)
        Positive weights of the squared steps along i and j, per pixel².
    longest : (int, int), optional
        Longest step along i and j that a path may take; any by default.

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
        best[k] = cost[..., k] + _least_over_steps(best[k - 1], weights, longest)
    ij = np.empty((n_slices, 2), np.intp)
    ij[-1] = np.unravel_index(np.argmin(best[-1]), cost.shape[:2])
    i, j = (np.arange(n) for n in cost.shape[:2])
    for k in range(n_slices - 2, -1, -1):
        di, dj = np.abs(i - ij[k + 1, 0]), np.abs(j - ij[k + 1, 1])
        step = weights[0] * di[:, None] ** 2 + weights[1] * dj[None] ** 2
        if longest is not None:
            step[di > longest[0]], step[:, dj > longest[1]] = np.inf, np.inf
        ij[k] = np.unravel_index(np.argmin(best[k] + step), cost.shape[:2])
    return ij, float(best[-1].min())


def _least_over_steps(
    values: NDArray[np.float64], weights: tuple[float, float], longest: tuple[int, int] | None
) -> NDArray[np.float64]:
    """Return at each pixel the least of ``values`` plus the weighted squared distance to it; separable."""
    along_j = _least_along_first(values.T, weights[1], longest and longest[1]).T
    return _least_along_first(along_j, weights[0], longest and longest[0])


def _least_along_first(values: NDArray[np.float64], weight: float, longest: int | None) -> NDArray[np.float64]:
    """Return the least of ``values`` plus the weighted squared distance along the first axis."""
    # No step pays more than the difference of the largest and the least value.
    paying = int(min(np.sqrt(np.ptp(values) / weight), len(values)))
    if longest is None and paying > _FEW_STEPS:
        return squared_distance_transform(values.T, weight).T
    return _least_over_short_steps(values, weight, paying if longest is None else min(longest, paying))


def _least_over_short_steps(values: NDArray[np.float64], weight: float, longest: int) -> NDArray[np.float64]:
    """Compute ``min over q of values[q] + weight * (x - q)²`` for every x along the first axis, |x - q| <= longest."""
    least = values.copy()
    for step in range(1, min(longest, len(values) - 1) + 1):
        price = weight * step**2
        np.minimum(least[step:], values[:-step] + price, out=least[step:])
        np.minimum(least[:-step], values[step:] + price, out=least[:-step])
    return least


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
