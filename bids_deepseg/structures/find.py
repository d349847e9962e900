"""Find a structure inside of a segmented cord: its network around the middle of the cord, and its mask within it.

A new task is an entry in :data:`bids_deepseg.structures.tasks.TASKS`, a finder in :data:`FINDERS` and a judge in
:data:`JUDGES`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.errors import ImageError
from bids_deepseg.geometry.grid import CANONICAL_AXCODES
from bids_deepseg.geometry.volume import Volume, reorient, reorient_onto
from bids_deepseg.geometry.window import paste
from bids_deepseg.methods.sct.inference import ScaledPredictor
from bids_deepseg.networks.loading import StructureModel
from bids_deepseg.networks.predictor import Predictor
from bids_deepseg.stages.findings import Finding
from bids_deepseg.stages.mask import probability_on
from bids_deepseg.stages.metrics import CordMetrics
from bids_deepseg.stages.patches import PatchStack, extract_patches
from bids_deepseg.stages.probability import predict_probability
from bids_deepseg.stages.structure import Structure, confine, judge_grey, measure_structure, middle_of_cord
from bids_deepseg.structures.lesion import contrast_of_lesion_network, find_lesions, lesion_landmarks
from bids_deepseg.structures.tasks import TASKS

#: Maps an image and the mask of its cord, both on canonical axes, and a model to a probability on the same voxels.
Finder = Callable[[Volume, Volume, StructureModel], Volume]


def find_structure(task: str, volume: Volume, cord: Volume, metrics: CordMetrics, model: StructureModel) -> Structure:
    """Find a structure inside of the cord.

    Parameters
    ----------
    task : str
        Key of :data:`bids_deepseg.structures.tasks.TASKS`.
    volume : Volume
        float32 image, any orientation.
    cord : Volume
        uint8 mask of the cord on the same grid.
    metrics : CordMetrics
        Measures of that mask.
    model : StructureModel
        Network of the task.

    Returns
    -------
    Structure
        Probability and mask on the grid of ``volume``; both are 0 outside of the cord.
    """
    canonical, inside = reorient(volume, CANONICAL_AXCODES), reorient(cord, CANONICAL_AXCODES)
    if inside.data.any():
        found = FINDERS[TASKS[task].name](canonical, inside, model)
    else:
        found = Volume(np.zeros(inside.data.shape, np.float32), inside.grid)
    probability, mask = (
        reorient_onto(part, volume.grid) for part in confine(found, inside, threshold=TASKS[task].threshold)
    )
    measures = measure_structure(mask, probability, metrics, volume.grid)
    n_objects = int(ndimage.label(mask.data, np.ones((3, 3, 3)))[1])
    return Structure(task, probability, mask, measures, JUDGES[task](measures), TASKS[task].threshold, n_objects)


def find_grey(canonical: Volume, cord: Volume, model: StructureModel) -> Volume:
    """Find grey matter with the network of this package, or a published one [1]_.

    Patches are cut around the middle of the cord's mask. The published networks see patches of 200 x 200 pixels of
    0.25 mm in units of the mean and standard deviation of all patches, and keep pixels above their threshold (spec of
    ``sct_deepseg_gm``); what is averaged over a voxel is the part of it that they mark. Their windows are centred on
    the cord here, not on the image.

    References
    ----------
    .. [1] Perone CS, Calabrese E, Cohen-Adad J. Spinal cord gray matter segmentation using deep dilated convolutions.
       Scientific Reports 8:5966 (2018).
    """
    predictor = model.predictor
    line = middle_of_cord(cord)
    patches = extract_patches(canonical, line, patch_shape=predictor.patch_shape, zoom_mm=predictor.zoom_mm)
    if not model.is_published:
        return probability_on(predict_probability(patches, predictor), canonical.grid)
    return probability_on(_marked_by_published(patches, predictor), canonical.grid)


def standardise_by_volume(values: NDArray[np.floating], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Subtract the mean of all valid pixels of the patches (N, H, W) and divide by their standard deviation.

    Pixels outside of the field of view are 0, the mean.
    """
    inside = values[valid].astype(np.float64)
    if not inside.size:
        return np.zeros(values.shape, np.float32)
    standard = (values - inside.mean()) / (inside.std() or 1.0)
    return np.where(valid, standard, 0).astype(np.float32)


def _marked_by_published(patches: PatchStack, predictor: Predictor) -> Volume:
    """Return the pixels, 1 or 0 on the grid of the patches, that a published network marks."""
    predicted = predictor.predict(standardise_by_volume(patches.values, patches.valid))
    data = np.zeros(patches.grid.shape, np.float32)
    for values, window in zip(predicted, patches.windows, strict=True):
        paste(data, (values > predictor.threshold).astype(np.float32), window)
    return Volume(data, patches.grid)


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
            f"image has voxels of {zooms} mm. The one that fits, {fitting}_lesion, cannot be had. Leave the image out."
        )
    return find_lesions(canonical, cord, cast("ScaledPredictor", model.predictor), lesion_landmarks(model.name))


def _judge_nothing(_measures: Mapping[str, NDArray[np.float64]]) -> tuple[Finding, ...]:
    """Find nothing: a cord with or without lesions is nothing to wonder about."""
    return ()


#: Functions that find a structure, by task.
FINDERS: Mapping[str, Finder] = MappingProxyType({"gm": find_grey, "lesion": find_published_lesions})

#: Functions that judge the measures of a structure, by task.
JUDGES: Mapping[str, Callable[[Mapping[str, NDArray[np.float64]]], tuple[Finding, ...]]] = MappingProxyType(
    {"gm": judge_grey, "lesion": _judge_nothing}
)
