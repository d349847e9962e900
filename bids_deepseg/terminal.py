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


def _write(stream: TextIO, text: str) -> None:
    """Write a line, and send what follows nowhere when the reader is gone."""
    try:
        stream.write(text + "\n")
        stream.flush()
    except BrokenPipeError:
        # What is left in the buffer would fail again when the interpreter ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
