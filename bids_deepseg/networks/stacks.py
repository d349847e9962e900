"""Cut a series of slices into overlapping stacks of one depth, and join what a network answers to them."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class StackCuts:
    """Which slices of each stack are kept.

    Attributes
    ----------
    n : int
        Slices of the series.
    starts : tuple of int
        First slice of each stack.
    kept : tuple of (int, int)
        First and one-past-last slice of the series that each stack answers for; together each slice once.
    """

    n: int
    starts: tuple[int, ...]
    kept: tuple[tuple[int, int], ...]


def plan_stacks(n: int, depth: int) -> StackCuts:
    """Cover ``n`` slices by stacks of ``depth`` that overlap by a third.

    A slice is answered for by a stack in which it lies at least a sixth of the depth from a cut end.
    """
    margin = depth // 6
    step = depth - 2 * margin
    starts = [0]
    while starts[-1] + depth < n:
        starts.append(min(starts[-1] + step, n - depth))
    borders = [0]
    borders += [(before + depth + after) // 2 for before, after in pairwise(starts)]
    borders.append(n)
    return StackCuts(n, tuple(starts), tuple(pairwise(borders)))


def cut_stacks(slices: NDArray[np.float32], depth: int) -> tuple[NDArray[np.float32], StackCuts]:
    """Cut (N, H, W) slices into stacks (S, depth, H, W); a short series is filled up with its last slice."""
    plan = plan_stacks(len(slices), depth)
    index = np.array([[min(start + d, len(slices) - 1) for d in range(depth)] for start in plan.starts])
    return slices[index], plan


def join_stacks(stacks: NDArray[np.float32], plan: StackCuts) -> NDArray[np.float32]:
    """Join answers (S, depth, H, W) to the stacks of a plan into (N, H, W)."""
    out = np.empty((plan.n, *stacks.shape[2:]), np.float32)
    for stack, start, (first, end) in zip(stacks, plan.starts, plan.kept, strict=True):
        out[first:end] = stack[first - start : end - start]
    return out
