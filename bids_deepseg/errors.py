"""Name every failure that a user can meet, with the exit code of the process.

Terms: the *exit code* is that of the BEP027 execution specification; the process uses an error's code only when that
error is the sole cause, otherwise 1 ("some images failed"). A message says what happened, what was expected and what
to do.

::

    BidsDeepsegError
    |-- UsageError           64   wrong or contradictory options
    |   |-- AnalysisLevelError 17
    |   `-- SelectionError     18   filters or labels select nothing
    |-- DatasetError         66   not there, empty, not BIDS
    |   `-- InvalidDatasetError 16
    |-- ImageError           65   unreadable, wrong dimensions, non-finite, singular affine
    |   |-- NotFetchedError       a link to content that is not on this machine
    |   `-- ImageChangedError     replaced while it was read or segmented
    |-- DamagedResultError   65   a result of an earlier run that cannot be read back
    |-- NetworkError         78   weights missing or changed
    |-- SegmentationError     1   this image only, the run goes on
    |   |-- CordNotFoundError
    |   `-- EmptyMaskError
    |-- MemoryBudgetError    75
    |-- ClusterError         69   the scheduler or its workers cannot do the work
    `-- OutputError          73   cannot be created
        `-- OutputWriteError 74   disk full or input/output error
"""

from collections.abc import Iterator
from contextlib import contextmanager


class BidsDeepsegError(Exception):
    """Base of all errors of this package.

    Attributes
    ----------
    exit_code : int
        Exit code of the process when this error is the only cause of its end.
    status : str
        Word that stands for this failure in tables, reports and the summary.
    stage : str or None
        Stage in which it happened, set by :func:`error_context`.
    image : str or None
        Image in which it happened, set by :func:`error_context`.
    """

    exit_code = 1
    status = "failed"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.stage: str | None = None
        self.image: str | None = None


class UsageError(BidsDeepsegError, ValueError):
    """Options that are wrong or contradict each other."""

    exit_code = 64
    status = "usage-error"


class AnalysisLevelError(UsageError):
    """An analysis level that does not exist."""

    exit_code = 17


class SelectionError(UsageError):
    """Labels or filters that select no image."""

    exit_code = 18


class DatasetError(BidsDeepsegError, FileNotFoundError):
    """A data set that is not there, is empty or is not BIDS."""

    exit_code = 66
    status = "no-input"


class InvalidDatasetError(DatasetError):
    """A data set that the BIDS validator refuses, where validity was demanded."""

    exit_code = 16


class ImageError(BidsDeepsegError, ValueError):
    """An image that cannot be read or cannot be segmented for what it is."""

    exit_code = 65
    status = "bad-image"


class NotFetchedError(ImageError):
    """A link to image content that is not on this machine."""

    status = "not-fetched"


class ImageChangedError(ImageError):
    """An image, or what was given for it, that changed while it was read or segmented."""

    status = "changed"


class DamagedResultError(BidsDeepsegError, RuntimeError):
    """A result of an earlier run that was damaged or changed, and cannot be read back."""

    exit_code = 65
    status = "damaged-result"


class NetworkError(BidsDeepsegError, RuntimeError):
    """Network weights that are missing, changed or do not fit."""

    exit_code = 78
    status = "network-error"


class SegmentationError(BidsDeepsegError, RuntimeError):
    """An image in which the method found no result."""

    exit_code = 1
    status = "segmentation-failed"


class CordNotFoundError(SegmentationError):
    """No slice shows evidence of a cord."""

    status = "cord-not-found"


class EmptyMaskError(SegmentationError):
    """A cord was found, but no voxel reaches the threshold."""

    status = "empty-mask"


class MemoryBudgetError(BidsDeepsegError, MemoryError):
    """An image that needs more memory than the run may use."""

    exit_code = 75
    status = "out-of-memory"


class ClusterError(BidsDeepsegError, RuntimeError):
    """A cluster that cannot be reached, or whose workers cannot do the work."""

    exit_code = 69
    status = "cluster-error"


class OutputError(BidsDeepsegError, OSError):
    """An output that cannot be created."""

    exit_code = 73
    status = "cannot-write"


class OutputWriteError(OutputError):
    """An output that was begun and could not be finished."""

    exit_code = 74


@contextmanager
def error_context(*, stage: str | None = None, image: str | None = None) -> Iterator[None]:
    """Attach the stage and the image to any error of this package raised inside.

    Parameters
    ----------
    stage : str, optional
        Name of the stage; the innermost context wins.
    image : str, optional
        Name of the image; the innermost context wins.
    """
    try:
        yield
    except BidsDeepsegError as error:
        error.stage = error.stage or stage
        error.image = error.image or image
        raise
