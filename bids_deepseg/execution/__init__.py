"""Run jobs on the processors of one machine or of a cluster; what a job does is not known here.

Terms: a *job* is a name with a payload; *work* is the function that turns a job into a *product*; an *outcome* says how
that ended. A failure of one job is an outcome like any other, never an exception.
"""

from bids_deepseg.execution.cluster import Cluster
from bids_deepseg.execution.outcome import Failure, Job, Outcome
from bids_deepseg.execution.plan import Plan, plan_jobs
from bids_deepseg.execution.resources import Allocation, allocate, available_cpus, available_memory, usable_memory
from bids_deepseg.execution.run import run_jobs
from bids_deepseg.execution.work import Watch

__all__ = [
    "Allocation",
    "Cluster",
    "Failure",
    "Job",
    "Outcome",
    "Plan",
    "Watch",
    "allocate",
    "available_cpus",
    "available_memory",
    "plan_jobs",
    "run_jobs",
    "usable_memory",
]
