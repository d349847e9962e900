"""Run jobs at the same time in processes of their own, on this machine.

Processes are started afresh (``spawn``): a copy of a process that has loaded TensorFlow would hang. Each loads what it
needs once. When the system kills a process, for lack of memory say, all jobs that were running are under suspicion;
each is tried once more alone, and only one that kills its process again has failed.
"""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import resource_tracker
from typing import Any

from bids_deepseg.execution.outcome import Job, Outcome
from bids_deepseg.execution.work import Start, Watch, Work, attempt, killed, run_here

logger = logging.getLogger(__name__)

#: Seconds that a process gets to clean up when the run is interrupted.
_GRACE_S = 5.0


def run_in_pool(jobs: Sequence[Job], start: Start, n_workers: int, watch: Watch) -> Iterator[Outcome]:
    """Run the jobs in processes, replacing all of them when one is killed.

    Where the system gives no processes that can talk to each other, the jobs are run in this process instead.

    Parameters
    ----------
    jobs : sequence of Job
        What to do.
    start : callable
        Called once in each process, before its first job.
    n_workers : int
        Number of processes.
    watch : Watch
        What the caller is told, and decides.
    """
    waiting = deque(jobs)
    stopped = False
    while waiting and not stopped:
        suspects: list[Job] = []
        lacking: _NoProcessesError | None = None
        try:
            with _Pool.open(start, n_workers) as pool:
                for outcome in pool.run(waiting, suspects, watch.begun):
                    yield outcome
                    if watch.stop(outcome):
                        stopped = True
                        waiting.clear()
        except _NoProcessesError as error:
            lacking = error
        while suspects and not stopped:
            outcome = _run_alone(suspects.pop(0), start, watch)
            yield outcome
            stopped = watch.stop(outcome)
        if lacking and not stopped:
            logger.warning(
                "One after the other from here: no further process can be started (%s). Processes must be allowed and "
                "/dev/shm be writable; --n-cpus 1 does the same without this warning.",
                lacking,
            )
            yield from run_here(tuple(waiting), start, watch)
            return


def _run_alone(job: Job, start: Start, watch: Watch) -> Outcome:
    """Run one job in a process of its own."""
    begin = time.monotonic()
    suspects: list[Job] = []
    with suppress(_NoProcessesError), _Pool.open(start, 1) as pool:
        for outcome in pool.run(deque([job]), suspects, watch.begun):
            return outcome
    return Outcome(job, "failed", time.monotonic() - begin, killed(job))


class _NoProcessesError(Exception):
    """The system gives no processes, or none that can talk to each other: /dev/shm is read-only or full, say."""


@contextmanager
def _starting() -> Iterator[None]:
    """Turn whatever starting processes raises into one error: semaphores, pipes, processes, threads may be lacking."""
    try:
        yield
    except BrokenProcessPool:
        raise
    except (OSError, ImportError, NotImplementedError, RuntimeError) as error:
        raise _NoProcessesError(getattr(error, "strerror", None) or str(error)) from error


@dataclass(frozen=True, slots=True)
class _Pool:
    """Processes that wait for jobs."""

    executor: ProcessPoolExecutor
    start: Start
    n_workers: int

    @classmethod
    def open(cls, start: Start, n_workers: int) -> "_Pool":
        """Start the processes."""
        with _starting():
            _start_tracker()
            context = multiprocessing.get_context("spawn")
            executor = ProcessPoolExecutor(n_workers, mp_context=context, initializer=_begin_worker)
        return cls(executor, start, n_workers)

    def __enter__(self) -> "_Pool":
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        if kind is not None:
            _end_children()
        self.executor.shutdown(wait=True, cancel_futures=True)

    def run(self, waiting: deque[Job], suspects: list[Job], begun: Callable[[Job], None]) -> Iterator[Outcome]:
        """Yield outcomes until nothing is left or a process dies; then ``suspects`` are the jobs that were running.

        No more jobs are handed over than there are processes, so that few are under suspicion.
        """
        running: dict[Future[Outcome], Job] = {}
        while waiting or running:
            try:
                while waiting and len(running) < self.n_workers:
                    with _starting():
                        running[self.executor.submit(_do, self.start, waiting[0])] = waiting[0]
                    begun(waiting.popleft())
            except BrokenProcessPool:
                yield from _results_before_the_end(running, suspects)
                return
            except _NoProcessesError:
                yield from _results_before_the_end(running, suspects)
                raise
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                job = running.pop(future)
                if isinstance(future.exception(), BrokenProcessPool):
                    suspects.append(job)
                else:
                    yield future.result()
            if suspects:
                yield from _results_before_the_end(running, suspects)
                return


def _start_tracker() -> None:
    """Start the process of Python that counts semaphores, so that it outlives a closed terminal.

    Otherwise the end of the terminal ends it before this process, which would start another one that complains.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        resource_tracker.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _results_before_the_end(running: dict[Future[Outcome], Job], suspects: list[Job]) -> Iterator[Outcome]:
    """Yield what was finished before the processes died, and put the rest under suspicion."""
    wait(running)
    for future, job in running.items():
        if isinstance(future.exception(), BrokenProcessPool):
            suspects.append(job)
        else:
            yield future.result()


def _begin_worker() -> None:
    """Leave Ctrl-C and a closed terminal to the parent, and end when the parent says so or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_worker)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_worker(_number: int, _frame: Any) -> None:
    """Leave the work through all ``finally`` clauses, so that no temporary file stays."""
    raise SystemExit(143)


def _end_with_parent() -> None:
    """End this process when its parent was killed: nobody else would."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(143)


@cache
def _started(start: Start) -> Work:
    """Make this process ready for work, once."""
    return start()


def _start_and_work(start: Start, job: Job) -> Any:
    """Make ready if this is the first job of this process, then do it."""
    return _started(start)(job)


def _do(start: Start, job: Job) -> Outcome:
    """Do one job in a worker process; a failure to make ready is a failure of the job."""
    try:
        return attempt(partial(_start_and_work, start), job)
    except SystemExit:
        # The executor would take this for the result of the job and wait for the next one.
        os._exit(143)


def _end_children() -> None:
    """Ask all processes of the pool to end, and end those that do not within a few seconds."""
    children = multiprocessing.active_children()
    for child in children:
        child.terminate()
    deadline = time.monotonic() + _GRACE_S
    for child in children:
        child.join(max(0.0, deadline - time.monotonic()))
        if child.is_alive():
            child.kill()
