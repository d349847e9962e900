"""Run a Keras network over many patches in batches of one size, so that it is traced once and memory is bounded."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def predict_in_batches(network: Any, patches: NDArray[np.float32], *, most_voxels: int) -> NDArray[np.float32]:
    """Map patches through a network with one channel in and out.

    The last batch is filled up with zeros to the size of the others.

    Parameters
    ----------
    network : keras.Model
        float32 ``(N, ..., 1)`` to float32 of the same shape.
    patches : (N, ...) float32 array
        Standardised patches.
    most_voxels : int
        Voxels in one batch, unless a single patch has more.

    Returns
    -------
    (N, ...) float32 array
        Answers of the network.
    """
    size = max(1, most_voxels // int(np.prod(patches.shape[1:])))
    out = np.empty(patches.shape, np.float32)
    for start in range(0, len(patches), size):
        part = patches[start : start + size]
        batch = np.zeros((size, *patches.shape[1:]), np.float32)
        batch[: len(part)] = part
        result = network.predict_on_batch(batch[..., None])
        out[start : start + size] = np.asarray(result)[: len(part), ..., 0]
    return out
