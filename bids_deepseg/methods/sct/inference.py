"""Scale the windows and run the segmentation network over them, slice by slice or in blocks [1.5, steps 5, 6; 1.7]."""

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import ImageError
from bids_deepseg.geometry.half_mm import rounded_size, stretch
from bids_deepseg.methods.sct.settings import SCALE_PERCENTILES
from bids_deepseg.networks.batches import predict_blocks
from bids_deepseg.networks.predictor import ScaledPredictor
from bids_deepseg.stages.crops import Crops


def scale_to_byte(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Bring the 2nd to the 98th percentile of all values, zeros of the filling included (Q12), to 0..255.

    Raises
    ------
    ImageError
        If both percentiles are equal.
    """
    low, high = np.percentile(values, SCALE_PERCENTILES)
    if low == high:
        raise ImageError(
            f"At least 96 % of the values around the centerline are {low:g}, so they cannot be scaled. Check that the "
            "centerline lies in the image and covers more than a few of its slices."
        )
    return np.asarray((np.clip(values, low, high) - low) * (255 / (high - low)), np.float32)


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
