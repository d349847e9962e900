"""Write lines to the terminal, also to one that nobody reads any more.

After ``bids_deepseg ... | head``, or when the terminal was closed, the reader of the standard output is gone while the
run goes on: the rest of the lines is dropped, and neither the run nor its exit code changes. What a terminal cannot
show, or would obey, is escaped: the names in a line are those of other people's files.
"""

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TextIO

from bids_deepseg.files.names import printable_entry, printable_text

#: Goes to the beginning of the line and erases it.
ERASE_LINE = "\r\x1b[K"


def say(text: str) -> None:
    """Write one or more lines to the standard output."""
    _write(sys.stdout, text, printable_text)


def complain(text: str) -> None:
    """Write a message to the standard error stream."""
    _write(sys.stderr, text, printable_entry)


def drop_unread(stream: TextIO) -> None:
    """Send what follows nowhere, since nobody reads the stream any more.

    What is left in its buffer would otherwise fail again when the interpreter ends, and change its exit code to 120.
    """
    # A stream that is no file, such as that of a test, has no number.
    with suppress(OSError, ValueError):
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


def shown(text: str, stream: TextIO) -> str:
    """Return a message as a stream can show it."""
    return printable_entry(text, stream.encoding or "utf-8")


def can_redraw(stream: TextIO | None) -> bool:
    """Return whether what a stream shows can be drawn again: a terminal that moves its cursor."""
    if stream is None or os.environ.get("TERM", "dumb") in ("", "dumb", "unknown"):
        return False
    try:
        return stream.isatty() and stream.fileno() >= 0
    except (OSError, ValueError):
        return False


def _write(stream: TextIO | None, text: str, as_shown: Callable[[str, str], str]) -> None:
    """Write text; the run does not change when nobody reads it, or the stream was closed before it began."""
    if stream is None:
        return
    try:
        stream.write(as_shown(text, stream.encoding or "utf-8") + "\n")
        stream.flush()
    except OSError:
        drop_unread(stream)
