"""Find a structure inside a segmented cord: its network around the middle of the cord, and its mask within it.

A new task is an entry in :data:`bids_deepseg.structures.tasks.TASKS`, a finder in :data:`FINDERS` and a judge in
:data:`JUDGES`.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.grid import CANONICAL_AXCODES
from bids_deepseg.geometry.volume import Volume, reorient, reorient_onto
from bids_deepseg.networks.loading import StructureModel
from bids_deepseg.stages.findings import Finding
from bids_deepseg.stages.metrics import CordMetrics
from bids_deepseg.stages.structure import Structure, confine, measure_structure
from bids_deepseg.structures.grey import find_grey, judge_grey
from bids_deepseg.structures.lesion import find_published_lesions
from bids_deepseg.structures.tasks import TASKS

#: Maps an image and the mask of its cord, both on canonical axes, and a model to a probability on the same voxels.
Finder = Callable[[Volume, Volume, StructureModel], Volume]


def find_structure(task: str, volume: Volume, cord: Volume, metrics: CordMetrics, model: StructureModel) -> Structure:
    """Find a structure inside the cord.

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
        Probability and mask on the grid of ``volume``; both are 0 outside the cord.
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


#: Functions that find a structure, by task.
FINDERS: Mapping[str, Finder] = MappingProxyType({"gm": find_grey, "lesion": find_published_lesions})

#: Functions that judge the measures of a structure, by task; a cord with or without lesions is nothing to wonder about.
JUDGES: Mapping[str, Callable[[Mapping[str, NDArray[np.float64]]], tuple[Finding, ...]]] = MappingProxyType(
    {"gm": judge_grey, "lesion": lambda _measures: ()}
)
