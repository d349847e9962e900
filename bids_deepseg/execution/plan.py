"""Decide which jobs are to be run and which are already done."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from bids_deepseg.execution.outcome import Job

Rerun = Literal["missing", "all"]


@dataclass(frozen=True, slots=True)
class Plan:
    """Jobs of a run, in the order of their names.

    Attributes
    ----------
    todo : tuple of Job
        To be run.
    current : tuple of Job
        Done by an earlier run, with the same input, networks and settings.
    """

    todo: tuple[Job, ...]
    current: tuple[Job, ...]

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of all jobs, sorted."""
        return tuple(sorted({job.group for job in (*self.todo, *self.current)}))


def plan_jobs(jobs: Iterable[Job], *, is_current: Callable[[Job], bool], rerun: Rerun = "missing") -> Plan:
    """Separate the jobs that are to be run from those that need not be.

    Parameters
    ----------
    jobs : iterable of Job
        All jobs of the run, with unique names.
    is_current : callable
        Tells whether the product of a job exists and is up to date.
    rerun : {"missing", "all"}
        ``all`` runs every job again.

    Returns
    -------
    Plan
        Both parts, each sorted by name: jobs of a group follow each other.
    """
    ordered = sorted(jobs, key=lambda job: (job.group, job.name))
    names = [job.name for job in ordered]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise ValueError(f"Several jobs are named {', '.join(twice)}.")
    if rerun == "all":
        return Plan(tuple(ordered), ())
    current = {job.name for job in ordered if is_current(job)}
    return Plan(
        tuple(job for job in ordered if job.name not in current),
        tuple(job for job in ordered if job.name in current),
    )
