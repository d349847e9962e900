"""Run jobs on a cluster that exists already, through Dask.

The library ``distributed`` keeps the queue, gives the jobs of lost workers to others, and starts killed workers again;
here is what it leaves to its user. A job whose workers were killed as often as the scheduler allows is tried once more
alone, when no other job is left. When the scheduler itself is lost, all jobs without an outcome are handed over again
as soon as it is back. A job may therefore be done twice, also by two workers at the same time: work must not mind.
"""

import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_deepseg.errors import ClusterError, UsageError
from bids_deepseg.execution.outcome import Job, Outcome
from bids_deepseg.execution.remote import Setup, do_remotely
from bids_deepseg.execution.work import Start, Watch, killed

if TYPE_CHECKING:
    from distributed import Client, Future

logger = logging.getLogger(__name__)

#: Time between two tries to reach a scheduler, and that which one try may take.
_PAUSE_S, _TRY_S = 1.0, 10.0

#: So often the scheduler may be lost before any job ends.
_MOST_LOSSES = 5

#: Loggers of the library, which would write over our lines what is told here in other words.
_LOUD = ("distributed", "distributed.client", "tornado.application")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Dask cluster.

    Attributes
    ----------
    scheduler : str
        Address (``tcp://host:8786``), or path of the file that the scheduler wrote.
    landmarks : tuple of Path
        Files and folders that each worker must see before it begins: they are on the shared drive.
    first_patience_s : float
        How long to wait for the scheduler at the beginning.
    patience_s : float
        How long to wait for one that was lost.
    """

    scheduler: str
    landmarks: tuple[Path, ...] = ()
    first_patience_s: float = 60.0
    patience_s: float = 600.0

    @property
    def address(self) -> dict[str, str]:
        """The scheduler, as an argument of the client."""
        name = "address" if "://" in self.scheduler else "scheduler_file"
        return {name: self.scheduler}


class _LostError(Exception):
    """The scheduler cannot be reached any more."""


def check_installed() -> None:
    """Make sure that Dask is there.

    Raises
    ------
    UsageError
        If it is not.
    """
    if find_spec("distributed") is None:
        raise UsageError("--dask-scheduler needs Dask, which is not installed: pip install 'bids_deepseg[cluster]'.")


def run_on_cluster(jobs: Sequence[Job], start: Start, cluster: Cluster, watch: Watch) -> Iterator[Outcome]:
    """Run the jobs on the workers of a cluster.

    Parameters
    ----------
    jobs : sequence of Job
        What to do; jobs are begun in this order.
    start : callable
        Called once in each worker, before its first job.
    cluster : Cluster
        Where.
    watch : Watch
        What the caller is told, and decides.

    Raises
    ------
    ClusterError
        If the scheduler cannot be reached, or the workers cannot do this work.
    """
    waiting = {job.name: job for job in jobs}
    suspects: dict[str, Job] = {}
    patience_s, n_losses = cluster.first_patience_s, 0
    setup = Setup.here(cluster.landmarks)
    while waiting or suspects:
        # What killed its workers among others is tried alone, at the end.
        alone = not waiting
        batch = tuple(waiting.values()) or (next(iter(suspects.values())),)
        try:
            with _connected(cluster, patience_s) as client:
                for job, found in _results(client, batch, _Task(setup, start), watch):
                    n_losses = 0
                    waiting.pop(job.name, None)
                    suspects.pop(job.name, None)
                    if found is None and not alone:
                        suspects[job.name] = job
                        continue
                    outcome = found or Outcome(job, "failed", 0.0, killed(job))
                    yield outcome
                    if watch.stop(outcome):
                        return
        except _LostError:
            n_losses += 1
            if n_losses == _MOST_LOSSES:
                raise _unreachable(cluster, "It was lost several times before any image ended.") from None
            logger.warning("The scheduler %s was lost; waiting for it to come back.", cluster.scheduler)
        patience_s = cluster.patience_s


@dataclass(frozen=True, slots=True)
class _Task:
    """What a worker is given beside the job."""

    setup: Setup
    start: Start


@contextmanager
def _connected(cluster: Cluster, patience_s: float) -> Iterator["Client"]:
    """Hold a connection to the scheduler inside the block; wait for it as long as patience lasts."""
    levels = {name: logging.getLogger(name).level for name in _LOUD}
    client = _connect(cluster, patience_s)
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    try:
        yield client
    finally:
        # Jobs of this client that were not begun are forgotten by the scheduler.
        client.close(timeout=_TRY_S)
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)


def _connect(cluster: Cluster, patience_s: float) -> "Client":
    """Return a connection to the scheduler."""
    from distributed import Client  # noqa: PLC0415 - an optional dependency, which takes half a second

    until = time.monotonic() + patience_s
    while True:
        try:
            if "scheduler_file" in cluster.address:
                # The library would wait for it without end.
                Path(cluster.scheduler).stat()
            return Client(**cluster.address, timeout=_TRY_S, set_as_default=False)
        except (OSError, ValueError) as error:
            if isinstance(error, ValueError) or time.monotonic() > until:
                raise _unreachable(cluster, str(error)) from error
            time.sleep(_PAUSE_S)


def _unreachable(cluster: Cluster, reason: str) -> ClusterError:
    """Return the error for a scheduler that does not answer."""
    return ClusterError(
        f"The Dask scheduler {cluster.scheduler} cannot be reached: {reason.rstrip('.')}. Expected is an address "
        "like tcp://host:8786, or the path of the file that the scheduler wrote. Start it, and run the same command "
        "again; finished images are kept."
    )


def _results(client: "Client", jobs: Sequence[Job], task: _Task, watch: Watch) -> Iterator[tuple[Job, Outcome | None]]:
    """Hand the jobs over, and yield each with its outcome; None where its workers were killed.

    Raises
    ------
    _LostError
        If the scheduler is lost.
    """
    from distributed import as_completed  # noqa: PLC0415 - an optional dependency

    names = {job.name: job for job in jobs}

    def tell(event: tuple[float, Any]) -> None:
        # The scheduler may tell of jobs that have ended in the meantime.
        job = names.get(event[1])
        if job is not None:
            watch.begun(job)

    client.subscribe_topic(task.setup.topic, tell)
    _tell_workers(client)
    token = uuid.uuid4().hex
    futures = {
        client.submit(
            *(do_remotely, task.setup, task.start, job),
            key=f"bids_deepseg-{token}-{number}",
            priority=-number,
            pure=False,
        ): job
        for number, job in enumerate(jobs)
    }
    for future in as_completed(list(futures), loop=client.loop):
        outcome = _outcome_of(future)
        # The scheduler keeps what somebody may still ask for.
        job = futures.pop(future)
        del names[job.name]
        yield job, outcome


def _tell_workers(client: "Client") -> None:
    """Say how many workers there are, and warn of those that cannot do several jobs well."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    if not workers:
        logger.info("The cluster has no worker yet; the run waits for one.")
        return
    logger.info("Workers of the cluster: %d.", len(workers))
    n_wide = sum(worker["nthreads"] > 1 for worker in workers)
    if n_wide:
        logger.warning(
            "%d workers of the cluster have several threads, but segment one image at a time. Start more workers with "
            "--nthreads 1, and give threads to an image with --omp-nthreads.",
            n_wide,
        )


def _outcome_of(future: "Future") -> Outcome | None:
    """Fetch an outcome; None if the job's workers were killed."""
    from distributed import KilledWorker  # noqa: PLC0415 - an optional dependency

    try:
        outcome: Outcome = future.result()
    except KilledWorker:
        return None
    except (CancelledError, OSError) as error:
        raise _LostError from error
    except ClusterError:
        raise
    # What a job raises is in its outcome: this is the way to the worker.
    except Exception as error:
        raise ClusterError(
            f"A worker of the cluster could not be given its work: {type(error).__name__}: {error}. The same versions "
            "of bids_deepseg and of Dask are expected on all machines. Install them there."
        ) from error
    return outcome
