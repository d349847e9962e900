"""Run jobs one after the other, or at the same time: the one entrance to all ways of running them."""

from collections.abc import Generator, Sequence

from bids_deepseg.execution.cluster import Cluster, run_on_cluster
from bids_deepseg.execution.outcome import Job, Outcome
from bids_deepseg.execution.pool import run_in_pool
from bids_deepseg.execution.work import Start, Watch, run_here


def run_jobs(
    jobs: Sequence[Job],
    start: Start,
    *,
    n_workers: int = 1,
    apart: bool = False,
    cluster: Cluster | None = None,
    watch: Watch | None = None,
) -> Generator[Outcome, None, None]:
    """Run all jobs and yield how each ended, as soon as it has.

    Parameters
    ----------
    jobs : sequence of Job
        What to do; an empty sequence starts nothing.
    start : callable
        Called once in each process, before its first job; it returns the function that does a job.
    n_workers : int, optional
        Number of processes; with 1, the jobs are run in this process.
    apart : bool, optional
        Run the jobs in a process of their own also where there is only one: short of memory, the system or a library
        may end it at any moment, and this process tells how it ended.
    cluster : Cluster, optional
        Where to run the jobs instead of on this machine.
    watch : Watch, optional
        What the caller is told, and decides.

    Yields
    ------
    Outcome
        In the order of completion.
    """
    if not jobs:
        return
    watch = watch or Watch()
    n_workers = min(n_workers, len(jobs))
    if cluster is not None:
        yield from run_on_cluster(jobs, start, cluster, watch)
    elif n_workers == 1 and not apart:
        yield from run_here(jobs, start, watch)
    else:
        yield from run_in_pool(jobs, start, n_workers, watch)
