"""Record size and checksum of the files of a result, and find those that are not as they were written.

The sidecar of the mask, which is written last, lists them under :data:`KEY`. A file that was cut off by a full disk, an
interrupted copy or a failing drive has another size or checksum; a mask that a person edited has, too, but can be read.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from bids_deepseg.bids.derivatives.layout import ResultFiles
from bids_deepseg.bids.nifti.reading import open_nifti
from bids_deepseg.errors import ImageError
from bids_deepseg.files.names import open_regular

#: Key of the sidecar of the mask.
KEY = "Products"

#: Size in bytes up to which a file is read to compare its checksum; larger ones are compared by size.
MOST_READ = 1_000_000

#: Values of a mask.
_MOST_VALUES = 2


class Measuring:
    """A stream that passes on what is written, and knows its size and checksum."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._digest, self._size = stream, hashlib.sha256(), 0

    def write(self, content: bytes) -> int:
        """Write bytes."""
        self._digest.update(content)
        self._size += len(content)
        return self._stream.write(content)

    def flush(self) -> None:
        """Pass on what is held back."""
        self._stream.flush()

    @property
    def facts(self) -> dict[str, int | str]:
        """``Size`` in bytes and ``SHA256`` of everything that was written."""
        return {"Size": self._size, "SHA256": self._digest.hexdigest()}


def measured(
    name: str, write: Callable[[BinaryIO], None], into: dict[str, dict[str, int | str]]
) -> Callable[[BinaryIO], None]:
    """Return a function that writes a file and notes its size and checksum.

    Parameters
    ----------
    name : str
        Name of the file, without folder: the key in ``into``.
    write : callable
        Writes the content of the file into a stream.
    into : dict
        Filled while the file is written.
    """

    def write_and_note(stream: BinaryIO) -> None:
        through = Measuring(stream)
        write(through)  # type: ignore[arg-type]  # as much of a binary file as the writers use
        into[name] = through.facts

    return write_and_note


def damaged_files(sidecar: Mapping[str, Any], files: ResultFiles, *, thorough: bool = False) -> list[Path]:
    """Return the files of a result that are missing or not as they were written.

    Parameters
    ----------
    sidecar : mapping
        Contents of the sidecar of the mask.
    files : ResultFiles
        Where they are.
    thorough : bool, optional
        Compare the checksums of large files, too.
    """
    paths = (files.named(name) for name in sorted(names_of(sidecar)))
    return [path for path in paths if not is_as_written(path, sidecar, thorough=thorough)]


def names_of(sidecar: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the files of a result; none for a sidecar that does not list them."""
    return frozenset(_listed(sidecar))


def is_edited_mask(path: Path) -> bool:
    """Return whether a mask that is not as it was written is a mask all the same: complete, with two values."""
    try:
        with open_nifti(path) as nifti:
            values = nifti.read_raw()
    except ImageError:
        return False
    return len(np.unique(values)) <= _MOST_VALUES


def is_as_written(path: Path, sidecar: Mapping[str, Any], *, thorough: bool = False) -> bool:
    """Return whether a file has the size, and if it is small the checksum, that the sidecar of the mask lists."""
    facts = _listed(sidecar).get(path.name)
    if not isinstance(facts, dict):
        return False
    try:
        size = path.stat().st_size
        if size != facts.get("Size"):
            return False
        if size > MOST_READ and not thorough:
            return True
        with open_regular(path) as file:
            digest = hashlib.file_digest(file, "sha256")
        return digest.hexdigest() == facts.get("SHA256")
    except (OSError, ValueError):  # ValueError: no file can have this name
        return False


def _listed(sidecar: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a sidecar lists, by names as paths have them in this locale; in the sidecar they are Unicode."""
    listed = sidecar.get(KEY)
    return {_in_locale(name): facts for name, facts in listed.items()} if isinstance(listed, dict) else {}


def _in_locale(name: str) -> str:
    """Return a name as paths have it; one that no file can have, as it is."""
    try:
        return os.fsdecode(name.encode("utf-8", "surrogateescape"))
    except UnicodeError:
        return name
