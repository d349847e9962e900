"""Write the progress of a run to the terminal, for the user, and to files, for programs.

Handlers are set up by :func:`configure` only, called by the command line and by each worker process. The terminal gets
plain lines on the standard error stream; ``run.log`` gets one JSON object a line with time, level, image and stage.
"""

import hashlib
import json
import logging
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from bids_deepseg import __version__
from bids_deepseg.terminal import ERASE_LINE, complain, drop_unread, shown

#: Image that this process works on, put into every record.
_IMAGE: ContextVar[str] = ContextVar("image", default="")

#: Attributes of a record that go to the file if they were given with ``extra``.
_EXTRA = ("stage", "seconds", "status")


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where the course of a run is written; it survives pickling.

    Attributes
    ----------
    folder : Path or None
        Folder of the log files of this run; None for no file.
    verbosity : int
        -1 warnings only, 0 one line per image, 1 times of stages as well, 2 numbers inside stages as well.
    json : bool
        Write JSON objects to the terminal, those of the file.
    has_bar : bool
        The last line of the terminal may show a bar, which each line is written over.
    across_hosts : bool
        Processes of several machines, which may have the same number, write into the folder.
    """

    folder: Path | None = None
    verbosity: int = 0
    json: bool = False
    has_bar: bool = False
    across_hosts: bool = False

    @property
    def terminal_level(self) -> int:
        """Least level of the lines on the terminal."""
        return {-1: logging.WARNING, 0: logging.INFO, 1: logging.INFO}.get(self.verbosity, logging.DEBUG)


def configure(settings: LogSettings, *, worker: bool = False) -> None:
    """Send the records of this package to the terminal and to a file, and nowhere else.

    Parameters
    ----------
    settings : LogSettings
        Where to.
    worker : bool, optional
        Whether this is one of several processes, with a file of its own.
    """
    logger = logging.getLogger("bids_deepseg")
    # What was shown before the folder of the logs was known is not shown again.
    shown = {message for handler in logger.handlers for each in handler.filters for message in _shown_by(each)}
    close()
    once = _Once(settings.folder, shown)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    terminal = _TerminalHandler(sys.stderr, has_bar=settings.has_bar and sys.stderr.isatty())
    terminal.setLevel(settings.terminal_level)
    terminal.setFormatter(_JsonFormatter() if settings.json else _TerminalFormatter())
    if settings.verbosity < 1:
        terminal.addFilter(_is_no_stage)
    handlers: list[logging.Handler] = [terminal]
    if settings.folder is not None:
        host = f"{socket.gethostname()}-" if settings.across_hosts else ""
        name = f"run-{host}{os.getpid()}.log" if worker else "run.log"
        # A process that begins late finds the folder gone if the output was cleaned; the run reports it at its end.
        with suppress(FileNotFoundError) if worker else nullcontext():
            # A name that is not text stays JSON: its surrogates are escaped.
            file = _FileHandler(settings.folder / name, encoding="utf-8", errors="backslashreplace")
            file.setFormatter(_JsonFormatter())
            handlers.append(file)
    for handler in handlers:
        handler.addFilter(_add_image)
        handler.addFilter(once)
        logger.addHandler(handler)


def is_configured() -> bool:
    """Return whether :func:`configure` was called in this process."""
    return bool(logging.getLogger("bids_deepseg").handlers)


def close() -> None:
    """Take back what :func:`configure` did."""
    logger = logging.getLogger("bids_deepseg")
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    logger.propagate = True
    logger.setLevel(logging.NOTSET)


@contextmanager
def log_image(name: str) -> Iterator[None]:
    """Name the image in all records from inside.

    Parameters
    ----------
    name : str
        Path of the image relative to its data set.
    """
    token = _IMAGE.set(name)
    try:
        yield
    finally:
        _IMAGE.reset(token)


def _add_image(record: logging.LogRecord) -> bool:
    """Put the current image into a record."""
    record.image = _IMAGE.get()
    return True


def _is_no_stage(record: logging.LogRecord) -> bool:
    """Return whether a record is more than the time of a stage."""
    return record.levelno >= logging.WARNING or not hasattr(record, "stage")


class _Once(logging.Filter):
    """Let records with ``once`` pass one time in a run, also where several processes meet the same cause.

    Parameters
    ----------
    folder : Path or None
        Folder of the logs of the run, in which an empty file marks each message for the other processes.
    shown : set of str
        Messages that were shown already.
    """

    def __init__(self, folder: Path | None, shown: set[str]) -> None:
        super().__init__()
        self._folder = folder
        self.shown = set(shown)
        for message in shown:
            self._mark(message)

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a record is shown; all handlers get the same answer."""
        if not getattr(record, "once", False):
            return True
        facts = vars(record)
        if "is_first" not in facts:
            message = record.getMessage()
            facts["is_first"] = message not in self.shown and self._mark(message)
            self.shown.add(message)
        # It is about more than the image that met it.
        facts["image"] = ""
        return bool(facts["is_first"])

    def _mark(self, message: str) -> bool:
        """Mark a message for other processes; return whether none of them has."""
        if self._folder is None:
            return True
        name = hashlib.sha256(message.encode(errors="surrogateescape")).hexdigest()[:16]
        try:
            (self._folder / f".shown-{name}").touch(exist_ok=False)
        except FileExistsError:
            return False
        except OSError:
            # Showing it twice is better than not at all.
            return True
        return True


def _shown_by(each: object) -> set[str]:
    """Return what a filter of a handler has let pass already."""
    return each.shown if isinstance(each, _Once) else set()


class _TerminalHandler(logging.StreamHandler[TextIO]):
    """A terminal that may be closed while the run goes on (``2>&1 | head``): what nobody reads is not written."""

    def __init__(self, stream: TextIO, *, has_bar: bool) -> None:
        super().__init__(stream)
        self._before = ERASE_LINE if has_bar else ""

    def format(self, record: logging.LogRecord) -> str:
        """Return what the terminal can show of a record."""
        return self._before + shown(super().format(record), self.stream)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - overrides
        """Be quiet about a reader that is gone, now and at the end of the process."""
        if isinstance(sys.exception(), OSError):
            drop_unread(self.stream)
        else:
            super().handleError(record)


class _FileHandler(logging.FileHandler):
    """A file whose disk may become full while the run goes on: that is reported once, and the rest is dropped."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - overrides
        """Give the file up."""
        error = sys.exception()
        if not isinstance(error, OSError):
            super().handleError(record)
        elif self.stream is not None:
            complain(f"WARNING: {self.baseFilename} can no longer be written: {error.strerror}. The run continues.")
            drop_unread(self.stream)


def error_line(message: str) -> str:
    """Return the line of an error outside all handlers as a JSON object, in the form of the others."""
    record = logging.LogRecord("bids_deepseg.cli.main", logging.ERROR, "", 0, message, None, None)
    return _JsonFormatter().format(record)


class _TerminalFormatter(logging.Formatter):
    """Plain lines: the message, its image if it comes from inside a stage, its level if it is serious."""

    def format(self, record: logging.LogRecord) -> str:
        image = getattr(record, "image", "")
        prefix = f"{record.levelname}: " if record.levelno >= logging.WARNING else ""
        return f"{prefix}{image + ': ' if image else ''}{record.getMessage()}"


class _JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        entry: dict[str, object] = {
            "time": f"{moment}.{int(record.msecs):03d}Z",
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "version": __version__,
        }
        if image := getattr(record, "image", ""):
            entry["image"] = image
        entry |= {name: getattr(record, name) for name in _EXTRA if hasattr(record, name)}
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)
