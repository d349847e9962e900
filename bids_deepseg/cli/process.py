"""Prepare the process of a run: environment variables that libraries read, and signals."""

import ctypes
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bids_deepseg.execution import Allocation

#: The terminal was closed (SIGHUP), Ctrl-C, and the polite request of a batch system.
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGTERM)


#: Bytes from which glibc gives freed memory back to the system at once. Arrays of large images do not leave gaps in
#: this way; smaller ones come again and again: giving back those from 8 MB on, too, took a third more page faults
#: (0.2 s of 5.8 s for a T2w image of 4.5 million voxels on OpenVINO), and saved 12 of 467 MB.
_GIVEN_BACK = 32 << 20

#: Free bytes that glibc keeps at the end of its memory; by its own rule twice the above, which it then forgets.
_KEPT = 2 * _GIVEN_BACK

#: Numbers of these settings for ``mallopt``.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1


class Interrupted(BaseException):
    """The process was asked to end; no ``except Exception`` stops it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def variables(allocation: "Allocation", folder: Path, device: str, *, low_memory: bool = False) -> dict[str, str]:
    """Return the environment variables that keep libraries within the processors and out of the home folder."""
    threads = str(allocation.omp_nthreads)
    variables = {
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        "MALLOC_MMAP_THRESHOLD_": str(_GIVEN_BACK),
        "MALLOC_TRIM_THRESHOLD_": str(_KEPT),
        "TMPDIR": str(folder),
        "MPLCONFIGDIR": str(folder / "matplotlib"),
        "KERAS_HOME": str(folder / "keras"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    # Read by bids_deepseg.networks.batches.
    variables |= {"BIDS_DEEPSEG_SMALL_BATCHES": "1"} if low_memory else {}
    # A GPU that is not asked for must not be used: its results differ in the last bits.
    variables |= {"TF_FORCE_GPU_ALLOW_GROWTH": "true"} if device == "gpu" else {"CUDA_VISIBLE_DEVICES": "-1"}
    # Libraries ask for the name of the user, which a container does not know.
    return variables | {name: os.environ.get(name) or "bids_deepseg" for name in ("USER", "LOGNAME")}


def give_memory_back() -> None:
    """Let this process give the memory of large arrays back, as the variables tell those that it starts."""
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_M_MMAP_THRESHOLD, _GIVEN_BACK)
        libc.mallopt(_M_TRIM_THRESHOLD, _KEPT)


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and put the old ones back at the end."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def signals_raise() -> Iterator[None]:
    """Turn the first request to end into an exception, so that everything is cleaned up; ignore further ones.

    A closed terminal does not end a run that ``nohup`` told to go on.
    """

    def interrupt(number: int, _frame: Any) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(number)

    detached = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    watched = _SIGNALS[1:] if detached else _SIGNALS
    try:
        before = {number: signal.signal(number, interrupt) for number in watched}
    except ValueError:
        # Only the main thread can handle signals; in any other one the caller does.
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
