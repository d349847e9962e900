"""Segment one image outside any data set: the work of a run on one file, with results beside each other."""

import os
import shlex
from collections.abc import Collection, Iterable
from dataclasses import replace
from pathlib import Path

from bids_deepseg import __version__
from bids_deepseg.app.participant.image_job import ImageResult, ImageWork
from bids_deepseg.app.participant.known import KnownImage, Request
from bids_deepseg.app.participant.planning import find_lack_of_memory, job_of
from bids_deepseg.app.participant.shown import option_words, segmented_image
from bids_deepseg.bids.derivatives.layout import ResultFiles
from bids_deepseg.bids.derivatives.ownership import APP_NAME, is_made_by_us
from bids_deepseg.bids.derivatives.saved_result import SavedResult, read_sidecar
from bids_deepseg.bids.image import BidsImage, image_outside_dataset
from bids_deepseg.bids.naming import ALL_PRODUCTS, OPTIONAL_PRODUCTS, ResultNames, choose_products
from bids_deepseg.bids.source.inheritance import read_json
from bids_deepseg.engine import Engine
from bids_deepseg.errors import DatasetError, OutputError
from bids_deepseg.execution.resources import memory_of_one
from bids_deepseg.files.atomic import longest_name, make_folder, output_errors, too_long, write_files
from bids_deepseg.files.names import as_utf8, is_link, leads_to_file
from bids_deepseg.files.own import is_own
from bids_deepseg.logs import LogSettings
from bids_deepseg.options.image import SegmentOptions
from bids_deepseg.report.participant import render_participant
from bids_deepseg.report.seal import PAGE_MARKS
from bids_deepseg.structures.tasks import task_of


def _look_up(asked: SegmentOptions) -> KnownImage:
    """Find what is known of the image before it is read, and what is written beside the report."""
    products = choose_products(task_of(asked.settings.task), probseg=asked.probseg, centerline=asked.centerline)
    image = image_outside_dataset(asked.path, asked.contrast)
    return Request(asked.settings, asked.contrast, products, asked.volume).look_up(image)


def _files(asked: SegmentOptions) -> ResultFiles:
    """Return where the results are written: beside each other, named after the image."""
    return ResultFiles(asked.output_dir, ResultNames("", asked.stem), in_dataset=False)


def _report(asked: SegmentOptions) -> Path:
    return asked.output_dir / f"{asked.stem}_report.html"


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
    for path in _earlier(asked, set(ALL_PRODUCTS) - OPTIONAL_PRODUCTS):
        problem = too_long(path.name, most)
        if problem:
            raise OutputError(
                f"The results cannot be written: {problem.partition(':')[0]}. Give the image a shorter name."
            )
    lacking = find_lack_of_memory(_look_up(asked), backend, None, memory_of_one())
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
        own = is_made_by_us(read_json(_files(asked).sidecar("mask"))) or not path.lstat().st_size
    if not own:
        raise OutputError(
            f"{path} is there, and no {_files(asked).sidecar('mask').name} says that {APP_NAME} made it. It was left "
            "as it is. Move it away, or give another folder with --output."
        )


def segment_one(asked: SegmentOptions, engine: Engine, *, log_settings: LogSettings) -> ImageResult:
    """Segment one image and write its results; the sidecar of the mask comes last, and then the report.

    Parameters
    ----------
    asked : SegmentOptions
        What the user asked for, after :func:`check_place`.
    engine : Engine
        Segmentation method, with its settings.
    log_settings : LogSettings
        How progress is reported.

    Returns
    -------
    ImageResult
        Verdict, findings and mean area.

    Raises
    ------
    BidsDeepsegError
        Whatever the image or the method raises; nothing is left then. With ``force`` the earlier result is gone as
        well, since it is not that of these settings.
    """
    make_folder(asked.output_dir)
    _remove(_earlier(asked))
    known, files = _look_up(asked), _files(asked)
    result = ImageWork(engine, lambda _image: files, log_settings)()(job_of(known))
    if asked.report:
        try:
            page = _page(asked, known.image)
            write_files([(_report(asked), lambda stream: stream.write(page))])
        except BaseException:
            _remove(_earlier(asked))
            raise
    return result


def _page(asked: SegmentOptions, image: BidsImage) -> bytes:
    """Render the report of the image."""
    files = _files(asked)
    saved = SavedResult(files, {}, read_sidecar(files.sidecar("mask")))
    words = ["bids_deepseg", "segment", asked.path.name, *option_words(saved.facts.options), "--force"]
    shown = replace(segmented_image(image, saved), command=shlex.join(words))
    page = render_participant(asked.stem, [shown], version=__version__, title=asked.path.name)
    return as_utf8(page)


def _earlier(asked: SegmentOptions, products: Collection[str] = ALL_PRODUCTS) -> list[Path]:
    """Return everything that may be there of an earlier result, the sidecar of the mask first."""
    files = _files(asked)
    products = sorted(products, key=lambda product: product != "mask")
    return [*(path for each in products for path in (files.sidecar(each), files.path(each))), _report(asked)]


def _remove(paths: Iterable[Path]) -> None:
    """Remove the files that are there."""
    for path in paths:
        # The name of a heatmap may be too long to ask for its removal.
        if os.path.lexists(path):
            with output_errors(path):
                path.unlink(missing_ok=True)
