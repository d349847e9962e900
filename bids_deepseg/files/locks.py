"""Hold a lock on a file or folder while something is done, and tell whether another process holds one.

The locks are those of ``flock``: they end with the process that holds them, however it ends, and are seen by every
process of the machine, in whichever container it runs. They are advice only, and some network drives have none: what is
right only with a lock must be checked without it, too.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

#: Time between two tries to get a lock.
_PAUSE_S = 0.02


@contextmanager
def holding(path: Path, *, patience_s: float = 0.0) -> Iterator[bool]:
    """Hold the lock of a file or folder inside the block.

    Parameters
    ----------
    path : Path
        Existing file or folder.
    patience_s : float, optional
        How long to wait for another process.

    Yields
    ------
    bool
        Whether the lock is held; without it, another process has it, or there are no locks here.
    """
    number = -1
    try:
        with suppress(OSError):
            number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        yield number >= 0 and _lock(number, time.monotonic() + patience_s)
    finally:
        if number >= 0:
            os.close(number)


def is_locked(path: Path) -> bool:
    """Return whether a process holds the lock of a file, or may hold it: where locks do not work, this is unknown."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return True
    try:
        return not _lock(number, 0.0)
    finally:
        os.close(number)


def _lock(number: int, until: float) -> bool:
    """Take the lock of an open file, and wait for it until a moment of the monotonic clock."""
    while True:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                return False
            time.sleep(_PAUSE_S)
        except OSError:
            return False
        else:
            return True
