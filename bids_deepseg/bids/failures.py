"""Keep a record of the images without result, in the output directory itself.

One small file an image, ``logs/failed/<image>.json``: later runs and the group level see the failures of earlier runs,
parallel runs do not disturb each other, and a success removes the record. ``logs`` is opaque to the BIDS validator.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bids_deepseg.bids.inheritance import read_json
from bids_deepseg.bids.query import BidsImage
from bids_deepseg.bids.tables import format_json
from bids_deepseg.files.atomic import make_folder, output_errors, write_if_different
from bids_deepseg.files.names import fitting_name


@dataclass(frozen=True, slots=True)
class FailureRecord:
    """An image without result.

    Attributes
    ----------
    source : str
        Path of the image relative to its data set; with ``#<number>`` for a volume that is an image of its own.
    subject : str
        Label without ``sub-``.
    status : str
        Word of the error class, for example ``bad-image``.
    message : str
        What happened, what was expected, what to do.
    """

    source: str
    subject: str
    status: str
    message: str


def record_failure(image: BidsImage, output_dir: Path, *, status: str, message: str) -> Path:
    """Record that an image has no result.

    Parameters
    ----------
    image : BidsImage
        Source.
    output_dir : Path
        Root of the derivative data set.
    status, message : str
        As in :class:`FailureRecord`.

    Returns
    -------
    Path
        The record.
    """
    path = _record_path(image, output_dir)
    make_folder(path.parent)
    facts = {"Source": image.key, "Subject": image.subject, "Status": status, "Message": message}
    write_if_different(path, format_json(facts))
    return path


def clear_failure(image: BidsImage, output_dir: Path) -> None:
    """Remove the record of an earlier failure."""
    path = _record_path(image, output_dir)
    with output_errors(path):
        path.unlink(missing_ok=True)


def read_failures(output_dir: Path) -> Iterator[FailureRecord]:
    """Read all records, sorted by image."""
    for path in sorted((output_dir / "logs" / "failed").glob("[!.]*.json")):
        facts = read_json(path)
        if {"Source", "Subject", "Status", "Message"} <= set(facts):
            yield FailureRecord(facts["Source"], facts["Subject"], facts["Status"], facts["Message"])


def _record_path(image: BidsImage, output_dir: Path) -> Path:
    """Return the record's place; the datatype keeps names of anat and dwi apart."""
    name = fitting_name(f"{image.datatype}_{image.key.rpartition('/')[2]}.json")
    return output_dir / "logs" / "failed" / name
