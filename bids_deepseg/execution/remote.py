"""What happens on a worker of a cluster: make it like a process of this run, then do one job at a time."""

import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from bids_deepseg import __version__, logs
from bids_deepseg.errors import ClusterError
from bids_deepseg.execution.outcome import Job, Outcome
from bids_deepseg.execution.work import Start, Work, attempt

#: Variables of the run that its workers share. Folders are not among them: each machine has its own.
_SHARED = (
    "BIDS_DEEPSEG_SMALL_BATCHES",
    "CUDA_VISIBLE_DEVICES",
    "KERAS_BACKEND",
    "MKL_NUM_THREADS",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_FORCE_GPU_ALLOW_GROWTH",
    "TF_NUM_INTEROP_THREADS",
    "TF_NUM_INTRAOP_THREADS",
)

#: Folders that libraries would otherwise make in the home folder.
_FOLDERS = ("KERAS_HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME")

#: Networks and libraries are not made for several threads, and one image fills the memory.
_ONE_AT_A_TIME = threading.Lock()

#: Drives that are mounted on several machines may show a new file so late (NFS: ``acdirmax``).
DRIVE_PATIENCE_S = 90.0
_PAUSE_S = 0.2


@dataclass(frozen=True, slots=True)
class Setup:
    """What makes a worker like a process of the run.

    Attributes
    ----------
    version : str
        Version of the app.
    environ : tuple of (str, str)
        Environment variables.
    landmarks : tuple of Path
        What must be seen before work begins.
    topic : str
        Under which the worker tells which job it begins.
    """

    version: str
    environ: tuple[tuple[str, str], ...]
    landmarks: tuple[Path, ...]
    topic: str

    @classmethod
    def here(cls, landmarks: tuple[Path, ...], environ: Mapping[str, str] = os.environ) -> "Setup":
        """Describe this process."""
        shared = {name: environ[name] for name in _SHARED if name in environ}
        if shared.get("CUDA_VISIBLE_DEVICES") != "-1":
            # Which GPU it is differs between machines; that none is used does not.
            shared.pop("CUDA_VISIBLE_DEVICES", None)
        return cls(__version__, tuple(shared.items()), landmarks, f"bids_deepseg-{uuid.uuid4().hex}")


def do_remotely(setup: Setup, start: Start, job: Job) -> Outcome:
    """Do one job on a worker of a cluster.

    Raises
    ------
    ClusterError
        If no job could be done here.
    """
    from distributed import get_worker  # noqa: PLC0415 - it is there, since it called

    worker: Any = get_worker()
    with _ONE_AT_A_TIME:
        worker.log_event(setup.topic, job.name)
        _prepare(setup, Path(worker.local_directory))
        return attempt(partial(_start_and_work, setup, start), job)


@lru_cache(maxsize=1)
def _prepare(setup: Setup, folder: Path) -> None:
    """Check this machine, and set what libraries read when they are loaded."""
    host = socket.gethostname()
    if setup.version != __version__:
        raise ClusterError(
            f"The worker on {host} has bids_deepseg {__version__}, but the run is one of {setup.version}. Install the "
            "same version on all machines."
        )
    for path in setup.landmarks:
        if not wait_for(path.exists):
            raise ClusterError(
                f"The worker on {host} does not see {path}. Input and output folder are expected under the same paths "
                "on all machines. Mount them there."
            )
    os.environ.update(dict(setup.environ) | {name: str(folder / name.lower()) for name in _FOLDERS})
    # Those of an earlier run on this worker.
    logs.close()


@lru_cache(maxsize=1)
def _started(_setup: Setup, start: Start) -> Work:
    """Make this process ready for the work of a run, once; what it held for an earlier run is given up."""
    return start()


def _start_and_work(setup: Setup, start: Start, job: Job) -> Any:
    """Make ready if this is the first job of the run here, then do it."""
    return _started(setup, start)(job)


def wait_for(condition: Callable[[], bool], patience_s: float = DRIVE_PATIENCE_S) -> bool:
    """Wait until a condition holds; return whether it does.

    Parameters
    ----------
    condition : callable
        Returns whether it holds.
    patience_s : float, optional
        How long.
    """
    until = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > until:
            return False
        time.sleep(_PAUSE_S)
    return True
