"""The whole app on small images, with simple functions in place of the networks."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bids_deepseg.app.participant import report as subject_report
from bids_deepseg.cli import main as cli
from bids_deepseg.execution import resources
from tests.helpers.fake_engine import FakeEngine, cord, files_of, summary_of, write_dataset, write_nifti

ROOT = Path(__file__).parents[2]
OPTIONS = ("--skip-bids-validation", "-q")


@pytest.fixture
def engine(tmp_path):
    (tmp_path / "trace").mkdir()
    return FakeEngine(tmp_path / "trace")


@pytest.fixture
def run(capsys):
    """Return a function that runs the app in this process and returns code, error text and summary."""

    def run(*words, engine=None, levels=("participant",), options=OPTIONS):
        words = [*words[:2], *levels, *words[2:], *options]
        code = cli.main([str(word) for word in words], engine=engine or FakeEngine())
        out, err = capsys.readouterr()
        return code, err, summary_of(out)

    return run


def start(*words, engine=None, options=OPTIONS, **more):
    """Start the app in a process of its own."""
    settings = json.dumps({"engine": engine or {}})
    command = [sys.executable, "-m", "tests.helpers.driver", settings, *map(str, words), "participant", *options]
    return subprocess.Popen(
        [*more.pop("before", []), *command],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **more,
    )


def contents(folder):
    return {name: content for name, (content, _) in files_of(folder).items()}


# ---- bad images beside good ones ------------------------------------------------------------------------------------


def test_an_image_that_is_repaired_loses_its_failure(run, tmp_path):
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w", "sub-02/anat/sub-02_T2w")
    path = data / "sub-02" / "anat" / "sub-02_T2w.nii.gz"
    good = path.read_bytes()
    path.write_bytes(b"")
    assert run(data, tmp_path / "out", levels=("participant", "group"))[0] == 65
    path.write_bytes(good)
    code, _, summary = run(data, tmp_path / "out", levels=("participant", "group"))
    assert (code, summary["done"], summary["skipped"]) == (0, 1, 1)
    clean = tmp_path / "clean"
    run(data, clean, levels=("participant", "group"))
    assert contents(tmp_path / "out") == contents(clean)


def test_a18_images_whose_results_would_share_a_name_are_refused(run, tmp_path):
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w", "sub-01/anat/sub-01_flip-1_mt-on_MTS")
    shutil.copy(data / "sub-01/anat/sub-01_flip-1_mt-on_MTS.nii.gz", data / "sub-01/anat/sub-01_flip-1mton_MTS.nii.gz")
    code, err, summary = run(data, tmp_path / "out")
    assert (code, summary["done"], summary["failed"]) == (65, 1, 2)
    assert "same name" in err


# ---- resume ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def two(tmp_path):
    return write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w", "sub-02/anat/sub-02_T2w")


def test_what_changed_is_segmented_again(run, two, tmp_path, engine):
    run(two, tmp_path / "out", engine=engine)
    write_nifti(two / "sub-02" / "anat" / "sub-02_T2w.nii.gz", cord(radius_mm=4.0))
    assert run(two, tmp_path / "out", engine=engine)[2]["done"] == 1
    newer = FakeEngine(engine.trace, version="1")
    assert run(two, tmp_path / "out", engine=newer)[2]["done"] == 2
    assert run(two, tmp_path / "out", "--contrast", "t1", engine=newer)[2]["done"] == 2
    assert run(two, tmp_path / "out", "--contrast", "t1", "--rerun", "all", engine=newer)[2]["done"] == 2
    (next((tmp_path / "out" / "sub-01").rglob("*_probseg.nii.gz"))).unlink()
    assert run(two, tmp_path / "out", "--contrast", "t1", engine=newer)[2]["done"] == 1


def test_rerun_all_gives_the_same_bytes(run, two, tmp_path):
    run(two, tmp_path / "out")
    before = contents(tmp_path / "out")
    run(two, tmp_path / "out", "--rerun", "all")
    assert contents(tmp_path / "out") == before


def test_a_result_that_must_not_be_used_fails_again(run, tmp_path):
    data = write_dataset(tmp_path / "in")
    write_nifti(data / "sub-01" / "anat" / "sub-01_T2w.nii.gz", cord((60, 60, 8), radius_mm=9.0))
    for expected in ("the first time", "the second time"):
        code, err, summary = run(data, tmp_path / "out")
        assert (code, summary["failed"], summary["done"]) == (1, 1, 0), expected
        assert "fail" in err
    assert list((tmp_path / "out").rglob("*_label-SC_desc-*_mask.nii.gz"))


def test_stop_on_first_crash_leaves_the_others(run, two, tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "_affinity", lambda: 1)
    (two / "sub-01" / "anat" / "sub-01_T2w.nii.gz").write_bytes(b"")
    code, err, summary = run(two, tmp_path / "out", "--stop-on-first-crash")
    assert (code, summary["failed"], summary["done"]) == (65, 1, 0)
    assert "Not started after the first failure: 1" in err


# ---- reports --------------------------------------------------------------------------------------------------------


def test_a_report_shows_the_results_of_all_runs(run, tmp_path):
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T1w", "sub-01/anat/sub-01_T2w")
    run(data, tmp_path / "out", "--suffix", "T1w")
    run(data, tmp_path / "out", "--suffix", "T2w")
    run(data, tmp_path / "clean")
    page = (tmp_path / "out" / "sub-01.html").read_text()
    assert "sub-01_T1w.nii.gz" in page
    assert page == (tmp_path / "clean" / "sub-01.html").read_text()


@pytest.mark.parametrize("how", ["empty", "zeros", "half", "begin", "longer"])
def test_a_report_that_is_missing_or_damaged_is_written_again(run, two, tmp_path, how):
    run(two, tmp_path / "out")
    before = contents(tmp_path / "out")
    page = tmp_path / "out" / "sub-01.html"
    content = page.read_bytes()
    half = content[: len(content) // 2]
    damaged = {"empty": b"", "zeros": bytes(99), "half": half, "begin": content[:20], "longer": content + half}
    page.write_bytes(damaged[how])
    (tmp_path / "out" / "sub-02.html").unlink()
    assert run(two, tmp_path / "out")[2]["skipped"] == 2
    assert contents(tmp_path / "out") == before


def test_a_report_that_cannot_be_drawn_stops_nothing_and_is_no_success(run, two, tmp_path, monkeypatch):
    draw = subject_report.render_participant

    def draw_all_but_one(subject, images, **more):
        return draw(subject, images, **more) if subject != "01" else 1 / 0

    monkeypatch.setattr(subject_report, "render_participant", draw_all_but_one)
    code, err, summary = run(two, tmp_path / "out")
    assert (code, summary["done"]) == (70, 2)
    assert "The report sub-01.html could not be written" in err
    assert (tmp_path / "out" / "sub-02.html").exists()
    assert (tmp_path / "out" / "participants.tsv").exists()


def test_a_damaged_image_loses_its_old_result_until_it_is_put_back(run, two, tmp_path):
    run(two, tmp_path / "out", levels=("participant", "group"))
    before = contents(tmp_path / "out")
    path = two / "sub-02" / "anat" / "sub-02_T2w.nii.gz"
    good = path.read_bytes()
    path.write_bytes(good[:1000])
    assert run(two, tmp_path / "out", levels=("participant", "group"))[0] == 65
    # The old mask does not describe the file as it is now: nobody may take it for its result.
    assert not list((tmp_path / "out" / "sub-02").rglob("*.nii.gz"))
    path.write_bytes(good)
    code, _, summary = run(two, tmp_path / "out", levels=("participant", "group"))
    assert (code, summary["done"], summary["skipped"]) == (0, 1, 1)
    assert contents(tmp_path / "out") == before
    assert not list((tmp_path / "out" / "logs" / "failed").iterdir())


# ---- processes ------------------------------------------------------------------------------------------------------


@pytest.fixture
def four(tmp_path):
    names = [f"sub-{n:02d}/anat/sub-{n:02d}_T2w" for n in range(1, 5)]
    return write_dataset(tmp_path / "in", *names)


PARALLEL = ("--n-cpus", "2", "--omp-nthreads", "1")


def test_several_processes_give_the_same_files_as_one(run, four, tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "_affinity", lambda: 2)
    assert run(four, tmp_path / "one", "--n-cpus", "1")[2]["done"] == 4
    code, _, summary = run(four, tmp_path / "two", *PARALLEL)
    assert (code, summary["done"]) == (0, 4)
    assert contents(tmp_path / "two") == contents(tmp_path / "one")
    assert list(Path(summary["log"]).glob("run-*.log"))


def test_a_killed_process_fails_its_image_only(run, four, tmp_path, monkeypatch):
    monkeypatch.setattr(resources, "_affinity", lambda: 2)
    write_nifti(four / "sub-02" / "anat" / "sub-02_T2w.nii.gz", cord((41, 40, 8)))
    code, err, summary = run(four, tmp_path / "out", *PARALLEL, engine=FakeEngine(kill_size=41))
    assert (code, summary["done"], summary["failed"]) == (75, 3, 1)
    assert "sub-02" in err
    assert "Give the run more memory" in err


def is_one_counted(out):
    """Return whether the log of a run tells of its first image."""
    return any('"[1/' in log.read_text(encoding="utf-8") for log in out.glob("logs/*/run.log"))


@pytest.mark.parametrize(
    ("number", "code", "parallel"),
    [(signal.SIGTERM, 143, ()), (signal.SIGINT, 130, ()), (signal.SIGTERM, 143, PARALLEL)],
)
def test_a06_exit_143_and_130_a_signal_ends_the_run_within_seconds_and_leaves_nothing_half_done(
    run, four, tmp_path, engine, number, code, parallel
):
    # Both workers of the pool are busy with slow images when the signal comes.
    for label in ("02", "03"):
        write_nifti(four / f"sub-{label}" / "anat" / f"sub-{label}_T2w.nii.gz", cord((41, 40, 8)))
    settings = {"trace": str(engine.trace), "slow_size": 41}
    process = start(four, tmp_path / "out", *parallel, engine=settings)
    deadline = time.monotonic() + 30
    # A worker writes its result a moment before the run counts it.
    while not (is_one_counted(tmp_path / "out") and engine.count("segment") >= 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    begin = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=30)
    assert time.monotonic() - begin < 10
    assert process.returncode == code, err
    summary = summary_of(out)
    assert summary["exit"] == code
    assert summary["done"] >= 1
    assert "Traceback" not in err
    assert "run the same command again" in err
    assert json.loads((Path(summary["log"]) / "summary.json").read_text())["exit"] == code
    assert not list((tmp_path / "out").rglob(".tmp-*"))
    assert run(four, tmp_path / "out")[0] == 0
    run(four, tmp_path / "clean")
    assert contents(tmp_path / "out") == contents(tmp_path / "clean")


# ---- strange machines -----------------------------------------------------------------------------------------------


@pytest.fixture
def as_stranger(tmp_path):
    """Return a command that drops root's rights, except for reading the program, and a folder open to all."""
    if os.getuid() != 0 or shutil.which("setpriv") is None:
        pytest.skip("needs root and setpriv, to run as a user without name")
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    rights = "-all,+dac_read_search"
    stranger = [
        *("setpriv", "--reuid=12345", "--regid=54321", "--clear-groups"),
        *(f"--inh-caps={rights}", f"--ambient-caps={rights}", f"--bounding-set={rights}"),
    ]
    if subprocess.run([*stranger, "true"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this root may not give its rights away")
    return [
        *stranger,
        *("env", "-u", "USER", "-u", "LOGNAME", "HOME=/nonexistent", "TMPDIR=/nonexistent"),
    ]


def test_a_user_without_name_and_home_can_run_it(two, tmp_path, as_stranger):
    (tmp_path / "out").mkdir()
    (tmp_path / "out").chmod(0o777)
    process = start(two, tmp_path / "out", before=as_stranger)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert summary_of(out)["done"] == 2
    assert not list((tmp_path / "out").glob(".*-*"))


def test_a06_exit_73_an_output_without_rights_names_the_remedy(two, tmp_path, as_stranger):
    (tmp_path / "out").mkdir()
    process = start(two, tmp_path / "out", before=as_stranger)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 73
    assert summary_of(out)["exit"] == 73
    assert "12345:54321" in err
    assert "0:0" in err
    assert "-u $(id -u):$(id -g)" in err
