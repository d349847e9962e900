"""Run twelve empty jobs on two processes of one engine: ``python -m benchmarks.speed.pools {pool,loky,dask}``."""

import multiprocessing
import sys
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import AbstractContextManager


def job(number: int) -> int:
    """Do nothing."""
    return number


def engine(name: str) -> AbstractContextManager[Executor]:
    """Start an engine."""
    if name == "pool":
        return ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn"))
    if name == "loky":
        from loky import ProcessPoolExecutor as Loky  # noqa: PLC0415 - not a dependency

        return Loky(2)
    from distributed import Client, LocalCluster  # noqa: PLC0415 - an optional dependency

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, memory_limit=0)
    return Client(cluster).get_executor()


if __name__ == "__main__":
    with engine(sys.argv[1]) as executor:
        if sorted(executor.map(job, range(12))) != list(range(12)):
            raise SystemExit("Jobs were lost.")
