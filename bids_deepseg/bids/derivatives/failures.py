"""Keep a record of the images without result, in the output directory itself.

One small file an image, ``logs/failed/<image>.json``: later runs and the group level see the failures of earlier runs,
parallel runs do not disturb each other, and a success removes the record. ``logs`` is opaque to the BIDS validator.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bids_deepseg.bids.image import BidsImage
from bids_deepseg.files.atomic import make_folder, output_errors, write_if_different
from bids_deepseg.files.facts import mapping_of, text_of
from bids_deepseg.files.names import fitting_name
from bids_deepseg.files.structured import read_strict_json
from bids_deepseg.files.tables import format_json
from bids_deepseg.files.text import TextError

#: What a record holds: a path with the number of a volume where there is one, a label, a word.
_FORMS = {
    "Source": re.compile(r"[^\x00-\x1f#]+(#[0-9]{1,9})?"),
    "Subject": re.compile("[a-zA-Z0-9+]+"),
    "Status": re.compile("[a-z-]+"),
}


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
    options : mapping of str to str or float
        Options that change results and were not as by default.
    """

    source: str
    subject: str
    status: str
    message: str
    options: Mapping[str, str | int | float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DamagedRecord:
    """A record that cannot be read: its file, and what is wrong."""

    path: Path
    problem: str

    @property
    def message(self) -> str:
        """What happened and what to do."""
        return (
            f"The record of a failure logs/failed/{self.path.name} is damaged or was changed: {self.problem}. It was "
            "left out. Run the participant level again to replace it, or remove the file."
        )


def record_failure(
    image: BidsImage, output_dir: Path, *, status: str, message: str, options: Mapping[str, str | float] | None = None
) -> Path:
    """Record that an image has no result.

    Parameters
    ----------
    image, output_dir
        Source, and root of the derivative data set.
    status, message, options
        As in :class:`FailureRecord`.

    Returns
    -------
    Path
        The record.
    """
    path = _record_path(image, output_dir)
    make_folder(path.parent)
    facts: dict[str, Any] = {"Source": image.key, "Subject": image.subject, "Status": status, "Message": message}
    facts |= {"Options": dict(options)} if options else {}
    write_if_different(path, format_json(facts))
    return path


def clear_failure(image: BidsImage, output_dir: Path) -> None:
    """Remove the record of an earlier failure."""
    path = _record_path(image, output_dir)
    with output_errors(path):
        path.unlink(missing_ok=True)


def read_failures(output_dir: Path) -> Iterator[FailureRecord]:
    """Read all records that are not damaged, sorted by image."""
    return (found for found in find_records(output_dir) if isinstance(found, FailureRecord))


def find_records(output_dir: Path) -> Iterator[FailureRecord | DamagedRecord]:
    """Read all records, sorted by image, and say which ones cannot be read."""
    paths = sorted((output_dir / "logs" / "failed").glob("[!.]*.json"))
    return (found for found in map(_read_record, paths) if found is not None)


def _read_record(path: Path) -> FailureRecord | DamagedRecord | None:
    """Read one record; None if another run has removed it."""
    try:
        facts = read_strict_json(path)
    except FileNotFoundError:
        return None
    except TextError as error:
        return DamagedRecord(path, str(error))
    values = {name: text_of(facts, name) or "" for name in ("Source", "Subject", "Status", "Message")}
    for name, text in values.items():
        form = _FORMS.get(name)
        if not text or (form and not form.fullmatch(text)):
            return DamagedRecord(path, f"{name} is {ascii(facts.get(name))[:60]}")
    options = {
        key: value for key, value in mapping_of(facts, "Options").items() if isinstance(value, str | int | float)
    }
    return FailureRecord(values["Source"], values["Subject"], values["Status"], values["Message"], options)


def _record_path(image: BidsImage, output_dir: Path) -> Path:
    """Return the record's place; the datatype keeps names of different folders apart."""
    name = fitting_name(f"{image.datatype}_{image.key.rpartition('/')[2]}.json")
    return output_dir / "logs" / "failed" / name
