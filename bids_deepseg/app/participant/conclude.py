"""Conclude from the outcome of one image: a line for the user, an entry in the record, a crash file."""

import logging
import math
import textwrap
from dataclasses import replace

from bids_deepseg.app.group.level import GroupOutcome
from bids_deepseg.app.participant.crash import write_crash_file
from bids_deepseg.app.participant.image_job import ImageResult
from bids_deepseg.app.participant.progress import Progress
from bids_deepseg.app.participant.repeat import changed_options
from bids_deepseg.app.participant.shown import Unusable
from bids_deepseg.app.record import VERDICT_FAIL, ImageEntry, RunRecord
from bids_deepseg.bids.derivatives.failures import record_failure
from bids_deepseg.bids.derivatives.saved import read_settled
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.errors import DamagedResultError, NetworkError, OutputWriteError
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
    told = changed_options(options)
    record_failure(image, options.output_dir, status=failure.status, message=failure.message, options=told)
    logger.error("%s%s: %s", before, image.key, failure.message, extra={"status": failure.status})
    if record.log_folder is not None:
        try:
            logger.info("  Details: %s", write_crash_file(outcome, image, options, record.log_folder))
        except OSError as error:
            logger.warning("The details could not be written into %s: %s", record.log_folder, error.strerror)
    if options.debug:
        logger.error("%s", _indented(failure.traceback))


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
    """Tell and record that a report could not be written, or which results it cannot show.

    Parameters
    ----------
    options : RunOptions
        Options of the run.
    record : RunRecord
        Gets an entry among the pages, so that the run does not end as a success.
    outcome : Outcome
        Its name is that of the page.
    """
    failure = outcome.error
    if failure is None:
        unusable: tuple[Unusable, ...] = outcome.product
        for each in unusable:
            image = each.image
            _conclude_damage(
                record,
                ImageEntry(
                    *(image.key, image.subject, image.session, each.status),
                    message=each.message,
                    exit_code=each.exit_code,
                ),
            )
        return
    entry = ImageEntry(outcome.job.name, outcome.job.group, None, failure.status)
    record.pages.append(replace(entry, message=failure.message, exit_code=failure.exit_code))
    logger.error("The report %s could not be written: %s", outcome.job.name, failure.message)
    logger.log(logging.ERROR if options.debug else logging.DEBUG, "%s", _indented(failure.traceback))


def _indented(text: str) -> str:
    """Return the lines of a traceback below each other, as the lines of one message."""
    return textwrap.indent(text, "  ").strip()


def conclude_group(record: RunRecord, outcome: GroupOutcome) -> None:
    """Tell and record what the group level could not use, so that the run does not end as a success.

    Parameters
    ----------
    record : RunRecord
        Gets an entry for each.
    outcome : GroupOutcome
        What the group level found.
    """
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
