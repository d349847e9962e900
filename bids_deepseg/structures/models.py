"""Choose the network of a task beside the cord: by its checksum, and loaded."""

from pathlib import Path

from bids_deepseg.errors import NetworkError
from bids_deepseg.networks.loading import StructureModel, load_own
from bids_deepseg.networks.published.specs import FoundFile, find_file, published_spec
from bids_deepseg.networks.specs import ModelIdentity, checked_spec
from bids_deepseg.structures.tasks import Task, task_of


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
