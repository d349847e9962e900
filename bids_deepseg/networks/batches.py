"""Run a network over many patches in batches of one size, so that it is traced once and memory is bounded.

The environment variable :data:`SMALL_BATCHES` makes every batch a single patch: like the threads of TensorFlow, how
much memory a process may take is told to it, and to those that it starts, by its environment.
"""

import os
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.networks.predictor import Network, ScaledPredictor

#: Set to 1 by ``--low-mem``.
SMALL_BATCHES = "BIDS_DEEPSEG_SMALL_BATCHES"


def predict_in_batches(network: Network, patches: NDArray[np.float32], *, most_voxels: int) -> NDArray[np.float32]:
    """Map patches through a network with one channel in and out.

    The last batch is filled up with zeros to the size of the others.

    Parameters
    ----------
    network : Network
        float32 ``(N, ..., 1)`` to float32 of the same shape.
    patches : (N, ...) float32 array
        Standardised patches.
    most_voxels : int
        Voxels in one batch, unless a single patch has more, or small batches are demanded.

    Returns
    -------
    (N, ...) float32 array
        Answers of the network.
    """
    if os.environ.get(SMALL_BATCHES) == "1":
        most_voxels = 1
    size = max(1, most_voxels // int(np.prod(patches.shape[1:])))
    out = np.empty(patches.shape, np.float32)
    for start in range(0, len(patches), size):
        part = patches[start : start + size]
        batch = np.zeros((size, *patches.shape[1:]), np.float32)
        batch[: len(part)] = part
        result = network.predict_on_batch(batch[..., None])
        out[start : start + size] = np.asarray(result)[: len(part), ..., 0]
    return out


def predict_blocks(volume: NDArray[np.float32], network: ScaledPredictor) -> NDArray[np.float32]:
    """Predict blocks of slices that do not overlap, from the lowest slice on.

    The last block is filled with zeros before its values are standardised, so the filling becomes -mean / std. Blocks
    of zeros are not predicted: their result is 0.

    Parameters
    ----------
    volume : (H, W, K) float32 array
        Windows.
    network : ScaledPredictor
        3D network; its depth is that of a block.
    """
    depth, n = network.patch_shape[2], volume.shape[2]
    out = np.zeros(volume.shape, np.float32)
    for start in range(0, n, depth):
        part = volume[..., start : start + depth]
        if not part.any():
            continue
        block = np.zeros((*volume.shape[:2], depth), np.float32)
        block[..., : part.shape[2]] = part
        answer = network.predict(network.standardise(block)[None])[0]
        out[..., start : start + depth] = answer[..., : part.shape[2]]
    return out


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
