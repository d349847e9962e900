"""Cut a window around the course of the cord out of each slice, and put windows back, as the reference method does."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import Grid


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Where the cord is on the working grid.

    Attributes
    ----------
    ij : (N, 2) float array
        In-plane voxel coordinates.
    k : (N,) int array
        Slices, increasing; not all need a point.
    grid : Grid
        The working grid.
    """

    ij: NDArray[np.float64]
    k: NDArray[np.intp]
    grid: Grid


@dataclass(frozen=True, slots=True, eq=False)
class Crops:
    """Windows of all slices, one above the other.

    Attributes
    ----------
    values : (H, W, K) float32 array
        Zero in slices without centerline, and where the image is smaller than the window.
    starts : (N, 2) int array
        First pixels of the windows of the slices ``k``.
    k : (N,) int array
        Slices with a window.
    """

    values: NDArray[np.float32]
    starts: NDArray[np.intp]
    k: NDArray[np.intp]


def window_start(centre: int, size: int, n: int) -> int:
    """Return the first pixel of a window.

    The window is [centre - size / 2 + 1, centre + size / 2 + 1), moved to the upper border if it reaches past it, and
    then to 0 if it begins before.
    """
    start = centre - size // 2 + 1
    if start + size > n:
        start = n - size
    return max(start, 0)


def cut_crops(data: NDArray[np.float32], course: Course, shape: tuple[int, ...]) -> Crops:
    """Cut a window per slice of the course; its centre is truncated to a pixel."""
    values = np.zeros((*shape, data.shape[2]), np.float32)
    starts = np.array(
        [
            [window_start(int(c), size, n) for c, size, n in zip(ij, shape, data.shape, strict=False)]
            for ij in course.ij
        ],
        np.intp,
    ).reshape(-1, 2)
    for (i, j), k in zip(starts, course.k, strict=True):
        part = data[i : i + shape[0], j : j + shape[1], k]
        values[: part.shape[0], : part.shape[1], k] = part
    return Crops(values, starts, course.k)


def paste_crops(values: NDArray[np.float32], crops: Crops, shape: tuple[int, int, int]) -> NDArray[np.float32]:
    """Put results of the shape of ``crops.values`` back into a volume of zeros."""
    out = np.zeros(shape, np.float32)
    for (i, j), k in zip(crops.starts, crops.k, strict=True):
        target = out[i : i + values.shape[0], j : j + values.shape[1], k]
        target[...] = values[: target.shape[0], : target.shape[1], k]
    return out
