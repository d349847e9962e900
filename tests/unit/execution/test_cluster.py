"""What is done around Dask: reaching the scheduler, checking the workers, waiting for a slow drive."""

import importlib.util
import os
import threading
from types import SimpleNamespace

import pytest

from bids_deepseg.app.participant import image_job
from bids_deepseg.app.participant.image_job import await_result, identity_of
from bids_deepseg.cli import main as cli
from bids_deepseg.errors import ClusterError
from bids_deepseg.execution import Cluster, Job, Outcome, cluster, remote, run_jobs
from bids_deepseg.execution.outcome import Failure
from bids_deepseg.execution.remote import Setup
from bids_deepseg.options.parsing import parse_arguments
from bids_deepseg.options.run import with_absolute_paths
from tests.helpers.fake_engine import summary_of, write_dataset
from tests.helpers.little_work import LittleWork


@pytest.fixture
def prepare(monkeypatch):
    """Return the preparation of a worker, and take back what it sets."""
    before = dict(os.environ)
    remote._prepare.cache_clear()
    patient = remote.wait_for
    monkeypatch.setattr(remote, "wait_for", lambda condition: patient(condition, 0.5))
    yield remote._prepare
    remote._prepare.cache_clear()
    os.environ.clear()
    os.environ.update(before)


# ---- the way to the scheduler ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheduler", ["tcp://127.0.0.1:1", "no/such/file.json"])
def test_a_scheduler_that_is_not_there_is_named_with_what_to_do(tmp_path, monkeypatch, scheduler):
    pytest.importorskip("distributed", reason="Dask is not installed")
    monkeypatch.setattr(cluster, "_TRY_S", 0.5)
    with pytest.raises(ClusterError, match=f"{scheduler} cannot be reached.*tcp://host:8786"):
        list(run_jobs([Job("a", "g")], LittleWork(tmp_path), cluster=Cluster(scheduler, first_patience_s=0.0)))


def test_a_run_without_dask_ends_before_anything_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")
    code = cli.main([str(data), str(tmp_path / "out"), "participant", "--dask-scheduler", "tcp://h:8786"])
    out, err = capsys.readouterr()
    assert (code, summary_of(out)["exit"]) == (64, 64)
    assert "pip install 'bids_deepseg[cluster]'" in err
    assert not (tmp_path / "out").exists()


def test_nothing_of_dask_is_loaded_without_a_cluster():
    assert importlib.util.find_spec("bids_deepseg.execution.cluster")
    assert "distributed" not in vars(cluster)


def test_on_a_cluster_every_path_begins_at_the_root(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corrections").mkdir()
    (tmp_path / "levels").mkdir()
    words = [
        "in",
        "out",
        "participant",
        "--corrections",
        "corrections",
        "-d",
        "levels",
        "--dask-scheduler",
        "tcp://h:8786",
    ]
    options = with_absolute_paths(parse_arguments(words, {}))
    assert (options.bids_dir, options.output_dir) == (tmp_path / "in", tmp_path / "out")
    assert options.settings.corrections == tmp_path / "corrections"
    assert [path for _name, path in options.derivatives] == [tmp_path / "levels"]


# ---- workers --------------------------------------------------------------------------------------------------------


def test_a_worker_of_another_version_is_refused(prepare, tmp_path):
    with pytest.raises(ClusterError, match=r"bids_deepseg .*, but the run is one of 0\.0\.0"):
        prepare(Setup("0.0.0", (), (), "topic"), tmp_path)


def test_a_worker_that_does_not_see_the_drive_is_refused(prepare, tmp_path):
    setup = Setup.here((tmp_path / "logs",))
    with pytest.raises(ClusterError, match=r"does not see .*logs"):
        prepare(setup, tmp_path)


def test_a_worker_waits_for_a_slow_drive(prepare, tmp_path):
    threading.Timer(0.2, (tmp_path / "logs").mkdir).start()
    prepare(Setup.here((tmp_path / "logs",)), tmp_path)
    assert (tmp_path / "logs").exists()


def test_workers_share_threads_and_backend_but_no_folder_and_no_choice_of_a_gpu(prepare, tmp_path):
    environ = {"OMP_NUM_THREADS": "3", "KERAS_BACKEND": "x", "TMPDIR": "/t", "CUDA_VISIBLE_DEVICES": "2"}
    setup = Setup.here((), environ)
    assert dict(setup.environ) == {"OMP_NUM_THREADS": "3", "KERAS_BACKEND": "x"}
    assert dict(Setup.here((), {"CUDA_VISIBLE_DEVICES": "-1"}).environ) == {"CUDA_VISIBLE_DEVICES": "-1"}
    prepare(setup, tmp_path)
    assert os.environ["OMP_NUM_THREADS"] == "3"
    assert os.environ["KERAS_HOME"] == str(tmp_path / "keras_home")


# ---- results on a slow drive ----------------------------------------------------------------------------------------


def outcome(identity="", error=None):
    image = SimpleNamespace(key="sub-01_T2w.nii.gz")
    job = Job("a", "g", SimpleNamespace(image=image))
    product = None if error else SimpleNamespace(identity=identity)
    return Outcome(job, "failed" if error else "done", 0.0, error, product)


def show(monkeypatch, *sidecars):
    """Let the drive show one state after the other."""
    states = iter(sidecars)
    last = [None]

    def read(image, output_dir):
        last[0] = next(states, last[0])
        return last[0] and SimpleNamespace(sidecar=last[0])

    monkeypatch.setattr(image_job, "read_saved", read)


OLD, NEW = {"ConfigHash": "a", "SourceFingerprint": {"Size": 1}}, {"ConfigHash": "a", "SourceFingerprint": {"Size": 2}}
IDENTITY = identity_of("a", {"Size": 2})


def test_a_result_is_waited_for_until_this_machine_sees_it_and_not_an_older_one(monkeypatch, tmp_path):
    show(monkeypatch, None, OLD, NEW)
    await_result(tmp_path, outcome(IDENTITY), patience_s=30.0)
    assert image_job.read_saved(None, tmp_path).sidecar == NEW


@pytest.mark.parametrize("state", [None, OLD])
def test_a_result_that_never_appears_ends_the_run(monkeypatch, tmp_path, state):
    show(monkeypatch, state)
    with pytest.raises(ClusterError, match="does not see it"):
        await_result(tmp_path, outcome(IDENTITY), patience_s=0.3)


def test_a_failure_is_not_waited_for(tmp_path):
    await_result(tmp_path, outcome(error=Failure("killed", 75, "x", "y")), patience_s=0.0)
