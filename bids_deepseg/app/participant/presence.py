"""Make sure, at the end of a run, that what was counted is there."""

from dataclasses import replace
from pathlib import Path

from bids_deepseg.app.record import RunRecord
from bids_deepseg.bids.derivatives.saved import is_there
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.errors import OutputWriteError

#: Images that the message names.
_MOST_NAMED = 5


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
