"""Conclude from the outcome of one image: a line for the user, an entry in the record, a crash file.

At the end of a run, make sure that what was counted is there.
"""

import logging
import math
import platform
import re
import shlex
import textwrap
from dataclasses import replace
from pathlib import Path

from bids_deepseg import __version__
from bids_deepseg.app.citation import software_versions
from bids_deepseg.app.group.level import GroupOutcome
from bids_deepseg.app.participant.image_job import ImageResult
from bids_deepseg.app.participant.progress import Progress
from bids_deepseg.app.participant.shown import Unusable, changed_options, option_words
from bids_deepseg.app.record import VERDICT_FAIL, ImageEntry, RunRecord
from bids_deepseg.bids.derivatives.failures import record_failure
from bids_deepseg.bids.derivatives.saved import is_there, read_settled
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.errors import DamagedResultError, NetworkError, OutputWriteError
from bids_deepseg.execution import Failure, Outcome
from bids_deepseg.files.names import as_utf8, fitting_name
from bids_deepseg.options.run import RunOptions

logger = logging.getLogger(__name__)

#: Images that the message names.
_MOST_NAMED = 5


def conclude(options: RunOptions, record: RunRecord, outcome: Outcome, progress: Progress | None = None) -> None:
    """Log and record how one image ended.

    Parameters
    ----------
    options : RunOptions
        Options of the run.
    record : RunRecord
        Gets an entry.
    outcome : Outcome
        Its payload is what is known of the image, its product an :class:`ImageResult`.
    progress : Progress, optional
        Counted on.

    Raises
    ------
    NetworkError
        If the networks are at fault: no other image would fare better.
    """
    before, after = progress.step(outcome.job.name) if progress else ("", "")
    image: BidsImage = outcome.job.payload.image
    failure = outcome.error
    if failure is None:
        result: ImageResult = outcome.product
        entry = _entry_of_result(image, result, "done", outcome.seconds)
        record.images.append(entry)
        area = "" if math.isnan(result.area_mean_mm2) else f", mean area {result.area_mean_mm2:.1f} mm²"
        logger.log(
            logging.INFO if result.verdict == "pass" else logging.WARNING,
            "%s%s: %s%s, %.1f s%s%s",
            *(before, image.key, result.verdict, area, outcome.seconds, after),
            f". {entry.message}" if entry.message else "",
            extra={"status": entry.status, "seconds": outcome.seconds},
        )
        return
    if failure.exit_code == NetworkError.exit_code:
        raise NetworkError(failure.message)
    record.images.append(_entry_of_failure(image, failure, outcome.seconds))
    changed = changed_options(options)
    record_failure(image, options.output_dir, status=failure.status, message=failure.message, options=changed)
    logger.error("%s%s: %s", before, image.key, failure.message, extra={"status": failure.status})
    if record.log_folder is not None:
        try:
            logger.info("  Details: %s", _write_crash_file(outcome, image, options, record.log_folder))
        except OSError as error:
            logger.warning("The details could not be written into %s: %s", record.log_folder, error.strerror)
    if options.debug:
        logger.error("%s", _indented(failure.traceback))


def conclude_current(options: RunOptions, record: RunRecord, image: BidsImage) -> None:
    """Record an image whose earlier result is up to date; a bad result counts as failed again.

    Raises
    ------
    OutputWriteError
        If the result has gone in the meantime.
    """
    saved = read_settled(image, options.output_dir)
    if saved is None:
        raise OutputWriteError(
            f"{image.key} had a result that was up to date, which is now gone. Something removed it during the run: "
            "check the drive, and run again."
        )
    entry = _entry_of_result(image, ImageResult.of(saved), "skipped", 0.0)
    record.images.append(entry)
    if saved.is_edited:
        logger.warning(
            "%s: its mask was edited after it was written. It is kept, but verdict and measures are those of the "
            "automatic mask. Put it into a folder for --corrections to have it measured (--rerun all replaces it).",
            image.key,
        )
    if entry.exit_code:
        logger.warning("%s: fail, as before. %s", image.key, entry.message)


def conclude_report(options: RunOptions, record: RunRecord, outcome: Outcome) -> None:
    """Log and record that a report could not be written, or which results it cannot show.

    The record gets an entry among its pages, so that the run does not end as a success. The name of the outcome is that
    of the page.
    """
    failure = outcome.error
    if failure is None:
        unusable: tuple[Unusable, ...] = outcome.product
        for each in unusable:
            _conclude_damage(record, _entry_of_failure(each.image, each.failure, 0.0))
        return
    entry = ImageEntry(outcome.job.name, outcome.job.group, None, failure.status)
    record.pages.append(replace(entry, message=failure.message, exit_code=failure.exit_code))
    logger.error("The report %s could not be written: %s", outcome.job.name, failure.message)
    logger.log(logging.ERROR if options.debug else logging.DEBUG, "%s", _indented(failure.traceback))


def _indented(text: str) -> str:
    """Return the lines of a traceback below each other, as the lines of one message."""
    return textwrap.indent(text, "  ").strip()


def conclude_group(record: RunRecord, outcome: GroupOutcome) -> None:
    """Log and record what the group level could not use, so that the run does not end as a success."""
    code, status = DamagedResultError.exit_code, DamagedResultError.status
    for each in outcome.damaged:
        place = (each.source, each.subject, each.session, status)
        _conclude_damage(record, ImageEntry(*place, message=each.message, exit_code=code))
    for one in outcome.damaged_records:
        place = (f"logs/failed/{one.path.name}", "", None, status)
        _conclude_damage(record, ImageEntry(*place, message=one.message, exit_code=code))
    logger.info("Rows in group_label-SC_morph.tsv: %d", outcome.n_rows)


def _conclude_damage(record: RunRecord, entry: ImageEntry) -> None:
    """Report and record a result that cannot be used, unless the page of its participant did so already."""
    if any(known.image == entry.image and known.exit_code for known in record.images):
        return
    record.images.append(entry)
    logger.error("%s: %s", entry.image, entry.message, extra={"status": entry.status})


def _entry_of_result(image: BidsImage, result: ImageResult, status: str, seconds: float) -> ImageEntry:
    """Return the entry of an image that has a result."""
    failed = result.verdict == "fail"
    return ImageEntry(
        *(image.key, image.subject, image.session, VERDICT_FAIL if failed else status),
        verdict=result.verdict,
        seconds=round(seconds, 3),
        message=result.reasons,
        exit_code=1 if failed else 0,
    )


def _entry_of_failure(image: BidsImage, failure: Failure, seconds: float) -> ImageEntry:
    """Return the entry of an image without result, or with one that cannot be used."""
    place = (image.key, image.subject, image.session, failure.status)
    return ImageEntry(*place, seconds=seconds, message=failure.message, exit_code=failure.exit_code)


def _write_crash_file(outcome: Outcome, image: BidsImage, options: RunOptions, folder: Path) -> Path:
    """Describe the failure of one image."""
    failure = outcome.error
    if failure is None:
        raise ValueError(f"{image.name} did not fail.")
    libraries = [f"{name} {version}" for name, version in software_versions().items()]
    lines = [
        f"image:    {image.key}",
        f"status:   {failure.status}",
        f"stage:    {failure.stage or 'unknown'}",
        f"cause:    {failure.message}",
        f"seconds:  {outcome.seconds:.1f}",
        f"versions: {', '.join([f'bids_deepseg {__version__}', *libraries, platform.platform()])}",
        f"repeat:   {_redo_command(image, options)}",
    ]
    if not failure.is_expected or options.debug:
        lines += ["", failure.traceback.rstrip()]
    path = folder / fitting_name(f"crash-{re.sub(r'[^a-zA-Z0-9_-]', '-', _short_name(image))}.txt")
    path.write_bytes(as_utf8("\n".join(lines) + "\n"))
    return path


def _short_name(image: BidsImage) -> str:
    """Return the name of an image for the name of a file."""
    return image.name if image.volume is None else f"{image.name}-{image.volume}"


def _redo_command(image: BidsImage, options: RunOptions) -> str:
    """Return the command that processes the participant of one image again."""
    words = ["run.py", str(options.bids_dir), str(options.output_dir), "participant"]
    words += ["--participant-label", image.subject]
    words += ["--session-label", image.session] if image.session else []
    words += ["--suffix", image.suffix, *option_words(changed_options(options)), "--debug"]
    settings = options.settings
    folders = (settings.weights_dir, settings.centerline_file, settings.corrections)
    for name, folder in zip(("--weights-dir", "--centerline-file", "--corrections"), folders, strict=True):
        words += [] if folder is None else [name, str(folder)]
    return shlex.join(words)


def check_present(output_dir: Path, record: RunRecord, images: tuple[BidsImage, ...]) -> None:
    """Make sure that each image that counts as done or skipped has its result.

    A drive may be unmounted and mounted again, or the output folder may be cleaned during the run.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set.
    record : RunRecord
        Entries of images whose results are gone become failures.
    images : tuple of BidsImage
        Images of the run.

    Raises
    ------
    OutputWriteError
        If one is gone.
    """
    with_result = {entry.image for entry in record.images if entry.has_result}
    lost = {image.key for image in images if image.key in with_result and not is_there(image, output_dir)}
    code, message = OutputWriteError.exit_code, "The result was written, but is now gone."
    record.images[:] = [
        replace(entry, status="lost", verdict=None, message=message, exit_code=code) if entry.image in lost else entry
        for entry in record.images
    ]
    if lost:
        named = ", ".join(sorted(lost)[:_MOST_NAMED]) + (", ..." if len(lost) > _MOST_NAMED else "")
        raise OutputWriteError(
            f"{len(lost)} results that this run wrote or found are no longer in {output_dir} ({named}). Something "
            "removed them during the run: check the drive, and run again."
        )


def check_logs(record: RunRecord) -> None:
    """Make sure that the folder of the logs of a run is still there.

    Raises
    ------
    OutputWriteError
        If it is gone.
    """
    if record.log_folder is not None and not record.log_folder.is_dir():
        raise OutputWriteError(
            f"The logs of this run, {record.log_folder}, are gone. Something removed them during the run: "
            "check the drive, and run again."
        )
