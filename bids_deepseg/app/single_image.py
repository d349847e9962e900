"""Segment one image outside of any data set: the work of a run on one file, with results beside each other."""

import os
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import BinaryIO

from bids_deepseg import __version__
from bids_deepseg.app.participant.image_job import ImageResult, ImageWork
from bids_deepseg.app.participant.known import Request
from bids_deepseg.app.participant.planning import find_lack_of_memory, job_of
from bids_deepseg.app.participant.shown import segmented_image
from bids_deepseg.bids.derivatives.ownership import APP_NAME, is_made_by_us
from bids_deepseg.bids.derivatives.products import KEY
from bids_deepseg.bids.derivatives.provenance import SOURCE_LINK
from bids_deepseg.bids.derivatives.saved import read_saved
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import ALL_PRODUCTS, choose_products, derivative_names, plain_names, sidecar_name
from bids_deepseg.bids.source.inheritance import read_json
from bids_deepseg.engine import Engine
from bids_deepseg.errors import DatasetError, OutputError
from bids_deepseg.execution.resources import memory_of_one
from bids_deepseg.files.atomic import (
    FileToWrite,
    longest_name,
    make_folder,
    output_errors,
    too_long,
    write_files,
)
from bids_deepseg.files.names import as_utf8, is_link, leads_to_file
from bids_deepseg.files.own import is_own
from bids_deepseg.files.structured import read_strict_json
from bids_deepseg.files.tables import format_json
from bids_deepseg.logs import LogSettings
from bids_deepseg.networks.specs import contrast_of_suffix
from bids_deepseg.options.image import SegmentOptions
from bids_deepseg.report.participant import render_participant
from bids_deepseg.report.seal import PAGE_MARKS
from bids_deepseg.structures.tasks import task_of

#: Suffix of an image whose name says nothing; it stands for no contrast.
_NO_SUFFIX = "image"

_REPORT = "_report.html"


def as_bids(asked: SegmentOptions) -> BidsImage:
    """Return the image in the form in which the app knows images; its label appears in no result."""
    ending = asked.stem.rpartition("_")[2]
    known = ending if contrast_of_suffix(ending) else _NO_SUFFIX
    suffix = "dwi" if asked.contrast == "dwi" else known
    # A diffusion series that is segmented as another contrast is read as any other series.
    if suffix == "dwi" and asked.contrast not in ("auto", "dwi"):
        suffix = _NO_SUFFIX
    datatype = "dwi" if suffix == "dwi" else "anat"
    return BidsImage(asked.path, asked.path.parent, {"subject": "image"}, suffix, datatype)


def _products(asked: SegmentOptions) -> tuple[str, ...]:
    """Return what is written beside the report."""
    return choose_products(task_of(asked.settings.task), probseg=asked.probseg, centerline=asked.centerline)


def check_is_image(path: Path) -> None:
    """Make sure that a path that somebody gave leads to an image.

    Raises
    ------
    DatasetError
        If there is no file ``.nii`` or ``.nii.gz``.
    """
    if not (leads_to_file(path) or is_link(path)) or not path.name.endswith((".nii", ".nii.gz")):
        raise DatasetError(f"{path} is not an image. A file .nii or .nii.gz is expected. Check the path.")


def check_place(asked: SegmentOptions, backend: str) -> None:
    """Make sure that there is an image, and memory, names and room for its results, before networks are loaded.

    Parameters
    ----------
    asked : SegmentOptions
        What the user asked for.
    backend : str
        Library that computes the networks.

    Raises
    ------
    DatasetError
        If there is no such file.
    OutputError
        If results are there already and were not to be replaced, or were made by somebody else, or a name would be too
        long.
    MemoryBudgetError
        If there is too little memory for the image.
    """
    check_is_image(asked.path)
    most = longest_name(asked.output_dir)
    for path in _earlier(asked):
        problem = too_long(path.name, most)
        if problem:
            raise OutputError(
                f"The results cannot be written: {problem.partition(':')[0]}. Give the image a shorter name."
            )
    known = Request(asked.settings, asked.contrast, _products(asked), asked.volume).look_up(as_bids(asked))
    lacking = find_lack_of_memory(known, backend, None, memory_of_one())
    if lacking:
        raise lacking
    found = [path for path in _earlier(asked) if os.path.lexists(path)]
    if found and not asked.force:
        raise OutputError(
            f"{found[0]} is there already. Nothing is overwritten unless asked for: give --force, or another folder "
            "with --output."
        )
    for path in found:
        _check_own(asked, path)


def _check_own(asked: SegmentOptions, path: Path) -> None:
    """Raise unless a file in the place of a result is one of ours: a manual mask may have the same name."""
    if path.name.endswith(".html"):
        own = is_own(path, PAGE_MARKS)
    else:
        sidecar = read_json(asked.output_dir / f"{asked.stem}_label-SC_mask.json")
        own = is_made_by_us(sidecar) or not path.lstat().st_size
    if not own:
        raise OutputError(
            f"{path} is there, and no {asked.stem}_label-SC_mask.json says that {APP_NAME} made it. It was left as it "
            "is. Move it away, or give another folder with --output."
        )


def segment_one(asked: SegmentOptions, engine: Engine, work_folder: Path, *, log_settings: LogSettings) -> ImageResult:
    """Segment one image and write its results; they appear together, the sidecar of the mask last.

    Parameters
    ----------
    asked : SegmentOptions
        What the user asked for, after :func:`check_place`.
    engine : Engine
        Segmentation method, with its settings.
    work_folder : Path
        Folder for temporary files.
    log_settings : LogSettings
        How progress is reported.

    Returns
    -------
    ImageResult
        Verdict, findings and mean area.

    Raises
    ------
    BidsDeepsegError
        Whatever the image or the method raises; with ``force`` the earlier result is gone then, since it is not that
        of these settings.
    """
    image, place = as_bids(asked), work_folder / "one"
    make_folder(asked.output_dir)
    _remove(_earlier(asked))
    known = Request(engine.settings, asked.contrast, _products(asked), asked.volume).look_up(image)
    result = ImageWork(engine, place, log_settings)()(job_of(known))
    names = _names(asked)
    files: list[FileToWrite] = [
        (asked.output_dir / name, _copier(place / inside, names))
        for inside, name in names.items()
        if (place / inside).is_file()
    ]
    if asked.report:
        files.insert(0, (asked.output_dir / f"{asked.stem}{_REPORT}", partial(_write, _page(asked, image, place))))
    write_files(files)
    return result


def _page(asked: SegmentOptions, image: BidsImage, place: Path) -> bytes:
    """Render the report of the image."""
    saved = read_saved(image, place)
    if saved is None:
        raise ValueError(f"{image.name} has no result, though it was just written.")
    shown = segmented_image(image, saved)
    page = render_participant(asked.stem, [shown], version=__version__, title=asked.path.name)
    return as_utf8(page)


def _earlier(asked: SegmentOptions) -> list[Path]:
    """Return everything that may be there of an earlier result, the sidecar of the mask first."""
    *others, mask, sidecar = _names(asked).values()
    return [asked.output_dir / name for name in (sidecar, mask, *others, f"{asked.stem}{_REPORT}")]


def _remove(paths: Iterable[Path]) -> None:
    """Remove the files that are there."""
    for path in paths:
        with output_errors(path):
            path.unlink(missing_ok=True)


def _names(asked: SegmentOptions) -> dict[str, str]:
    """Return the names of all results outside of a data set by their paths in one; the mask and its sidecar last."""
    keys = sorted(ALL_PRODUCTS, key=lambda key: key == "mask")
    names: dict[str, str] = {}
    for key, inside in zip(keys, derivative_names(as_bids(asked), keys), strict=True):
        names[inside], names[sidecar_name(inside)] = plain_names(asked.stem, key)
    return names


def _copier(path: Path, names: Mapping[str, str]) -> Callable[[BinaryIO], None]:
    """Return a function that writes the content of a file; in a sidecar, sources are file names."""
    if path.suffix != ".json":
        return lambda stream: _write(path.read_bytes(), stream)
    sidecar = dict(read_strict_json(path))
    # The files have other names here, and their sidecars other sources.
    sidecar.pop(KEY, None)
    sidecar["Sources"] = [
        # Another result of the image stands beside this one under its own name.
        names[source.removeprefix("bids::")]
        if source.startswith("bids::")
        else source.removeprefix(f"bids:{SOURCE_LINK}:")
        for source in map(str, sidecar["Sources"])
    ]
    return partial(_write, format_json(sidecar))


def _write(content: bytes, stream: BinaryIO) -> None:
    """Write bytes; a file function for :func:`write_files`."""
    stream.write(content)
