"""Find out how many processors and how much memory this process may use.

A machine's numbers are not those of a container or of a batch job, so the least of all limits counts. The files of the
Linux kernel are read below ``root``, which tests replace by a folder of their own.
"""

import logging
import os
import re
import resource
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)

#: A second thread for one image still pays well, a third does not.
_DEFAULT_THREADS = 2

_ROOT = Path("/")


@dataclass(frozen=True, slots=True)
class Allocation:
    """What a run uses.

    Attributes
    ----------
    n_cpus : int
        Processors of the whole run.
    omp_nthreads : int
        Threads for one image.
    n_workers : int
        Images at the same time.
    """

    n_cpus: int
    omp_nthreads: int
    n_workers: int


def allocate(
    *,
    n_cpus: int | None,
    omp_nthreads: int | None,
    cpus: int,
    memory: int | None,
    worker_bytes: int,
    most_workers: int | None = None,
) -> Allocation:
    """Divide the processors among workers, as far as the memory reaches.

    Parameters
    ----------
    n_cpus, omp_nthreads : int or None
        As demanded by the user, None for the default.
    cpus : int
        Processors that this process may use.
    memory : int or None
        Memory that may be used in bytes, None if unknown.
    worker_bytes : int
        Peak memory of one worker.
    most_workers : int or None
        Images at the same time at most.

    Returns
    -------
    Allocation
        At least one worker with one thread.
    """
    allowed = min(n_cpus or cpus, cpus)
    if n_cpus and n_cpus > allowed:
        logger.warning("%d processors were requested, but this process may use only %d.", n_cpus, allowed)
    threads = min(omp_nthreads or _DEFAULT_THREADS, allowed)
    if omp_nthreads and omp_nthreads > allowed:
        logger.warning(
            "%d threads per image were requested; lowered to %d, the number of processors.", omp_nthreads, allowed
        )
    workers = min(allowed // threads, most_workers or allowed)
    if memory is not None and workers > max(1, memory // worker_bytes):
        fitting = max(1, memory // worker_bytes)
        logger.warning(
            "%.1f GB of memory may be used, enough for %d images at the same time instead of %d.",
            memory / 1e9,
            fitting,
            workers,
        )
        workers = fitting
    return Allocation(allowed, threads, workers)


def usable_memory(demanded: int | None, free: int | None) -> int | None:
    """Return the memory that a run may use in bytes: what the user allows, and no more than is free.

    Parameters
    ----------
    demanded, free : int or None
        None for no limit, and if the system does not say.
    """
    if demanded is not None:
        logger.info("Memory of the run: %.2f GB.", demanded / 1e9)
    if demanded is not None and free is not None and demanded > free:
        logger.warning("--mem allows %.1f GB, but only %.1f GB are free.", demanded / 1e9, free / 1e9)
    return min((limit for limit in (demanded, free) if limit is not None), default=None)


def available_cpus(
    *,
    root: Path = _ROOT,
    environ: Mapping[str, str] | None = None,
    affinity: Callable[[], int] | None = None,
) -> int:
    """Return the number of processors that this process may use, at least 1.

    Parameters
    ----------
    root : Path
        Where ``proc`` and ``sys`` are.
    environ : mapping, optional
        Environment variables; those of the process by default.
    affinity : callable, optional
        Returns the number of processors that the scheduler allows.
    """
    environ = os.environ if environ is None else environ
    limits = [(affinity or _affinity)(), *_cgroup_cpus(root)]
    slurm = environ.get("SLURM_CPUS_PER_TASK", "")
    if re.fullmatch("0*[1-9][0-9]{0,8}", slurm):
        limits.append(int(slurm))
    return max(1, min(limits))


def available_memory(*, root: Path = _ROOT) -> int | None:
    """Return the memory that this process may use in bytes, None if the system does not say."""
    limits = [*_meminfo(root), *_cgroup_memory(root)]
    return min(limits) if limits else None


def memory_of_one(*, root: Path = _ROOT) -> int | None:
    """Return the memory that one process may use in bytes: also its own limits (``ulimit``) count."""
    limits = [*_meminfo(root), *_cgroup_memory(root), *_process_limits()]
    return min(limits) if limits else None


def _affinity() -> int:
    """Return the number of processors of the scheduler's mask, or of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cgroup_cpus(root: Path) -> Iterator[int]:
    """Yield the processor quotas of all control groups above this process, both versions."""
    for folder in _cgroup_folders(root, ""):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        yield from _quota(quota, period)
    for controller in ("cpu", "cpu,cpuacct"):
        for folder in _cgroup_folders(root, controller):
            yield from _quota(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _cgroup_memory(root: Path) -> Iterator[int]:
    """Yield the memory limits of all control groups above this process, both versions."""
    for controller, name in (("", "memory.max"), ("memory", "memory.limit_in_bytes")):
        for folder in _cgroup_folders(root, controller):
            text = _read(folder / name)
            # Version 1 says "unlimited" by a number close to 2**63.
            if text.isdigit() and int(text) < 2**60:
                yield int(text)


def _cgroup_folders(root: Path, controller: str) -> Iterator[Path]:
    """Yield the folders of this process's control group, from its own up to the root of the hierarchy."""
    base = root / "sys/fs/cgroup" / controller
    relative = ""
    for line in _read(root / "proc/self/cgroup").splitlines():
        _number, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if names == controller or (controller and controller in names.split(",")):
            relative = path.strip("/")
    parts = [part for part in relative.split("/") if part != ".."]
    for length in range(len(parts), 0, -1):
        yield base.joinpath(*parts[:length])
    yield base


def _quota(quota: str, period: str) -> Iterator[int]:
    """Yield the whole processors of a quota, nothing if there is no limit."""
    if quota.isdigit() and period.isdigit() and int(period) > 0:
        yield max(1, int(quota) // int(period))


def _meminfo(root: Path) -> Iterator[int]:
    """Yield the memory that the machine has free."""
    for line in _read(root / "proc/meminfo").splitlines():
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024


def _process_limits() -> Iterator[int]:
    """Yield the limits of the address space and of the data of this process (``ulimit``)."""
    for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA):
        soft, _hard = resource.getrlimit(kind)
        if soft != resource.RLIM_INFINITY:
            yield soft


def _read(path: Path) -> str:
    """Return the text of a file, empty if it cannot be read."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""
