"""Open ordinary files only: a pipe under the name of an image would be waited for, a device would never end."""

import os
import stat
from io import BufferedReader
from pathlib import Path


class NotRegularError(OSError):
    """A pipe, a socket or a device where an ordinary file is expected."""


def open_regular(path: Path) -> BufferedReader:
    """Open an ordinary file for reading; links are followed.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    binary file
        At its start. The caller closes it.

    Raises
    ------
    NotRegularError
        If the path leads to a pipe, a socket or a device.
    OSError
        If it cannot be opened; ``IsADirectoryError`` for a folder.
    """
    # Without O_NONBLOCK, opening a pipe waits until another process writes to it. For ordinary files it means nothing.
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        # A socket cannot be opened at all.
        if path.is_socket():
            raise _not_regular(path) from error
        raise
    kind = os.fstat(number).st_mode
    if not stat.S_ISREG(kind):
        os.close(number)
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(f"{path.name} is a folder. A file is expected.")
        raise _not_regular(path)
    return os.fdopen(number, "rb")


def _not_regular(path: Path) -> NotRegularError:
    """Return the error for what is not an ordinary file."""
    return NotRegularError(f"{path.name} is not an ordinary file but a pipe, a socket or a device.")
