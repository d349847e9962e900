"""A system that gives too little: no semaphores, no processes, no memory."""

import errno
import logging
import multiprocessing.process
import os
import resource
import signal
from dataclasses import dataclass

import pytest

from bids_deepseg.execution import Job, Watch, pool, run_jobs
from bids_deepseg.execution.outcome import describe_failure
from bids_deepseg.execution.resources import available_cpus, memory_of_one


@dataclass(frozen=True)
class Start:
    """Say in which process a job was done."""

    def __call__(self):
        return lambda job: (job.name, os.getpid())


JOBS = [Job(name, "g") for name in "abcd"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.EROFS, "Read-only file system"),
        OSError(errno.ENOSPC, "No space left on device"),
        PermissionError(errno.EACCES, "Permission denied"),
        FileNotFoundError(errno.ENOENT, "No such file or directory"),
        ImportError("This platform lacks a functioning sem_open implementation"),
        NotImplementedError("system provides too few semaphores"),
    ],
)
def test_without_semaphores_jobs_are_done_one_after_the_other_with_one_warning(monkeypatch, caplog, error):
    def fail(*_args, **_more):
        raise error

    monkeypatch.setattr(pool, "ProcessPoolExecutor", fail)
    with caplog.at_level(logging.WARNING):
        outcomes = list(run_jobs(JOBS, Start(), n_workers=2))
    assert [outcome.product for outcome in outcomes] == [(job.name, os.getpid()) for job in JOBS]
    assert len(caplog.records) == 1
    assert "One after the other" in caplog.text
    assert "--n-cpus 1" in caplog.text


@pytest.mark.parametrize("n_allowed", [0, 1])
def test_without_further_processes_every_job_is_done_once(monkeypatch, caplog, n_allowed):
    """The first process may be the last one that the system gives."""
    begin, count = multiprocessing.process.BaseProcess.start, [0]

    def start(self):
        count[0] += 1
        if count[0] > n_allowed:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        begin(self)

    monkeypatch.setattr(multiprocessing.process.BaseProcess, "start", start)
    outcomes = list(run_jobs(JOBS, Start(), n_workers=2))
    assert sorted(outcome.product[0] for outcome in outcomes) == ["a", "b", "c", "d"]
    assert caplog.text.count("One after the other") == 1


def test_stop_holds_without_processes_too(monkeypatch):
    def fail(*_args, **_more):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(pool, "ProcessPoolExecutor", fail)
    assert len(list(run_jobs(JOBS, Start(), n_workers=2, watch=Watch(stop=lambda outcome: True)))) == 1


def test_workers_leave_a_closed_terminal_to_the_parent():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM)}
    try:
        pool._begin_worker()
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (MemoryError(), 75),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 75),
        (ImportError("libx.so: failed to map segment from shared object"), 75),
        (RuntimeError("can't start new thread"), 75),
        (type("ResourceExhaustedError", (Exception,), {})("OOM"), 75),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), 74),
        (OSError(errno.EFBIG, "File too large"), 74),
        (RuntimeError("a bug"), 70),
        (ImportError("No module named x"), 70),
    ],
)
def test_what_the_system_does_not_give_is_no_fault_of_the_program(error, code):
    failure = describe_failure(error, record="the lines above")
    assert failure.exit_code == code
    assert ("report it with the lines above" in failure.message) == (code == 70)


@pytest.mark.parametrize("text", ["²", "٤", "1_0", "", "-1", "0", "9" * 400])
def test_only_a_number_limits_the_processors(tmp_path, text):
    assert available_cpus(root=tmp_path, environ={"SLURM_CPUS_PER_TASK": text}, affinity=lambda: 8) == 8


def test_the_limits_of_the_process_count_for_one_image(tmp_path, monkeypatch):
    assert memory_of_one(root=tmp_path) is None or resource.getrlimit(resource.RLIMIT_AS)[0] > 0
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (5_000_000_000, resource.RLIM_INFINITY))
    assert memory_of_one(root=tmp_path) == 5_000_000_000
