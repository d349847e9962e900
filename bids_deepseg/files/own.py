"""Overwrite and remove a file only if it is known to be one of ours, by its content."""

import os
from collections.abc import Iterable
from pathlib import Path

from bids_deepseg.errors import OutputError
from bids_deepseg.files.atomic import output_errors, write_if_different
from bids_deepseg.files.names import open_regular

#: Bytes at the beginning of a file in which a mark is looked for.
_HEAD_BYTES = 4096


def read_head(path: Path, size: int = _HEAD_BYTES) -> bytes:
    """Return the beginning of an ordinary file, nothing of what is missing or cannot be read."""
    try:
        with open_regular(path) as file:
            return file.read(size)
    except OSError:
        return b""


def is_own(path: Path, marks: Iterable[bytes], content: bytes = b"") -> bool:
    """Return whether what stands at a place may be replaced: nothing, a file of ours, or what is left of one.

    Parameters
    ----------
    path : Path
        The place. A link is ours if it leads to a file of ours, as data management programs make of every file; it is
        the link that is replaced.
    marks : iterable of bytes
        One of them is in the first 4096 bytes of each file of ours.
    content : bytes, optional
        What will be written there: a file that was cut off is a part of it.
    """
    if not os.path.lexists(path):
        return True
    if not path.is_file():
        return False
    head = read_head(path)
    if not head:
        # Empty, as after a loss of power, or not to be read by us.
        return path.stat().st_size == 0
    return not head.strip(b"\0") or content.startswith(head) or any(mark in head for mark in marks)


def write_own(path: Path, content: bytes, marks: Iterable[bytes]) -> bool:
    """Write a file unless it has this content; parameters as for :func:`is_own`, return whether it was written.

    Raises
    ------
    OutputError
        If something is there that is not ours, or the file cannot be written.
    """
    if not is_own(path, marks, content):
        raise OutputError(
            f"{path} exists and was not made by bids_deepseg. It was left as it is. Move it away, or give another "
            "output folder."
        )
    return write_if_different(path, content)


def remove_own(path: Path, marks: Iterable[bytes]) -> None:
    """Remove a file if it is ours; a link, and whatever is not ours, stays."""
    if path.is_symlink() or not any(mark in read_head(path) for mark in marks):
        return
    with output_errors(path):
        path.unlink(missing_ok=True)
