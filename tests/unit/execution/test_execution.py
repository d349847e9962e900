"""Jobs, outcomes, plans, resources, and the process pool with jobs that fail, raise and are killed."""

import errno
import os
import pickle
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from bids_deepseg.errors import CordNotFoundError, ImageError, MemoryBudgetError, error_context
from bids_deepseg.execution import Job, Outcome, Watch, allocate, available_cpus, available_memory, plan_jobs, run_jobs
from bids_deepseg.execution.outcome import describe_failure

GB = 1_000_000_000


# ---- outcomes -------------------------------------------------------------------------------------------------------


def raised(error, stage=None):
    try:
        with error_context(stage=stage):
            raise error
    except type(error) as caught:
        return describe_failure(caught)


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (ImageError("no image"), "bad-image", 65),
        (CordNotFoundError("no cord"), "cord-not-found", 1),
        (MemoryBudgetError("too large"), "out-of-memory", 75),
        (MemoryError("malloc"), "out-of-memory", 75),
        (OSError(errno.ENOSPC, "No space left on device"), "cannot-write", 74),
        (KeyError("x"), "unexpected-error", 70),
    ],
)
def test_failures_keep_the_code_of_their_cause(error, status, code):
    failure = raised(error)
    assert (failure.status, failure.exit_code) == (status, code)
    assert failure.is_expected == (code != 70)


def test_a_failure_tells_the_stage_and_survives_pickling():
    failure = raised(ImageError("The image is flat."), stage="read")
    assert failure.stage == "read"
    assert pickle.loads(pickle.dumps(failure)) == failure
    assert "The image is flat." in failure.traceback


def test_an_error_without_text_is_named_by_its_class():
    assert "AssertionError" in raised(AssertionError()).message


def test_an_outcome_has_an_error_exactly_when_it_failed():
    failure = raised(ImageError("x"))
    with pytest.raises(ValueError, match="status is 'done'"):
        Outcome(Job("a", "g"), "done", 0.0, failure)
    with pytest.raises(ValueError, match="status is 'failed'"):
        Outcome(Job("a", "g"), "failed", 0.0)


# ---- plan -----------------------------------------------------------------------------------------------------------


MISSING = frozenset({"missing"})


def jobs_named(*names):
    return [Job(name, name[0]) for name in names]


def test_a_plan_leaves_out_what_is_current_and_keeps_groups_together():
    plan = plan_jobs(
        jobs_named("b1", "a2", "a1", "b0"),
        states_of=lambda job: frozenset() if job.name == "a1" else MISSING,
        rerun=("missing",),
    )
    assert [job.name for job in plan.todo] == ["a2", "b0", "b1"]
    assert [job.name for job in plan.current] == ["a1"]
    assert plan.groups == ("a", "b")


def test_rerun_all_runs_everything():
    plan = plan_jobs(jobs_named("a1", "a2"), states_of=lambda job: frozenset(), rerun=("all",))
    assert [job.name for job in plan.todo] == ["a1", "a2"]
    assert plan.current == ()


def test_two_jobs_of_one_name_are_refused():
    with pytest.raises(ValueError, match="Several jobs are named a1"):
        plan_jobs(jobs_named("a1", "a2", "a1"), states_of=lambda job: MISSING)


# ---- resources ------------------------------------------------------------------------------------------------------


def write(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("DOT", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def cpus(root, environ=None, affinity=16):
    return available_cpus(root=root, environ=environ or {}, affinity=lambda: affinity)


def test_without_any_limit_the_affinity_counts(tmp_path):
    assert cpus(tmp_path) == 16


def test_slurm_limits_the_processors(tmp_path):
    assert cpus(tmp_path, {"SLURM_CPUS_PER_TASK": "4"}) == 4
    assert cpus(tmp_path, {"SLURM_CPUS_PER_TASK": "many"}) == 16


@pytest.mark.parametrize(("quota", "expected"), [("max 100000", 16), ("150000 100000", 1), ("50000 100000", 1)])
def test_cgroup_v2_quota(tmp_path, quota, expected):
    write(tmp_path, sys__fs__cgroup__cpuDOTmax=quota, proc__self__cgroup="0::/")
    assert cpus(tmp_path) == expected


def test_cgroup_v2_quota_of_a_group_above(tmp_path):
    write(tmp_path, sys__fs__cgroup__job__cpuDOTmax="300000 100000", proc__self__cgroup="0::/job/step")
    write(tmp_path, sys__fs__cgroup__job__step__cpuDOTmax="max 100000")
    assert cpus(tmp_path) == 3


def test_cgroup_v1_quota(tmp_path):
    write(tmp_path, proc__self__cgroup="4:cpu,cpuacct:/docker/abc\n3:memory:/docker/abc\n")
    folder = "sys__fs__cgroup__cpu__"
    write(tmp_path, **{f"{folder}cpuDOTcfs_quota_us": "200000", f"{folder}cpuDOTcfs_period_us": "100000"})
    assert cpus(tmp_path) == 2
    write(tmp_path, **{f"{folder}cpuDOTcfs_quota_us": "-1"})
    assert cpus(tmp_path) == 16


def test_memory_is_the_least_of_all_limits(tmp_path):
    assert available_memory(root=tmp_path) is None
    write(tmp_path, proc__meminfo="MemTotal: 9999999 kB\nMemAvailable: 8000000 kB\n")
    assert available_memory(root=tmp_path) == 8000000 * 1024
    write(tmp_path, sys__fs__cgroup__memoryDOTmax="3000000000", proc__self__cgroup="0::/")
    assert available_memory(root=tmp_path) == 3 * GB


def test_cgroup_v1_memory_and_its_word_for_unlimited(tmp_path):
    write(tmp_path, proc__self__cgroup="4:memory:/slurm/job1\n")
    write(tmp_path, sys__fs__cgroup__memory__slurm__job1__memoryDOTlimit_in_bytes="2000000000")
    write(tmp_path, sys__fs__cgroup__memory__memoryDOTlimit_in_bytes="9223372036854771712")
    assert available_memory(root=tmp_path) == 2 * GB


def test_the_real_machine_has_at_least_one_processor():
    assert 1 <= available_cpus() <= (os.cpu_count() or 1)


WORKER_BYTES = 10**9


def numbers(**given):
    usual = {"n_cpus": None, "omp_nthreads": None, "cpus": 8, "memory": None, "worker_bytes": WORKER_BYTES}
    allocation = allocate(**usual | given)
    return allocation.n_cpus, allocation.omp_nthreads, allocation.n_workers


def test_workers_share_the_processors():
    assert numbers() == (8, 2, 4)
    assert numbers(n_cpus=4) == (4, 2, 2)
    assert numbers(n_cpus=5, omp_nthreads=3) == (5, 3, 1)
    assert numbers(cpus=1) == (1, 1, 1)


def test_more_than_there_is_is_lowered_with_a_warning(caplog):
    assert numbers(n_cpus=64, omp_nthreads=32) == (8, 8, 1)
    assert "64 processors were requested, but this process may use only 8" in caplog.text
    assert "lowered to 8" in caplog.text


def test_memory_limits_the_workers_but_never_below_one(caplog):
    assert numbers(memory=int(2.5 * WORKER_BYTES)) == (8, 2, 2)
    assert "enough for 2 images at the same time instead of 4" in caplog.text
    assert numbers(memory=1) == (8, 2, 1)


# ---- running --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Start:
    """Make ready by writing a file; then do what the payload says."""

    folder: Path
    fails: bool = False

    def __call__(self):
        (self.folder / f"started-{os.getpid()}-{time.monotonic_ns()}").touch()
        if self.fails:
            raise ImageError("not ready")
        return self.work

    def work(self, job):
        if job.payload == "raise":
            raise ImageError(f"{job.name} is bad")
        if job.payload == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if job.payload == "slow":
            time.sleep(1)
        return job.name.upper()

    @property
    def n_starts(self):
        return len(list(self.folder.glob("started-*")))


def ends(outcomes):
    return {o.job.name: o.error.status if o.error else o.product for o in outcomes}


@pytest.mark.parametrize("n_workers", [1, 2])
def test_a_failure_does_not_stop_the_others_and_each_process_starts_once(tmp_path, n_workers):
    start = Start(tmp_path)
    jobs = [Job("a", "g"), Job("b", "g", "raise"), Job("c", "g"), Job("d", "g")]
    assert ends(run_jobs(jobs, start, n_workers=n_workers)) == {"a": "A", "b": "bad-image", "c": "C", "d": "D"}
    assert 1 <= start.n_starts <= n_workers


def test_no_jobs_start_nothing(tmp_path):
    start = Start(tmp_path)
    assert list(run_jobs([], start, n_workers=2)) == []
    assert start.n_starts == 0


def test_stop_begins_no_further_job(tmp_path):
    jobs = [Job("a", "g", "raise"), Job("b", "g"), Job("c", "g")]
    outcomes = list(run_jobs(jobs, Start(tmp_path), watch=Watch(stop=lambda o: o.status == "failed")))
    assert ends(outcomes) == {"a": "bad-image"}


def test_stop_lets_running_jobs_of_a_pool_end(tmp_path):
    jobs = [Job(name, "g", "raise") for name in "abcdef"]
    outcomes = list(run_jobs(jobs, Start(tmp_path), n_workers=2, watch=Watch(stop=lambda o: o.status == "failed")))
    assert 1 <= len(outcomes) <= 2


def test_a_killed_process_costs_its_own_job_only(tmp_path):
    # The slow job is running when its neighbour is killed: it is under suspicion too, and innocent.
    jobs = [Job("a", "g"), Job("b", "g", "slow"), Job("c", "g", "kill"), Job("d", "g"), Job("e", "g")]
    outcomes = list(run_jobs(jobs, Start(tmp_path), n_workers=2))
    assert ends(outcomes) == {"a": "A", "b": "B", "c": "killed", "d": "D", "e": "E"}
    (killed,) = [o.error for o in outcomes if o.error]
    assert killed.exit_code == 75
    assert "lack of memory" in killed.message


def test_where_memory_is_scarce_one_process_is_killed_apart_from_this_one(tmp_path):
    jobs = [Job("a", "g"), Job("b", "g", "kill"), Job("c", "g")]
    outcomes = list(run_jobs(jobs, Start(tmp_path), n_workers=1, apart=True))
    assert ends(outcomes) == {"a": "A", "b": "killed", "c": "C"}
    assert {o.error.exit_code for o in outcomes if o.error} == {75}


def test_a_pool_that_cannot_start_fails_its_jobs_with_the_reason(tmp_path):
    outcomes = list(run_jobs([Job("a", "g"), Job("b", "g")], Start(tmp_path, fails=True), n_workers=2))
    assert {o.error.message for o in outcomes} == {"not ready"}


def test_closing_the_stream_ends_the_processes(tmp_path):
    stream = run_jobs([Job(name, "g") for name in "abcdefgh"], Start(tmp_path), n_workers=2)
    next(stream)
    begin = time.monotonic()
    stream.close()
    assert time.monotonic() - begin < 10
