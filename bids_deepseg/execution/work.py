"""Do one job, and describe what it takes to do many; the parts that all ways of running jobs share."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bids_deepseg.execution.outcome import Failure, Job, Outcome, describe_failure

#: Turns a job into its product.
Work = Callable[[Job], Any]

#: Makes ready for work, in the process that will do it: loads networks, say. Hashable, and survives pickling.
Start = Callable[[], Work]


def _never(_outcome: Outcome) -> bool:
    """Go on, whatever happened."""
    return False


def _ignore(_job: Job) -> None:
    """Take no notice."""


@dataclass(frozen=True, slots=True)
class Watch:
    """What the caller wants to know and to decide while jobs are run.

    Attributes
    ----------
    begun : callable
        Called with each job when it is begun, from any thread.
    stop : callable
        Called with each outcome; when it returns true, no further job is begun.
    """

    begun: Callable[[Job], None] = _ignore
    stop: Callable[[Outcome], bool] = _never


def attempt(work: Work, job: Job) -> Outcome:
    """Do one job; whatever it raises becomes part of the outcome."""
    begin = time.monotonic()
    try:
        product = work(job)
    # One of the two places where all errors are caught; the other is the command line.
    except Exception as error:
        return Outcome(job, "failed", time.monotonic() - begin, describe_failure(error))
    return Outcome(job, "done", time.monotonic() - begin, product=product)


def run_here(jobs: Sequence[Job], start: Start, watch: Watch) -> Iterator[Outcome]:
    """Run the jobs in this process, one after the other."""
    work = start()
    for job in jobs:
        watch.begun(job)
        outcome = attempt(work, job)
        yield outcome
        if watch.stop(outcome):
            return


def killed(job: Job) -> Failure:
    """Describe the end of a process that was killed from outside."""
    return Failure(
        "killed",
        75,
        "BrokenProcessPool",
        f"The process that worked on {job.name} was killed, most often by the system for lack of memory. "
        "Give the run more memory.",
    )
