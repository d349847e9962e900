"""A6: every exit code of the specification, with the message that belongs to it; one test for each code."""

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bids_deepseg.cli import main as cli
from bids_deepseg.files import atomic
from tests.helpers.fake_engine import FakeEngine, cord, summary_of, write_dataset, write_nifti

ROOT = Path(__file__).parents[2]
SUCCESS = "finished successfully"


@pytest.fixture
def data(tmp_path):
    return write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w", "sub-02/anat/sub-02_T2w")


@pytest.fixture
def app(capsys, data, tmp_path):
    """Return a function that runs the app, checks what holds for every end, and returns error text and summary."""

    def app(expected, *words, levels=("participant",), engine=None, options=("--skip-bids-validation",), start=None):
        start = (data, tmp_path / "out") if start is None else start
        words = [str(word) for word in (*start, *levels, "--n-cpus", "1", *words, *options)]
        code = cli.main(words, engine=engine or FakeEngine())
        out, err = capsys.readouterr()
        summary = summary_of(out)
        assert code == expected, err
        assert set(summary) == {"done", "skipped", "failed", "no_input", "exit", "log"}
        assert summary["exit"] == code
        assert (SUCCESS in out) == (code == 0)
        assert "Traceback" not in err
        if expected:
            # What happened, what was expected or what to do: sentences, not a word.
            assert len(err.split()) > 8
        return err, summary

    return app


def start_process(data, out, *words, engine=None, before=()):
    """Start the app in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "tests.helpers.driver",
        json.dumps({"engine": engine or {}}),
        data,
        out,
        "participant",
    ]
    return subprocess.Popen(
        [*map(str, [*before, *command, "--skip-bids-validation", "--n-cpus", "1", *words])],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a06_exit_0_all_images_are_done_or_already_done(app):
    assert app(0)[1]["done"] == 2
    assert app(0)[1]["skipped"] == 2


def test_a06_exit_1_an_image_failed_and_the_others_went_on(app, data):
    stripes = cord()
    stripes[:] = 0
    stripes[::2] = 100
    write_nifti(data / "sub-01" / "anat" / "sub-01_T2w.nii.gz", stripes)
    err, summary = app(1)
    assert (summary["done"], summary["failed"]) == (1, 1)
    assert "sub-01/anat/sub-01_T2w.nii.gz: No cord" in err
    assert "ended with code 1: 1 of 2 images failed." in err


def test_a06_exit_1_rather_than_65_where_failures_differ(app, data):
    (data / "sub-01/anat/sub-01_T2w.nii.gz").write_bytes(b"")
    _, summary = app(1, engine=FakeEngine(broken=True))
    assert summary["failed"] == 2


def test_a06_exit_16_the_input_is_invalid_and_validity_was_demanded(app, data):
    pytest.importorskip("bids_validator_deno", reason="bids-validator-deno is not installed")
    (data / "dataset_description.json").write_text('{"Name": "x"}')
    err, summary = app(16, options=("--bids-validation", "error"))
    assert summary["done"] == 0
    assert "Repeat with: bids-validator-deno" in err


@pytest.mark.parametrize("levels", [("session",), ("participant", "session"), ("Participant",)])
def test_a06_exit_17_the_level_does_not_exist(app, levels, tmp_path):
    err, _ = app(17, levels=levels)
    assert "participant" in err
    assert "group" in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--participant-label", "03"), "nearest: 0"),
        (("--suffix", "T1w"), "T2w"),
        (("--exclude-participant-label", "01", "02"), "left out"),
        (("--participant-label", "01", "99", "--on-missing", "error"), "99"),
    ],
)
def test_a06_exit_18_labels_or_filters_select_nothing(app, words, told):
    assert told in app(18, *words)[0]


def test_a06_exit_18_no_image_has_the_session(app, tmp_path):
    data = write_dataset(tmp_path / "other", "sub-01/ses-pre/anat/sub-01_ses-pre_T2w")
    err, _ = app(18, "--session-label", "ses-post", start=(data, tmp_path / "out"))
    assert "sessions post" in err
    assert "the sessions pre" in err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--nonsense",), "'--nonsense' does not exist"),
        (("-w", "in/work"), "work folder"),
        (("--mem", "much"), "1.5G"),
        (("--n-cpus", "0"), "--n-cpus is 0"),
        (("--rerun", "sometimes"), "sometimes"),
    ],
)
def test_a06_exit_64_wrong_options_not_the_2_of_argparse(app, words, told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    err, _ = app(64, *words)
    assert told in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("start", "told"), [((), "bids_dir, output_dir, levels"), (("in",), "output_dir, levels")])
def test_a06_exit_64_a_missing_argument_is_named(app, start, told):
    assert told in app(64, start=start, levels=())[0]


def test_a06_exit_64_the_output_may_not_be_the_input_or_inside_of_a_participant(app, data):
    assert "is the input folder" in app(64, start=(data, data))[0]
    assert "inside a participant's folder" in app(64, start=(data, data / "sub-01" / "out"))[0]


def test_a06_exit_65_corrupt_images_are_the_only_cause(app, data):
    (data / "sub-01/anat/sub-01_T2w.nii.gz").write_bytes(b"")
    err, summary = app(65)
    assert (summary["done"], summary["failed"]) == (1, 1)
    assert "is empty (0 bytes)" in err


@pytest.mark.parametrize("state", ["missing", "empty"])
def test_a06_exit_66_no_input_asks_whether_it_is_mounted(app, tmp_path, state):
    folder = tmp_path / "nothing"
    if state == "empty":
        folder.mkdir()
    err, summary = app(66, start=(folder, tmp_path / "out"))
    assert "is it mounted?" in err
    assert ":/bids_dataset:ro" in err
    assert summary["log"] == ""
    assert not (tmp_path / "out").exists()


def test_a06_exit_66_the_group_level_has_no_result(app, tmp_path):
    assert "Run that first" in app(66, levels=("group",))[0]
    assert not (tmp_path / "out").exists()
    (tmp_path / "out").mkdir()
    assert "no result" in app(66, levels=("group",))[0]


def test_a06_exit_70_a_bug_says_where_its_traceback_is(app):
    err, summary = app(70, engine=FakeEngine(broken=True))
    assert "Unexpected ZeroDivisionError" in err
    crash = (Path(summary["log"]) / "crash-sub-01_T2w.txt").read_text()
    for text in ("Traceback", "repeat:   run.py", "versions: bids_deepseg"):
        assert text in crash


def test_a06_exit_73_the_output_cannot_be_created(app, tmp_path):
    (tmp_path / "out").write_text("a file")
    err, _ = app(73)
    assert f"runs as {os.getuid()}:{os.getgid()}" in err
    assert f"{tmp_path / 'out'} belongs to {(tmp_path / 'out').stat().st_uid}:" in err
    assert "-u $(id -u):$(id -g)" in err
    assert "mkdir" in err


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a06_exit_74_the_disk_is_full_or_fails(app, tmp_path, monkeypatch, number):
    fsync, calls = os.fsync, iter(range(1000))

    def fail(descriptor):
        # The output folder is prepared; then there is no room for results.
        if "/out/sub-" in str(Path(f"/proc/self/fd/{descriptor}").readlink()):
            next(calls)
            raise OSError(number, os.strerror(number))
        fsync(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", fail)
    err, summary = app(74)
    assert next(calls) > 0
    assert summary["failed"] == 2
    assert os.strerror(number) in err
    assert "MB are free" in err
    assert not list((tmp_path / "out").rglob("*_mask.*"))
    assert not list((tmp_path / "out").rglob(".tmp-*"))


def test_a06_exit_74_a_disk_that_is_really_full(data, tmp_path):
    """A file system of 100 kB, where that may be mounted."""
    (tmp_path / "small").mkdir()
    script = f'mount -t tmpfs -o size=100k none {tmp_path / "small"} && exec "$@"'
    before = ["unshare", "-rm", "bash", "-c", script, "bash"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*before, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no file system may be mounted here")
    process = start_process(data, tmp_path / "small" / "out", before=before)
    out, err = process.communicate(timeout=120)
    assert (process.returncode, summary_of(out)["exit"]) == (74, 74), err
    assert "No space left on device" in err
    assert "Traceback" not in err


def test_a06_exit_75_too_little_memory(app):
    err, summary = app(75, "--mem", "100M")
    assert summary["failed"] == 2
    assert "--mem allows 0.1 GB" in err


def test_a06_exit_78_the_networks_are_missing(app):
    assert "weights are missing" in app(78, engine=FakeEngine(unloadable=True))[0]
