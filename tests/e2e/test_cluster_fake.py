"""Runs on a Dask cluster of this machine, whose workers and scheduler are killed."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bids_deepseg.execution import Cluster, Job, Watch, run_jobs
from tests.helpers.fake_engine import files_of, summary_of, write_dataset
from tests.helpers.little_work import LittleWork

pytest.importorskip("distributed", reason="Dask is not installed: pip install '.[cluster]'")

from tests.helpers.dask_cluster import DaskCluster

ROOT = Path(__file__).parents[2]


def start(data, out, *words):
    command = [sys.executable, "-m", "tests.helpers.driver", "{}", data, out, "participant", "group"]
    return subprocess.Popen(
        [*map(str, command), "--skip-bids-validation", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def contents(folder):
    return {name: content for name, (content, _moment) in files_of(folder).items()}


def wait_for_masks(out, number, process):
    until = time.monotonic() + 120
    while len(list(out.rglob("*_mask.json"))) < number and process.poll() is None:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_killed_workers_and_a_restarted_scheduler_leave_the_tree_of_a_serial_run(tmp_path):
    data = write_dataset(tmp_path / "in", *(f"sub-{n:02d}/anat/sub-{n:02d}_T2w" for n in range(16)))
    serial = start(data, tmp_path / "serial", "--n-cpus", "1")
    serial.communicate()
    rng, out = np.random.default_rng(time.time_ns()), tmp_path / "out"
    with DaskCluster(tmp_path, 4) as cluster:
        run = start(data, out, "--dask-scheduler", str(cluster.file))
        for number in (2, 5):
            wait_for_masks(out, number, run)
            cluster.kill_worker(rng)
        wait_for_masks(out, 8, run)
        cluster.restart()
        text, told = run.communicate()
    assert run.returncode == 0, told
    assert summary_of(text)["done"] == 16
    # Nothing of the library's own reaches the terminal.
    assert "distributed" not in told
    assert contents(out) == contents(tmp_path / "serial")


def test_jobs_on_a_cluster(tmp_path):
    trace, begun = tmp_path / "trace", []
    trace.mkdir()
    jobs = [Job("a", "g"), Job("b", "g", "raise"), Job("c", "g", "kill"), *(Job(f"d{n}", "g") for n in range(6))]
    with DaskCluster(tmp_path, 2) as cluster:
        place = Cluster(cluster.address, (tmp_path,))
        work = LittleWork(trace)
        outcomes = {
            o.job.name: o for o in run_jobs(jobs, work, cluster=place, watch=Watch(lambda job: begun.append(job.name)))
        }
        stopped = list(run_jobs(jobs[3:], work, cluster=place, watch=Watch(stop=lambda _: True)))
    assert outcomes.keys() == {job.name for job in jobs}
    assert outcomes["a"].product[0] == "A"
    assert (outcomes["b"].error.status, outcomes["b"].error.exit_code) == ("bad-image", 65)
    # Among others, and once more alone.
    assert (outcomes["c"].error.status, outcomes["c"].error.exit_code) == ("killed", 75)
    assert work.count("c") == 2
    assert all(outcomes[f"d{n}"].product[0] == f"D{n}" for n in range(6))
    # A word that comes after the end of its job is not passed on.
    assert begun
    assert set(begun) <= {job.name for job in jobs}
    assert len(stopped) == 1
