"""Write lines to the terminal, also to one that nobody reads any more.

After ``bids_deepseg ... | head``, the reader of the standard output is gone while the run goes on: the rest of the
lines is dropped, and neither the run nor its exit code changes.
"""

import os
import sys
from typing import TextIO


def say(text: str) -> None:
    """Write a line to the standard output."""
    _write(sys.stdout, text)


def complain(text: str) -> None:
    """Write a line to the standard error stream."""
    _write(sys.stderr, text)


def drop_unread(stream: TextIO) -> None:
    """Send what follows nowhere, since nobody reads the stream any more.

    What is left in its buffer would otherwise fail again when the interpreter ends, and change its exit code to 120.
    """
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _write(stream: TextIO, text: str) -> None:
    """Write a line; the run does not change when nobody reads it."""
    try:
        stream.write(text + "\n")
        stream.flush()
    except BrokenPipeError:
        drop_unread(stream)
