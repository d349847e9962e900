"""Show the progress of a run as a bar in the last line of the terminal.

The bar is drawn by a thread of its own. Lines of the log, also those of worker processes, are written over it
(:attr:`bids_deepseg.logs.LogSettings.has_bar`) and it is drawn again below them, so that no line is ever broken.
"""

import io
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, ProgressColumn, Task
from rich.progress import Progress as Bar
from rich.table import Column
from rich.text import Text

from bids_deepseg.app.participant.progress import Progress, duration
from bids_deepseg.terminal import shown

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

#: Drawn so often in a second.
_PER_SECOND = 4


@contextmanager
def bar_of(progress: Progress) -> Iterator[None]:
    """Show a bar on the standard error stream until the end of the block, then remove it.

    Parameters
    ----------
    progress : Progress
        What is shown; read again each time the bar is drawn.
    """
    stream = io.TextIOWrapper(
        io.BufferedWriter(_Screen(sys.stderr.fileno())), encoding=sys.stderr.encoding, errors="backslashreplace"
    )
    bar = Bar(
        BarColumn(20),
        _Words(progress),
        console=_Console(file=stream, force_terminal=True),
        transient=True,
        refresh_per_second=_PER_SECOND,
        # Whoever writes while the bar is shown writes through the log.
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with bar:
        bar.add_task("", total=progress.n_total)
        yield


class _Words(ProgressColumn):
    """Everything beside the bar itself: count, rate, time left and what is at hand."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(Column(no_wrap=True, overflow="ellipsis"))
        self.progress = progress

    def render(self, task: Task) -> Text:
        """Return the words as they are now, and move the bar."""
        task.completed = self.progress.n_ended
        return Text(shown(", ".join(words_of(self.progress, time.monotonic())), sys.stderr), overflow="ellipsis")


def words_of(progress: Progress, now: float) -> Iterator[str]:
    """Yield what is said of the progress.

    Parameters
    ----------
    progress : Progress
        How far the run is.
    now : float
        Moment of the monotonic clock.
    """
    yield f"{progress.n_ended}/{progress.n_total} images"
    if progress.n_ended:
        rate = progress.per_minute
        yield f"{rate:.3g} per minute" if rate < 999.5 else f"{rate:.0f} per minute"
    left = progress.seconds_left(now)
    if left is not None:
        yield f"about {duration(left)} left"
    if progress.at_hand:
        first, *others = progress.at_hand
        more = f" and {len(others)} more" if others else ""
        yield f"{first.rpartition('/')[2]}{more}"


class _Console(Console):
    """A console that leaves the cursor visible: a killed run could not show it again."""

    def show_cursor(self, show: bool = True) -> bool:  # noqa: ARG002, FBT001, FBT002 - overrides
        """Do nothing."""
        return False


class _Screen(io.RawIOBase):
    """A terminal that may be closed while the run goes on: what nobody reads is dropped."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number

    def writable(self) -> bool:
        """Return that it can be written."""
        return True

    def write(self, content: "ReadableBuffer", /) -> int:
        """Write as much as the terminal takes at once."""
        with suppress(OSError):
            return os.write(self.number, content)
        return memoryview(content).nbytes
