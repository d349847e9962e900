"""Describe the window around every pixel by its histograms of oriented gradients (HOG), and score it linearly.

Space: one slice on square pixels of 1 mm, canonical axes; x is the first axis (right to left), y the second
(posterior to anterior).

Terms
-----
window
    32 x 32 pixels; that of a pixel spans -16 to +15 pixels around it.
block
    8 x 8 pixels; a window has 4 x 4 blocks that do not overlap.
cell
    Quarter of a block; it has one histogram of 9 directions of the full circle. A block has 4 x 9 = 36 values.

The values of a block do not depend on the window that it is part of. They are computed once for every position, and
the score of all windows is a sum of 16 shifted maps.

The descriptor is that of Dalal and Triggs [1]_ with the constants of the published detectors of OptiC [2]_: what is
stated in their files, and what the library that they were made with does besides (measured on its scores).

References
----------
.. [1] Dalal and Triggs (2005), Histograms of oriented gradients for human detection, CVPR, 886-893.
.. [2] Gros et al. (2018), Automatic spinal cord localization, robust to MRI contrasts using global curve optimization,
   Medical Image Analysis 44, 215-227.
"""

import numpy as np
from numpy.typing import NDArray

#: Window, block and cell in pixels, number of directions: ``winSize``, ``blockSize``, ``cellSize``, ``nbins`` of [2].
WINDOW_PX, BLOCK_PX, CELL_PX, N_BINS = 32, 8, 4, 9
#: Blocks along each axis of a window.
BLOCKS_PER_AXIS = WINDOW_PX // BLOCK_PX
#: Values of one block and of a window.
BLOCK_SIZE = (BLOCK_PX // CELL_PX) ** 2 * N_BINS
N_FEATURES = BLOCKS_PER_AXIS**2 * BLOCK_SIZE

#: Standard deviation in pixels of the weight of a block's pixels: ``winSigma`` of [2].
_SIGMA_PX = 2.0
#: Centre of that weight within the block; 4 rather than 3.5, as in the library of [2].
_WEIGHT_CENTRE_PX = 4.0
#: Largest value after the first normalisation: ``L2HysThreshold`` of [2].
_CLIP = 0.2
#: Added to the norm so that a block without gradients stays zero: 0.1 for each of 36 values, then 0.001.
_FIRST_FLOOR, _SECOND_FLOOR = 0.1 * BLOCK_SIZE, 1e-3


def score_map(image: NDArray[np.floating], weights: NDArray[np.floating], bias: float) -> NDArray[np.float32]:
    """Score the window around every pixel of a slice.

    Parameters
    ----------
    image : (I, J) float array
        Brightness from 0 to 255 on pixels of 1 mm. Beyond its border it goes on as its mirror image.
    weights : (576,) float array
        Weights of the linear support vector machine.
    bias : float
        Its constant.

    Returns
    -------
    (I, J) float32 array
        ``weights @ descriptor + bias``; larger is more cord-like.
    """
    return score_blocks(block_descriptors(image), image.shape, weights, bias)


def score_blocks(
    blocks: NDArray[np.float32], shape: tuple[int, ...], weights: NDArray[np.floating], bias: float
) -> NDArray[np.float32]:
    """Score the window around every pixel of a slice whose blocks are described already: for several detectors.

    Parameters
    ----------
    blocks : float32 array
        What :func:`block_descriptors` says of the slice.
    shape : (int, int)
        Its pixels.
    weights, bias : (576,) float array, float
        As for :func:`score_map`.

    Returns
    -------
    (I, J) float32 array
        As of :func:`score_map`.
    """
    maps = np.asarray(weights, np.float32).reshape(-1, BLOCK_SIZE) @ blocks.reshape(BLOCK_SIZE, -1)
    n_i, n_j = shape
    maps = maps.reshape(BLOCKS_PER_AXIS, BLOCKS_PER_AXIS, n_i + WINDOW_PX - BLOCK_PX, n_j + WINDOW_PX - BLOCK_PX)
    score = np.full((n_i, n_j), bias, np.float32)
    for x, y in np.ndindex(BLOCKS_PER_AXIS, BLOCKS_PER_AXIS):
        score += maps[x, y, BLOCK_PX * x : BLOCK_PX * x + n_i, BLOCK_PX * y : BLOCK_PX * y + n_j]
    return score


def describe_windows(image: NDArray[np.floating], pixels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Return the descriptors of the windows around some pixels.

    Parameters
    ----------
    image : (I, J) float array
        As for :func:`score_map`.
    pixels : (N, 2) int array
        Pixels of the image.

    Returns
    -------
    (N, 576) float32 array
        Blocks in the order x, then y; within a block cells in the order x, then y; within a cell the directions.
    """
    blocks = block_descriptors(image)
    steps = BLOCK_PX * np.indices((BLOCKS_PER_AXIS, BLOCKS_PER_AXIS)).reshape(2, -1)
    i, j = (np.asarray(pixels)[:, axis, None] + steps[axis] for axis in (0, 1))
    return np.moveaxis(blocks[:, i, j], 0, -1).reshape(len(pixels), N_FEATURES)


def block_descriptors(image: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the normalised values of the blocks at all positions that windows need.

    Parameters
    ----------
    image : (I, J) float array
        As for :func:`score_map`.

    Returns
    -------
    (36, I + 24, J + 24) float32 array
        Element (i, j) belongs to the block whose first pixel is (i - 16, j - 16) of the image.
    """
    half = WINDOW_PX // 2
    # One pixel more than the windows need on each side, for the central differences.
    wide = np.pad(np.asarray(image, np.float32), ((half + 1, half), (half + 1, half)), mode="reflect")
    histograms = _direction_maps(np.sqrt(wide))
    rows = [_weighted_sums(histograms, x, axis=1) for x in (0, 1)]
    blocks = np.concatenate([_weighted_sums(row, y, axis=2) for row in rows for y in (0, 1)])
    blocks /= _length(blocks) + np.float32(_FIRST_FLOOR)
    np.minimum(blocks, np.float32(_CLIP), out=blocks)
    blocks /= _length(blocks) + np.float32(_SECOND_FLOOR)
    return blocks


def _length(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the length over the first axis."""
    return np.asarray(np.sqrt(np.einsum("kij,kij->ij", vectors, vectors)))


def _direction_maps(root: NDArray[np.float32]) -> NDArray[np.float32]:
    """Share each pixel's gradient between the two directions next to its own.

    ``root`` is the square root of the brightness (I + 2, J + 2); the result is (9, I, J).
    """
    dx = root[2:, 1:-1] - root[:-2, 1:-1]
    dy = root[1:-1, 2:] - root[1:-1, :-2]
    magnitude = np.hypot(dx, dy)
    position = np.mod(np.arctan2(dy, dx), np.float32(2 * np.pi)) * np.float32(N_BINS / (2 * np.pi)) - np.float32(0.5)
    lower = np.floor(position)
    share = position - lower
    first = lower.astype(np.intp) % N_BINS
    maps = np.zeros((N_BINS, *dx.shape), np.float32)
    i, j = np.indices(dx.shape)
    maps[first, i, j] = magnitude * (1 - share)
    maps[(first + 1) % N_BINS, i, j] = magnitude * share
    return maps


def _weighted_sums(maps: NDArray[np.float32], cell: int, *, axis: int) -> NDArray[np.float32]:
    """Sum along one axis over a block's pixels with the weights of one of its two cells; 7 pixels shorter."""
    n = maps.shape[axis] - BLOCK_PX + 1
    total = np.zeros((*maps.shape[:axis], n, *maps.shape[axis + 1 :]), np.float32)
    for offset, weight in enumerate(_cell_weights(cell)):
        if weight > 0:
            part = maps[:, offset : offset + n] if axis == 1 else maps[:, :, offset : offset + n]
            total += weight * part
    return total


def _cell_weights(cell: int) -> NDArray[np.float32]:
    """Return the weights (8,) along one axis of a block's pixels in its first or second cell.

    The Gaussian weight of the block is the product of both axes', and so is the bilinear share of a cell: parts that
    would fall to cells outside the block are dropped.
    """
    pixel = np.arange(BLOCK_PX)
    gaussian = np.exp(-((pixel - _WEIGHT_CENTRE_PX) ** 2) / (2 * _SIGMA_PX**2))
    share = np.maximum(0, 1 - np.abs((pixel + 0.5) / CELL_PX - 0.5 - cell))
    return np.asarray(gaussian * share, np.float32)
