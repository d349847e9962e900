"""Conclude from the outcome of one image: a line for the user, an entry in the record, a crash file."""

import logging
import math
from dataclasses import replace

from bids_deepseg.app.participant.crash import write_crash_file
from bids_deepseg.app.participant.image_job import ImageResult
from bids_deepseg.app.participant.progress import Progress
from bids_deepseg.app.record import VERDICT_FAIL, ImageEntry, RunRecord
from bids_deepseg.bids.derivatives.failures import record_failure
from bids_deepseg.bids.derivatives.saved import read_saved
from bids_deepseg.bids.source.query import BidsImage
from bids_deepseg.errors import NetworkError
from bids_deepseg.execution import Outcome
from bids_deepseg.options.run import RunOptions

logger = logging.getLogger(__name__)


def conclude(options: RunOptions, record: RunRecord, outcome: Outcome, progress: Progress | None = None) -> None:
    """Tell and record how one image ended.

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
    before, after = progress.step() if progress else ("", "")
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
    record.images.append(
        ImageEntry(
            *(image.key, image.subject, image.session, failure.status),
            seconds=outcome.seconds,
            message=failure.message,
            exit_code=failure.exit_code,
        )
    )
    record_failure(image, options.output_dir, status=failure.status, message=failure.message)
    logger.error("%s%s: %s", before, image.key, failure.message, extra={"status": failure.status})
    if record.log_folder is not None:
        logger.info("  Details: %s", write_crash_file(outcome, image, options, record.log_folder))
    if options.debug:
        logger.error("%s", failure.traceback)


def conclude_current(options: RunOptions, record: RunRecord, image: BidsImage) -> None:
    """Record an image whose earlier result is up to date; a bad result counts as failed again.

    Parameters
    ----------
    options : RunOptions
        Options of the run.
    record : RunRecord
        Gets an entry.
    image : BidsImage
        The image.
    """
    saved = read_saved(image, options.output_dir)
    if saved is None:
        raise ValueError(f"{image.key} has no result, though it was found up to date.")
    entry = _entry_of_result(image, ImageResult.of(saved), "skipped", 0.0)
    record.images.append(entry)
    if entry.exit_code:
        logger.warning("%s: fail, as before. %s", image.key, entry.message)


def conclude_report(options: RunOptions, record: RunRecord, outcome: Outcome) -> None:
    """Tell and record that a report could not be written; nothing is said of one that could.

    Parameters
    ----------
    options : RunOptions
        Options of the run.
    record : RunRecord
        Gets an entry, so that the run does not end as a success.
    outcome : Outcome
        Its name is that of the page.
    """
    failure = outcome.error
    if failure is None:
        return
    entry = ImageEntry(outcome.job.name, outcome.job.group, None, failure.status)
    record.images.append(replace(entry, message=failure.message, exit_code=failure.exit_code))
    logger.error("The report %s could not be written: %s", outcome.job.name, failure.message)
    logger.log(logging.ERROR if options.debug else logging.DEBUG, "%s", failure.traceback)


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
