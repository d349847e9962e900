"""Run the segmentation network over the windows: slice by slice, or in blocks of slices [1.5, step 6; 1.7]."""

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.methods.sct.crops import Crops
from bids_deepseg.methods.sct.resolution import rounded_size, stretch


class ScaledPredictor(Protocol):
    """A network that brings values of 0..255 to its own scale; :class:`PublishedPredictor` is one."""

    @property
    def patch_shape(self) -> Any:
        """Voxels of a patch: two numbers, three for a 3D network."""
        ...

    @property
    def threshold(self) -> float:
        """Probability above which the reference keeps a voxel."""
        ...

    def standardise(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Bring values to the scale of the network."""
        ...

    def predict(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map standardised patches (N, ...) to probabilities of the same shape."""
        ...


def predict_slices(scaled: NDArray[np.float32], crops: Crops, network: ScaledPredictor) -> NDArray[np.float32]:
    """Predict each slice that has a window; the others stay 0.

    Parameters
    ----------
    scaled : (H, W, K) float32 array
        Windows, values 0..255.
    crops : Crops
        Which slices have one.
    network : ScaledPredictor
        2D network of the windows' shape.
    """
    out = np.zeros(scaled.shape, np.float32)
    patches = network.standardise(np.moveaxis(scaled[..., crops.k], -1, 0))
    out[..., crops.k] = np.moveaxis(network.predict(patches), 0, -1)
    return out


def predict_blocks(volume: NDArray[np.float32], network: ScaledPredictor) -> NDArray[np.float32]:
    """Predict blocks of slices that do not overlap, from the lowest slice on [1.7].

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


def predict_isotropic(volume: NDArray[np.float32], network: ScaledPredictor, *, slice_mm: float) -> NDArray[np.float32]:
    """Predict blocks of slices of 0.5 mm, as the 3D networks were trained, and resample back: quirk Q2 fixed.

    Parameters
    ----------
    volume : (H, W, K) float32 array
        Windows, slices at a distance of ``slice_mm``.
    network : ScaledPredictor
        3D network.
    slice_mm : float
        Distance of the slices.
    """
    n = volume.shape[2]
    fine = stretch(volume, (*volume.shape[:2], rounded_size(n, slice_mm)))
    return stretch(predict_blocks(fine, network), volume.shape)
