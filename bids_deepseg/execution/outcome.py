"""Describe a job and how it ended, in types that travel between processes."""

import errno
import traceback
from dataclasses import dataclass
from typing import Any, Literal

from bids_deepseg.errors import BidsDeepsegError

#: Errors of the operating system that mean a full or failing disk.
_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})

#: What libraries say, in errors of other classes, when the system gives them no memory or no further thread.
_MEMORY_WORDS = (
    "cannot allocate memory",
    "out of memory",
    "failed to map segment",
    "can't start new thread",
    "std::bad_alloc",
)

#: Exit code of an unexpected error.
UNEXPECTED_CODE = 70


@dataclass(frozen=True, slots=True)
class Job:
    """One piece of work.

    Attributes
    ----------
    name : str
        Unique name, for people and for files of failures.
    group : str
        Jobs that belong together, for example those of one subject.
    payload : Any
        What the work function needs; it must survive pickling.
    """

    name: str
    group: str
    payload: Any = None


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a job gave no product.

    Attributes
    ----------
    status : str
        Word for tables, for example ``bad-image``.
    exit_code : int
        Exit code of the process if this is the only cause of failure.
    kind : str
        Name of the exception.
    message : str
        What happened, what was expected, what to do.
    stage : str
        Stage in which it happened, empty if unknown.
    traceback : str
        Where it happened in the code.
    """

    status: str
    exit_code: int
    kind: str
    message: str
    stage: str = ""
    traceback: str = ""

    @property
    def is_expected(self) -> bool:
        """Return whether the failure has a known cause, so that its traceback says nothing more."""
        return self.exit_code != UNEXPECTED_CODE


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended; ``error`` is set exactly when it failed.

    Attributes
    ----------
    job : Job
        The job.
    status : {"done", "failed"}
        Whether there is a product.
    seconds : float
        Duration.
    error : Failure or None
        Why it failed.
    product : Any
        What the work function returned.
    """

    job: Job
    status: Literal["done", "failed"]
    seconds: float
    error: Failure | None = None
    product: Any = None

    def __post_init__(self) -> None:
        if (self.error is not None) != (self.status == "failed"):
            raise ValueError(f"Job {self.job.name}: the status is {self.status!r} and the error {self.error!r}.")


def describe_failure(error: Exception, *, record: str = "the crash file") -> Failure:
    """Turn an exception into a record that can be pickled, printed and counted.

    Parameters
    ----------
    error : Exception
        As caught around the work; its class decides the exit code.
    record : str, optional
        What is to be reported of an unexpected error.

    Returns
    -------
    Failure
        Errors of this package keep their code; a lack of memory is 75, a full disk 74, anything else 70.
    """
    text = str(error) or type(error).__name__
    trace = "".join(traceback.format_exception(error))
    kind = type(error).__name__
    if isinstance(error, BidsDeepsegError):
        return Failure(error.status, error.exit_code, kind, text, error.stage or "", trace)
    if _lacks_memory(error):
        hint = "Use fewer workers (--n-cpus 1) or a machine with more memory."
        return Failure("out-of-memory", 75, kind, f"Not enough memory: {text}. {hint}", traceback=trace)
    if isinstance(error, OSError) and error.errno in _DISK_ERRORS:
        hint = "Free space on the disk of the output folder and run the same command again."
        return Failure("cannot-write", 74, kind, f"{text}. {hint}", traceback=trace)
    message = f"Unexpected {kind}: {text}. This is a fault of the program; please report it with {record}."
    return Failure("unexpected-error", UNEXPECTED_CODE, kind, message, traceback=trace)


def _lacks_memory(error: Exception) -> bool:
    """Return whether an error means that there is not enough memory."""
    if isinstance(error, MemoryError) or (isinstance(error, OSError) and error.errno == errno.ENOMEM):
        return True
    # TensorFlow has an exception of its own for memory, which cannot be imported here.
    is_memory_error = isinstance(error, ImportError | RuntimeError) and any(
        words in str(error).lower() for words in _MEMORY_WORDS
    )
    return is_memory_error or type(error).__name__ == "ResourceExhaustedError"
