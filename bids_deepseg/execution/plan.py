"""Decide which jobs to run.

Terms: the *states* of a job are words that its caller finds, for example ``missing``; a job without any is up to date.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from bids_deepseg.execution.outcome import Job

#: Word that stands for every state and for none.
ALL = "all"

#: States that a product may have which is up to date: it came out badly, and would do so again.
_SETTLED = frozenset({"failed"})


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Jobs of a run, in the order of their names.

    Attributes
    ----------
    todo : tuple of Job
        To be run.
    current : tuple of Job
        Done by an earlier run, with the same input, networks and settings.
    left_out : tuple of Job
        Neither: their states were not asked for.
    states : mapping of str to frozenset of str
        States by the name of the job.
    """

    todo: tuple[Job, ...]
    current: tuple[Job, ...]
    left_out: tuple[Job, ...]
    states: Mapping[str, frozenset[str]]

    @property
    def groups(self) -> tuple[str, ...]:
        """Groups of all jobs, sorted."""
        return tuple(sorted({job.group for job in (*self.todo, *self.current, *self.left_out)}))


def plan_jobs(
    jobs: Iterable[Job], *, states_of: Callable[[Job], frozenset[str]], rerun: Collection[str] = (ALL,)
) -> Plan:
    """Separate the jobs to run from those that need not run.

    Parameters
    ----------
    jobs : iterable of Job
        All jobs of the run, with unique names.
    states_of : callable
        Finds the states of a job.
    rerun : collection of str
        States of which a job to be run has at least one, or ``all``.

    Returns
    -------
    Plan
        Three parts, each sorted by name: jobs of a group follow each other.
    """
    ordered = sorted(jobs, key=lambda job: (job.group, job.name))
    names = [job.name for job in ordered]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise ValueError(f"Several jobs are named {', '.join(twice)}.")
    states = {job.name: states_of(job) for job in ordered}
    todo = {name for name in names if ALL in rerun or states[name] & set(rerun)}
    return Plan(
        todo=tuple(job for job in ordered if job.name in todo),
        current=tuple(job for job in ordered if job.name not in todo and states[job.name] <= _SETTLED),
        left_out=tuple(job for job in ordered if job.name not in todo and not states[job.name] <= _SETTLED),
        states=states,
    )
