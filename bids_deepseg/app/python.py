"""Segment one image from Python: an array or a file in, the result in memory; nothing is written."""

import os
from collections.abc import Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.spatialimages import SpatialImage as NibabelImage

from bids_deepseg.app.participant.image_job import segment_loaded
from bids_deepseg.app.participant.known import Request
from bids_deepseg.app.single_image import check_is_image
from bids_deepseg.bids.image import image_outside_dataset
from bids_deepseg.bids.source.given_centerline import read_centerline
from bids_deepseg.bids.source.in_memory import SpatialImage, load_in_memory
from bids_deepseg.bids.source.reader import LoadedImage, read_image
from bids_deepseg.engine import Engine, ModelStore, NetworkEngine
from bids_deepseg.errors import DatasetError, UsageError, error_context
from bids_deepseg.files.names import leads_to_file
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.networks.backend import AUTO
from bids_deepseg.options.combinations import check_clicked
from bids_deepseg.options.image import BACKENDS, CONTRASTS, SegmentOptions
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.stages.findings import Finding
from bids_deepseg.stages.segmentation import Guide, Segmentation

#: Corrections are found by the names of the images of a data set.
_NOT_FOR_ONE_IMAGE = frozenset({"corrections"})

#: Loaded networks that are kept; they differ by task and by folder of published networks.
_MOST_STORES = 4


def segment(
    image: str | os.PathLike[str] | SpatialImage | Volume,
    *,
    contrast: str | None = None,
    volume: str | int = "auto",
    backend: str = AUTO,
    engine: Engine | None = None,
    **options: object,
) -> Segmentation:
    """Segment the spinal cord in one image.

    The networks are loaded at the first call and kept. The result is that of ``bids_deepseg segment``, but that here
    TensorFlow runs where it wants to: set the environment variable ``CUDA_VISIBLE_DEVICES=-1`` before the first call
    for the same bytes on a machine with a GPU. ``OMP_NUM_THREADS`` limits the threads of OpenVINO.

    Parameters
    ----------
    image : path, nibabel image or Volume
        NIfTI file (``.nii``, ``.nii.gz``), or an image in memory with three axes; in any orientation.
    contrast : {"t1", "t2", "t2s", "dwi"}, optional
        Contrast of the image; by default that of the suffix of a file, otherwise unknown. Only methods with networks
        per contrast need it.
    volume : str or int, optional
        What to take of a file with several volumes: ``mean``, ``first`` or the number of one from 0; by default as
        for ``--volume``. An image in memory has one volume.
    backend : {"auto", "tensorflow", "openvino"}, optional
        Library that computes the networks, as for ``--backend``. Keras is loaded at the first call and keeps its
        backend until the process ends; where it was imported before, ``auto`` takes the one that it has.
    engine : Engine, optional
        Segmentation method; the networks of the package on ``backend`` by default.
    **options
        Options of the method by their names on the command line with ``_`` for ``-``, such as ``kernel="3d"``,
        ``threshold=0.4``, ``rescue="off"``, ``centerline_file="points.csv"``; all but ``corrections``.

    Returns
    -------
    Segmentation
        Mask, probability, centerline and measures on the voxels of the image, with a verdict: look at masks whose
        ``verdict`` is not ``pass``; ``findings`` say why.

    Raises
    ------
    UsageError
        If an option does not exist, has a wrong value, or contradicts another one, or if ``image`` is of another type;
        if the backend is not installed, or Keras runs on another one already.
    DatasetError
        If there is no such file, image or centerline.
    ImageError
        If the image cannot be read, or cannot be segmented for what it is.
    SegmentationError
        If no cord was found.
    NetworkError
        If the weights of a network are missing or changed.
    """
    if contrast is not None and contrast not in CONTRASTS[1:]:
        raise UsageError(
            f"The contrast is {contrast!r}. Expected: {', '.join(CONTRASTS[1:])}, or None if it is unknown."
        )
    if backend not in BACKENDS:
        raise UsageError(f"The backend is {backend!r}. Expected: {', '.join(BACKENDS)}.")
    settings = _settings_from(options)
    check_clicked(settings)
    given = settings.centerline_file
    if given is not None and not leads_to_file(given):
        raise DatasetError(
            f"centerline_file is {given}, which is no file. A mask, or points as CSV or TSV, is expected."
        )
    models = _models(
        (engine or NetworkEngine(backend=backend)).configured(
            MethodSettings(task=settings.task, weights=settings.weights, weights_dir=settings.weights_dir)
        )
    )
    if isinstance(image, str | os.PathLike):
        path = Path(image)
        with error_context(image=path.name):
            asked = SegmentOptions(path=path, contrast=contrast or "auto", volume=str(volume), settings=settings)
            return _segment(*_read_file(asked), models, settings)
    loaded = _take(image)
    points = None if given is None else read_centerline(given, loaded.volume.grid)
    return _segment(loaded, Guide(contrast, points), models, settings)


def _settings_from(options: Mapping[str, object]) -> MethodSettings:
    """Turn keyword options into settings of the method."""
    kinds = {
        each.name: next(iter(each.metadata.values())).kind
        for each in fields(MethodSettings)
        if each.metadata and each.name not in _NOT_FOR_ONE_IMAGE
    }
    values: dict[str, object] = {}
    for name, value in options.items():
        if name not in kinds:
            nearest = get_close_matches(name, kinds, 1)
            meant = f"; did you mean {nearest[0]!r}?" if nearest else f". There are: {', '.join(kinds)}."
            raise UsageError(f"The option {name!r} does not exist{meant}")
        values[name] = _value(name, value, is_path=kinds[name] is Path)
    return MethodSettings.of(values)


def _value(name: str, value: object, *, is_path: bool) -> object:
    """Return a value in the type of its field."""
    if is_path and value is not None:
        if not isinstance(value, str | os.PathLike):
            raise UsageError(f"{name} is {value!r}. A path is expected.")
        return Path(value)
    if isinstance(value, int | np.integer | np.floating) and not isinstance(value, bool):
        return float(value)
    return value


def _read_file(asked: SegmentOptions) -> tuple[LoadedImage, Guide]:
    """Read an image as ``bids_deepseg segment`` does, and what was given for it."""
    check_is_image(asked.path)
    known = Request(asked.settings, asked.contrast, volume=asked.volume).look_up(
        image_outside_dataset(asked.path, asked.contrast)
    )
    loaded = read_image(known.image, known.volume)
    return loaded, known.read_guide(loaded.volume.grid)


def _take(image: object) -> LoadedImage:
    """Take an image in memory."""
    if isinstance(image, Volume):
        # The header of a file would round the affine; the result is to lie on the very grid of the image.
        loaded = load_in_memory(nib.Nifti1Image(image.data, image.grid.affine))
        return replace(loaded, volume=Volume(loaded.volume.data, image.grid))
    if not isinstance(image, NibabelImage):
        raise UsageError(
            f"The image is of the type {type(image).__name__}. A path, a nibabel image or a Volume is expected."
        )
    return load_in_memory(image)


def _segment(loaded: LoadedImage, guide: Guide, models: ModelStore, settings: MethodSettings) -> Segmentation:
    """Segment an image, and tell with the result what was done to its values and its header."""
    found = segment_loaded(loaded, models, settings, guide=guide, observer=lambda _stage, _result: None)
    notes = (Finding(code, "info", message) for code, message in loaded.notes)
    return replace(found, findings=(*found.findings, *notes))


@lru_cache(_MOST_STORES)
def _models(engine: Engine) -> ModelStore:
    """Return the models of an engine, the same ones at every call."""
    return ModelStore(engine)
