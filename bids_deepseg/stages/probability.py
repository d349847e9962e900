"""Segment the cord in the patches: a probability for each pixel, put back in its place."""

from dataclasses import dataclass

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

#: Most slices that are all shown to the network with bright and dark exchanged.
_ALL_SLICES = 15


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """What a network says of patches, and how far it contradicts itself.

    Attributes
    ----------
    probability : Volume
        float32 mean of the answers to the patches and to their mirror images, in [0, 1].
    spread : Volume
        float32 half of their absolute difference, in [0, 0.5].
    inverted : float
        Difference between these answers and those to patches with bright and dark exchanged, relative to their sum,
        median of the patches: 0 for the same, 1 for nothing in common; NaN if that was not asked.
    """

    probability: Volume
    spread: Volume
    inverted: float


def ask_network(
    patches: PatchStack,
    segmenter: Predictor,
    *,
    standardise: Standardise = standardise_patches,
    look_twice: bool = False,
    in_stacks: bool = False,
) -> Answers:
    """Segment all patches, and ask the network about changed ones.

    The network sees each patch and its mirror image, left for right, and the two answers are averaged.

    Parameters
    ----------
    patches : PatchStack
        Patches around the cord.
    segmenter : Predictor
        Segmentation network.
    standardise : callable, optional
        Brings patches to the intensities that the network expects.
    look_twice : bool, optional
        Ask about patches with bright and dark exchanged, too, which makes sense for a network of any contrast.
    in_stacks : bool, optional
        Whether the network sees the slices together; of many that it sees one by one, every third is asked about twice.

    Returns
    -------
    Answers
        On the grid of the patches, 0 outside them.
    """
    standard = standardise(patches.values, patches.valid)
    first, second = segmenter.predict(standard), segmenter.predict(standard[:, ::-1])[:, ::-1]
    inverted = float("nan")
    if look_twice:
        some = slice(None) if in_stacks or len(standard) <= _ALL_SLICES else slice(1, None, 3)
        inverted = _difference(segmenter.predict(-standard[some]), (first + second)[some] / 2)
    return Answers(_put_back((first + second) / 2, patches), _put_back(np.abs(first - second) / 2, patches), inverted)


def sharpen(probability: NDArray[np.floating], exponent: float) -> NDArray[np.float32]:
    """Raise the odds of probabilities to a power: ``p**e / (p**e + (1 - p)**e)``.

    0, 1/2 and 1 stay, so that a mask at 1/2 is the same; with an exponent above 1 the rest moves away from 1/2. The
    inverse has the exponent 1 / e. On a logarithmic scale this is a temperature of 1 / e [1]_.

    Parameters
    ----------
    probability : float array
        Probabilities in [0, 1].
    exponent : float
        The power e, more than 0.

    References
    ----------
    .. [1] Guo C, et al. On calibration of modern neural networks. ICML 2017.
    """
    sharp = np.array(probability, np.float32)
    if exponent == 1:
        return sharp
    # Most voxels are far from the cord: only the others cost time and memory.
    unsure = (sharp > 0) & (sharp < 1)
    yes = sharp[unsure] ** exponent
    sharp[unsure] = yes / (yes + (1 - sharp[unsure]) ** exponent)
    return sharp


def _difference(first: NDArray[np.floating], second: NDArray[np.floating]) -> float:
    """Return the sum of absolute differences relative to the sum of both, median of the patches; NaN for nothing."""
    total = (first + second).sum((1, 2), dtype=np.float64)
    known = total > 0
    difference = np.abs(first - second).sum((1, 2), dtype=np.float64)
    return float(np.median(difference[known] / total[known])) if known.any() else float("nan")


def _put_back(predicted: NDArray[np.floating], patches: PatchStack) -> Volume:
    """Put what was predicted in its places, smoothed along the slices."""
    data = np.zeros(patches.grid.shape, np.float32)
    for values, window in zip(predicted, patches.windows, strict=True):
        paste(data, values, window)
    smooth = ndimage.gaussian_filter1d(data, SMOOTH_MM / patches.grid.zooms[AXIS_IS], axis=AXIS_IS, mode="nearest")
    return Volume(np.clip(smooth, 0, 1), patches.grid)
