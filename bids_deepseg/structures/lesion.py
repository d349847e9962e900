"""Find multiple sclerosis lesions inside the cord with the published networks [1]_.

The reference (``sct_deepseg_lesion``, spec of the reference method, 2.4) cuts windows of 48 x 48 pixels of 0.5 mm
around the centerline, brings their values to a standard scale, resamples them to slices of 0.5 mm, and predicts blocks
of 48 slices. Here the windows follow the middle of the cord that was segmented before, where the reference searches for
a centerline; everything else is its way.

The standard scale is that of Nyul et al. [2]_: some percentiles of an image, its landmarks, are mapped to standard
values, linearly between two landmarks.

References
----------
.. [1] Gros et al. (2019), Automatic segmentation of the spinal cord and intramedullary multiple sclerosis lesions with
   convolutional neural networks, NeuroImage 184: 901-915.
.. [2] Nyul LG, Udupa JK, Zhang X. New variants of a method of MRI scale standardization. IEEE Transactions on Medical
   Imaging 19: 143-150 (2000).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bids_deepseg.errors import ImageError, NetworkError
from bids_deepseg.geometry.resample import resample, rounded_size, stretch, working_grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.networks.batches import predict_blocks
from bids_deepseg.networks.predictor import ScaledPredictor, StructureModel
from bids_deepseg.stages.crops import Course, cut_crops, paste_crops
from bids_deepseg.stages.structure import middle_of_cord


def standardise_by_landmarks(values: NDArray[np.floating], standard: ArrayLike) -> NDArray[np.float32]:
    """Map the landmarks of an image to those of the standard scale.

    Below the first and above the last landmark the map goes on with the slope of the piece next to it, which then falls
    exponentially: it is smooth, increasing and never leaves the standard range by more than the height of that piece.
    The reference has exponential tails as well; their constants are not known, and these are ours.

    Parameters
    ----------
    values : float array
        Intensities.
    standard : (11,) array_like
        Increasing values of the landmarks on the standard scale.

    Returns
    -------
    float32 array
        The same shape.

    Raises
    ------
    ImageError
        If all landmarks are equal.
    """
    found = np.percentile(values, LANDMARK_PERCENTILES)
    target = np.asarray(standard, np.float64)
    # Equal landmarks, such as those of a background of zeros, become the lowest of their standard values.
    found, first = np.unique(found, return_index=True)
    target = target[first]
    if len(found) < 2:
        raise ImageError(
            f"98 % of the values around the cord are {found[0]:g}, so they have no histogram. Check the image there."
        )
    out = np.interp(values, found, target)
    low, high = values < found[0], values > found[-1]
    out[low] = target[0] - _tail(found[0] - values[low], found[1] - found[0], target[1] - target[0])
    out[high] = target[-1] + _tail(values[high] - found[-1], found[-1] - found[-2], target[-1] - target[-2])
    return np.asarray(out, np.float32)


def _tail(distance: NDArray[np.floating], width: float, height: float) -> NDArray[np.float64]:
    """Return what the map rises over ``distance``: at first by height / width, in all by ``height``."""
    return np.asarray(height * -np.expm1(-distance.astype(np.float64) / width))


#: Percentiles of the landmarks (spec of ``sct_deepseg_lesion``).
LANDMARK_PERCENTILES = (1.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 99.0)

#: Probability above which a voxel of 0.5 mm keeps its value, and from which a voxel of the image is lesion (spec 2.4).
LESION_THRESHOLD = 0.1

#: Standard values of the landmarks that each network was trained with (spec 2.4).
LANDMARKS: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "t2": (
            *(0, 136.832187, 312.158435, 448.968030, 568.657779, 696.671586),
            *(859.221138, 1074.463414, 1373.289174, 1811.522669, 2611),
        ),
        "t2_ax": (
            *(0, 112.195357, 291.611185, 446.727066, 581.103970, 702.979079),
            *(833.318257, 1011.856313, 1268.801813, 1687.137075, 2611),
        ),
        "t2s": (
            *(0, 123.246969, 226.422561, 338.361023, 532.341924, 788.693675),
            *(1096.975553, 1407.979466, 1716.524530, 2079.788451, 2611),
        ),
    }
)


def lesion_landmarks(network: str) -> tuple[float, ...]:
    """Return the standard landmarks of a lesion network.

    Parameters
    ----------
    network : str
        Name of the published network, for example ``t2s_lesion``.

    Raises
    ------
    NetworkError
        If there is no such network.
    """
    contrast = network.removesuffix("_lesion")
    if contrast not in LANDMARKS:
        known = ", ".join(f"{name}_lesion" for name in LANDMARKS)
        raise NetworkError(f"No landmarks are known for the lesion network {network!r}. Known: {known}.")
    return LANDMARKS[contrast]


def find_published_lesions(canonical: Volume, cord: Volume, model: StructureModel) -> Volume:
    """Find lesions with a published network.

    Raises
    ------
    ImageError
        If the network was not made for images of this shape.
    """
    fitting = contrast_of_lesion_network(model.name.partition("_")[0], canonical)
    if model.name != f"{fitting}_lesion":
        zooms = " x ".join(f"{zoom:.2f}" for zoom in canonical.grid.zooms)
        raise ImageError(
            f"The lesion network {model.name} is made for axial slices more than twice as thick as their pixels; this "
            f"image has voxels of {zooms} mm. The one that fits, {fitting}_lesion, is not available. Leave it out."
        )
    return find_lesions(canonical, cord, cast("ScaledPredictor", model.predictor), lesion_landmarks(model.name))


def find_lesions(canonical: Volume, cord: Volume, network: ScaledPredictor, landmarks: tuple[float, ...]) -> Volume:
    """Map an image to the probability of lesion.

    Parameters
    ----------
    canonical : Volume
        float32 image on canonical axes.
    cord : Volume
        Mask of the cord on the same voxels, not empty; the windows follow its middle.
    network : ScaledPredictor
        3D network on voxels of 0.5 mm, which brings standard values to its own scale.
    landmarks : tuple of float
        Standard values of the landmarks (:func:`lesion_landmarks`).

    Returns
    -------
    Volume
        float32 probability on the voxels of the image, 0 outside the windows. It is not confined to the cord;
        voxels with :data:`LESION_THRESHOLD` or more are lesion.
    """
    working = resample(canonical, working_grid(canonical.grid))
    middle = middle_of_cord(cord)
    ij = np.round(working.grid.world_to_voxel(middle.xyz)[:, :2], 6)
    crops = cut_crops(working.data, Course(ij, middle.k, working.grid), tuple(network.patch_shape[:2]))
    values = _predict(standardise_by_landmarks(crops.values, landmarks), network, working.grid.zooms[2])
    pasted = Volume(paste_crops(values, crops, working.grid.shape), working.grid)
    return Volume(np.clip(resample(pasted, canonical.grid).data, 0, 1), canonical.grid)


def _predict(values: NDArray[np.float32], network: ScaledPredictor, slice_mm: float) -> NDArray[np.float32]:
    """Predict windows (H, W, K) in blocks of isotropic voxels, and drop what is not above the threshold."""
    fine = stretch(values, (*values.shape[:2], rounded_size(values.shape[2], slice_mm)))
    answer = predict_blocks(fine, network)
    answer[answer <= LESION_THRESHOLD] = 0
    return stretch(answer, values.shape)


def contrast_of_lesion_network(contrast: str | None, canonical: Volume) -> str:
    """Return the contrast whose lesion network fits an image.

    Parameters
    ----------
    contrast : str or None
        t1, t2, t2s or dwi.
    canonical : Volume
        The image on canonical axes: a T2w image with slices more than twice as thick as its pixels is axial.

    Raises
    ------
    NetworkError
        If no lesion network was published for the contrast.
    """
    if contrast not in ("t2", "t2s"):
        raise NetworkError(
            f"No lesion network was published for images of the contrast {contrast}: there are some for T2w and T2*w. "
            "Choose other images with --suffix, or state the contrast with --contrast."
        )
    i, j, k = canonical.grid.zooms
    return "t2_ax" if contrast == "t2" and k > 2 * max(i, j) else contrast
