"""Trace the cord with a linear detector on gradients: OptiC [1]_ as it was first published.

Each slice is resampled to 1 mm, turned to 8 bits and scored at every pixel (:mod:`bids_deepseg.methods.optic.hog`). The
scores go back to the native pixels, where the path of least cost is exact (:mod:`bids_deepseg.stages.optic`). The
method has no rule for slices without cord: the path runs through all slices of the image.

References
----------
.. [1] Gros et al. (2018), Automatic spinal cord localization, robust to MRI contrasts using global curve optimization,
   Medical Image Analysis 44, 215-227.
"""

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import CordNotFoundError, UsageError
from bids_deepseg.geometry.resample import rounded_size, stretch
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.optic.hog import score_map
from bids_deepseg.methods.optic.model import SvmModel
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.optic import least_cost_path

#: Weight of the squared slope against the score of one slice: the lambda of [1], 1 for all contrasts.
DEFAULT_SVM_SMOOTHNESS = 1.0

#: Pixel size for which the detectors were trained: ``ps0`` and ``ps1`` of the published models.
_PIXEL_MM = 1.0


def svm_centerline(canonical: Volume, model: SvmModel, *, smoothness: float = DEFAULT_SVM_SMOOTHNESS) -> Centerline:
    """Trace the cord as the path of best scores of a linear detector.

    Parameters
    ----------
    canonical : Volume
        float32 image on canonical axes, native voxels.
    model : SvmModel
        Detector of the image's contrast.
    smoothness : float, optional
        Positive weight of the squared slope; the cost of a step is
        ``smoothness * (step in mm / slice distance in mm)²``.

    Returns
    -------
    Centerline
        One pixel of every slice of the image; its ``heat`` is the score there, which is not bounded: about 1 or more
        where the detector is sure of a cord, -1 or less where it is sure that there is none.

    Raises
    ------
    UsageError
        If the smoothness is not positive.
    CordNotFoundError
        If all voxels are equal.
    """
    if not (np.isfinite(smoothness) and smoothness > 0):
        raise UsageError(f"The smoothness of the centerline is {smoothness}. A positive number is expected, such as 1.")
    zi, zj, dz = canonical.grid.zooms
    scores = svm_scores(canonical, model)
    weight = smoothness / dz**2
    # Differences of scores decide, and a sum over many slices is taken: double precision.
    path, cost = least_cost_path(-scores.astype(np.float64), (weight * zi**2, weight * zj**2))
    slices = np.arange(len(path))
    heat = scores[path[:, 0], path[:, 1], slices].astype(np.float64)
    return Centerline(path.astype(np.float64), slices, canonical.grid, heat, cost)


def svm_scores(canonical: Volume, model: SvmModel) -> NDArray[np.float32]:
    """Score every native pixel.

    Parameters
    ----------
    canonical : Volume
        float32 image on canonical axes.
    model : SvmModel
        Detector.

    Returns
    -------
    (I, J, K) float32 array
        Larger is more cord-like.
    """
    eight_bit = to_eight_bit(canonical.data)
    scores = np.empty(canonical.grid.shape, np.float32)
    for k in range(scores.shape[2]):
        pixels = to_detector_pixels(eight_bit[..., k], canonical.grid.zooms[:2])
        scores[..., k] = stretch(score_map(pixels, model.weights, model.bias), scores.shape[:2])
    return scores


def to_eight_bit(data: NDArray[np.floating]) -> NDArray[np.float32]:
    """Bring the whole range of a volume to the integers from 0 to 255 (as float32), rounding down.

    Raises
    ------
    CordNotFoundError
        If all values are equal.
    """
    low, high = np.float64(data.min()), np.float64(data.max())
    if low == high:
        raise CordNotFoundError(
            f"All voxels of the image have the value {low:g}, so no cord can be seen. Check the image."
        )
    out = np.empty(data.shape, np.float32)
    # Slice by slice, since double precision of the whole volume would take twice of the rest.
    for k in range(data.shape[-1]):
        # In two steps, as the reference does: 16 bits, then 8.
        sixteen_bit = np.floor((data[..., k].astype(np.float64) - low) * (65535 / (high - low)))
        out[..., k] = np.floor(sixteen_bit / 256)
    return out


def to_detector_pixels(image: NDArray[np.float32], zooms_mm: tuple[float, float]) -> NDArray[np.float32]:
    """Resample one slice linearly to pixels of 1 mm, without averaging.

    The first pixels coincide, and the number of pixels is rounded; the pixel size is that of the same field of view
    divided by this number, so it is 1 mm only nearly. Of the rules that were tried this fits the reference best
    (``docs/centerlines.md``).

    Parameters
    ----------
    image : (I, J) float32 array
        Slice on native pixels.
    zooms_mm : (float, float)
        Their size.
    """
    sizes = tuple(rounded_size(n, zoom, _PIXEL_MM) for n, zoom in zip(image.shape, zooms_mm, strict=True))
    return stretch(image, sizes)
