"""Segment the cord in the patches: a probability for each pixel, put back in its place."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.grid import AXIS_IS
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.geometry.window import paste
from bids_deepseg.networks.predictor import Predictor
from bids_deepseg.stages.intensity import Standardise, standardise_patches
from bids_deepseg.stages.patches import PatchStack

#: Standard deviation of the smoothing along the slices. The cord changes little over it, and noise that the network
#: sees slice by slice is averaged; slices thicker than about twice this value are left as they are.
SMOOTH_MM = 1.0


def predict_probability(
    patches: PatchStack, segmenter: Predictor, *, standardise: Standardise = standardise_patches
) -> Volume:
    """Segment all patches and put the probabilities in their places.

    The network sees each patch and its mirror image, left for right, and the two answers are averaged.

    Parameters
    ----------
    patches : PatchStack
        Patches around the cord.
    segmenter : Predictor
        Segmentation network.
    standardise : callable, optional
        Brings patches to the intensities that the network expects.

    Returns
    -------
    Volume
        float32 probability in [0, 1] on the grid of the patches, 0 outside of them.
    """
    return predict_with_spread(patches, segmenter, standardise=standardise)[0]


def predict_with_spread(
    patches: PatchStack, segmenter: Predictor, *, standardise: Standardise = standardise_patches
) -> tuple[Volume, Volume]:
    """Segment all patches, and tell how far the answers to a patch and to its mirror image differ.

    Parameters and errors as for :func:`predict_probability`.

    Returns
    -------
    probability : Volume
        float32 mean of the two answers in [0, 1] on the grid of the patches, 0 outside of them.
    spread : Volume
        float32 half of their absolute difference, in [0, 0.5], on the same grid.
    """
    standard = standardise(patches.values, patches.valid)
    first, second = segmenter.predict(standard), segmenter.predict(standard[:, ::-1])[:, ::-1]
    return _put_back((first + second) / 2, patches), _put_back(np.abs(first - second) / 2, patches)


def _put_back(predicted: NDArray[np.floating], patches: PatchStack) -> Volume:
    """Put what was predicted in its places, smoothed along the slices."""
    data = np.zeros(patches.grid.shape, np.float32)
    for values, window in zip(predicted, patches.windows, strict=True):
        paste(data, values, window)
    smooth = ndimage.gaussian_filter1d(data, SMOOTH_MM / patches.grid.zooms[AXIS_IS], axis=AXIS_IS, mode="nearest")
    return Volume(np.clip(smooth, 0, 1), patches.grid)
