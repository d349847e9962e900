"""Find a structure inside a segmented cord: its network around the middle of the cord, and its mask within it.

The network of a task is chosen by its checksum, and loaded. A new task is an entry in
:data:`bids_deepseg.structures.tasks.TASKS`, a finder in :data:`FINDERS` and a judge in :data:`JUDGES`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.errors import NetworkError
from bids_deepseg.geometry.grid import CANONICAL_AXCODES
from bids_deepseg.geometry.volume import Volume, reorient, reorient_onto
from bids_deepseg.networks.predictor import StructureModel, load_own
from bids_deepseg.networks.published.specs import FoundFile, find_file, published_spec
from bids_deepseg.networks.specs import ModelIdentity, checked_spec
from bids_deepseg.stages.findings import Finding
from bids_deepseg.stages.metrics import CordMetrics
from bids_deepseg.stages.structure import Structure, confine, measure_structure
from bids_deepseg.structures.grey import find_grey, judge_grey
from bids_deepseg.structures.lesion import find_published_lesions
from bids_deepseg.structures.tasks import TASKS, Task, task_of

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


def identify_structure_models(task_name: str, folder: Path | None, contrast: str | None) -> tuple[ModelIdentity, ...]:
    """Describe the network of the task without loading it; its file is compared with its checksum.

    Parameters
    ----------
    task_name : str
        Word of the command line, a key of :data:`bids_deepseg.structures.tasks.TASKS` or ``cord``.
    folder : Path or None
        Folder of published networks; None for those of this package.
    contrast : str or None
        t1, t2, t2s or dwi.

    Returns
    -------
    tuple of ModelIdentity
        Empty for the cord alone.

    Raises
    ------
    NetworkError
        If the network is missing or changed, or there is none for the contrast.
    """
    task = task_of(task_name)
    if task is None:
        return ()
    if folder is None:
        return (checked_spec(_own_name(task)),)
    return (_published(folder, task, contrast).identity(),)


def load_structure_model(task_name: str, folder: Path | None, contrast: str | None) -> StructureModel | None:
    """Load the network of the task, None for the cord alone; parameters and errors as above. Imports Keras."""
    task = task_of(task_name)
    if task is None:
        return None
    if folder is None:
        return StructureModel(load_own(_own_name(task)), _own_name(task))
    from bids_deepseg.networks.published.predictor import load_published  # noqa: PLC0415 - loads h5py

    spec = _published(folder, task, contrast).spec
    return StructureModel(load_published(folder, spec.name), spec.name, is_published=True)


def _own_name(task: Task) -> str:
    """Return the name of the package's network of a task."""
    if task.own_network is None:
        raise NetworkError(
            f"--task {task.name} has no network in this package. Give the published ones with --weights sct and "
            "--weights-dir; 'bids_deepseg weights' says where to find them."
        )
    return task.own_network


def _published(folder: Path, task: Task, contrast: str | None) -> FoundFile:
    """Return the first published network of a task that the folder holds, after its content was compared."""
    names = task.published_for(contrast)
    if not names:
        known = ", ".join(task.published)
        raise NetworkError(
            f"There is no published network for the {task.noun} in images of the contrast {contrast} (there are some "
            f"for: {known}). Leave these images out with --suffix, or state another contrast with --contrast."
        )
    for name in names:
        found = find_file(folder, published_spec(name))
        if found.state == "changed":
            raise NetworkError(
                f"{found.path} is another file than the published network {name}: {found.reason}. "
                "See 'bids_deepseg weights check'."
            )
        if found.path is not None:
            return found
    files = " or ".join(published_spec(name).filenames[0] for name in names)
    raise NetworkError(
        f"--task {task.name} with --weights sct needs {files}, which {folder} does not hold. "
        "See 'bids_deepseg weights list'."
    )
