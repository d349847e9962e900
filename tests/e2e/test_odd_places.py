"""Whole runs in odd places: names that are no UTF-8, other locales, drives without links, sync or semaphores."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from bids_deepseg.bids.source import validation
from bids_deepseg.cli import main as cli
from bids_deepseg.execution import resources
from tests.helpers.fake_engine import FakeEngine, cord, files_of, summary_of, write_dataset, write_nifti

ROOT = Path(__file__).parents[2]
QUIET = ("--skip-bids-validation", "--n-cpus", "1")
ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture
def run(capsys, monkeypatch):
    """Return a function that runs the app in this process and returns code, error text and summary."""
    monkeypatch.setattr(resources, "_affinity", lambda: 1)

    def run(*words, options=QUIET):
        code = cli.main([str(word) for word in [*words, *options]], engine=FakeEngine())
        out, err = capsys.readouterr()
        assert summary_of(out)["exit"] == code
        return code, err, summary_of(out)

    return run


def command(*words, engine=None):
    return [sys.executable, "-m", "tests.helpers.driver", json.dumps({"engine": engine or {}}), *map(str, words)]


def drive(*words, **environment):
    """Run the app in a process of its own; returns code, standard output and standard error as bytes."""
    done = subprocess.run(
        command(*words), cwd=ROOT, env=os.environ | environment, capture_output=True, check=False, timeout=300
    )
    assert b"Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


# ---- names that are no UTF-8 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("locale", [{}, ASCII], ids=["utf-8", "ascii"])
@pytest.mark.parametrize("name", ["donn\udce9es", "données", "a\nb", "\x1b[31m"])
def test_any_name_works_in_any_locale_and_none_reaches_the_terminal(tmp_path, name, locale):
    place = tmp_path / os.fsdecode(name.encode("utf-8", "surrogateescape"))
    place.mkdir()
    data = write_dataset(place / "in", "sub-01/anat/sub-01_T2w")
    code, out, err = drive(data, place / "out", "participant", "group", *QUIET, **locale)
    assert (code, summary_of(out.decode())["done"]) == (0, 1), err
    assert b"\x1b" not in out + err
    told = json.loads(out.decode().splitlines()[-1].removeprefix("bids_deepseg-summary "))["log"]
    assert place.joinpath("out", "logs", Path(told).name, "summary.json").exists()
    for path in place.rglob("*.json"):
        json.loads(path.read_text(encoding="utf-8"))
    code, out, err = drive(data, place / "out", "participant", "--dry-run", "--log-format", "json", **locale)
    assert (code, json.loads(out.decode().splitlines()[0])["counts"]) == (0, {"keep": 1}), err


@pytest.mark.parametrize("locale", [{}, ASCII], ids=["utf-8", "ascii"])
def test_one_image_of_any_name_is_segmented_in_any_locale(tmp_path, locale):
    path = write_nifti(tmp_path / "plain.nii.gz", cord()).rename(tmp_path / "é²\n.nii.gz")
    code, out, err = drive("segment", path, "-o", tmp_path / "é", **locale)
    assert (code, summary_of(out.decode())["done"]) == (0, 1), err
    assert (tmp_path / "é" / "é²\n_label-SC_mask.nii.gz").exists()


def test_a_configuration_of_another_locale_leads_to_the_same_folders(tmp_path):
    data = write_dataset(tmp_path / "données", "sub-01/anat/sub-01_T2w")
    assert drive(data, tmp_path / "oùt", "participant", *QUIET, **ASCII)[0] == 0
    (config,) = (tmp_path / "oùt").glob("logs/*/config.toml")
    for locale in ({}, ASCII):
        code, out, _ = drive("--config-file", config, **locale)
        assert (code, summary_of(out.decode())["skipped"]) == (0, 1)


# ---- folders and drives ---------------------------------------------------------------------------------------------


def test_links_to_folders_that_are_not_here_are_told_and_counted(run, tmp_path):
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")
    (data / "sub-02").symlink_to("/not/mounted/sub-02")
    (data / "sub-01" / "ses-a").symlink_to("/not/mounted/ses-a")
    code, err, summary = run(data, tmp_path / "out", "participant")
    assert (code, summary["done"], summary["no_input"]) == (0, 1, 1)
    assert err.count("a link to a folder that does not exist (not mounted?)") >= 2
    code, err, summary = run(data, tmp_path / "out2", "participant", "--participant-label", "02")
    assert (code, summary["no_input"]) == (66, 1)
    assert "sub-02: It is a link to a folder that does not exist" in err


def test_closed_folders_of_corrections_centerlines_and_levels_are_told(run, tmp_path):
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")
    for name in ("corrections", "levels"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "sub-01").symlink_to("/not/mounted/sub-01")
    words = ["--corrections", tmp_path / "corrections", "-d", f"levels={tmp_path / 'levels'}"]
    code, err, _ = run(data, tmp_path / "out", "participant", *words)
    assert code == 0
    assert "Of --corrections, nothing in sub-01 is used: It is a link to a folder that does not exist" in err
    assert "Of the derivatives levels, nothing in sub-01 is used" in err
    code, err, _ = run(data, tmp_path / "out2", "participant", "--centerline-file", tmp_path / "corrections")
    assert (code, "Of --centerline-file, nothing in sub-01 is used" in err) == (65, True)


@pytest.mark.parametrize("n_extra", [0, 1, 20])
def test_long_names_are_written_as_far_as_they_go(run, tmp_path, n_extra):
    """The longest name of a result has 255 bytes without ``n_extra``."""
    rest = len("sub-_acq-_space-orig_label-SCcenterline_desc-T2w_mask.nii.gz")
    label, acquisition = "a" * 100, "b" * (255 - rest - 100 + n_extra)
    name = f"sub-{label}/anat/sub-{label}_acq-{acquisition}_T2w"
    data = write_dataset(tmp_path / "in", name, "sub-02/anat/sub-02_T2w")
    expected = f"the name would have {255 + n_extra} bytes, 255 are possible: shorten the labels"
    code = cli.main([str(data), str(tmp_path / "out"), "participant", "--dry-run"], engine=FakeEngine())
    assert code == 0
    code, err, summary = run(data, tmp_path / "out", "participant")
    assert (code, summary["done"], summary["failed"]) == ((73, 1, 1) if n_extra else (0, 2, 0)), err
    assert (expected in err) == bool(n_extra)
    assert not list((tmp_path / "out").rglob(".tmp-*"))


def test_a_dry_run_tells_of_long_names(run, tmp_path, capsys):
    data = write_dataset(tmp_path / "in", f"sub-01/anat/sub-01_acq-{'b' * 220}_T2w")
    assert cli.main([str(data), str(tmp_path / "out"), "participant", "--dry-run"], engine=FakeEngine()) == 0
    out, _ = capsys.readouterr()
    assert out.startswith("refuse")
    assert "255 are possible: shorten the labels" in out


def test_without_links_the_input_is_not_validated(run, tmp_path, monkeypatch):
    def symlink(*_args, **_more):
        raise PermissionError(1, "Operation not permitted")

    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")
    monkeypatch.setattr(os, "symlink", symlink)
    monkeypatch.setattr(validation, "find_validator", lambda: "validator")
    code, err, summary = run(data, tmp_path / "out", "participant", options=())
    assert (code, summary["done"], err.count("WARNING")) == (0, 1, 1)
    assert "The input was not validated" in err
    assert run(data, tmp_path / "out", "participant", "--bids-validation", "error", options=())[0] == 16


def test_a_full_drive_for_temporary_files_is_passed_over(run, tmp_path, monkeypatch):
    def mkdtemp(*_args, **_more):
        raise OSError(28, "No space left on device")

    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")
    monkeypatch.setattr(validation, "find_validator", lambda: "validator")
    monkeypatch.setattr(validation.tempfile, "TemporaryDirectory", mkdtemp)
    code, err, summary = run(data, tmp_path / "out", "participant", options=())
    assert (code, summary["done"]) == (0, 1)
    assert "No space left on device" in err


SHIM = """
#include <errno.h>
int fsync(int fd) { errno = EINVAL; return -1; }
int symlink(const char *a, const char *b) { errno = EPERM; return -1; }
"""


def test_a_drive_without_links_and_sync_as_the_system_would_have_it(tmp_path):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("there is no compiler for the library that takes links and sync away")
    (tmp_path / "shim.c").write_text(SHIM)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", tmp_path / "shim.so", tmp_path / "shim.c"], check=True)
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")
    words = [data, tmp_path / "out", "participant", "--n-cpus", "1"]
    code, out, err = drive(*words, LD_PRELOAD=str(tmp_path / "shim.so"))
    assert (code, summary_of(out.decode())["done"]) == (0, 1), err


@pytest.mark.parametrize("options", ["ro,size=4k", "size=0,nr_inodes=1"])
def test_without_shared_memory_images_are_segmented_one_after_the_other(tmp_path, options):
    mount = ["unshare", "-m", "sh", "-c", f'mount -t tmpfs -o {options} none /dev/shm && exec "$@"', "sh"]
    if shutil.which("unshare") is None or subprocess.run([*mount, "true"], capture_output=True, check=False).returncode:
        pytest.skip("mounting in a name space of one's own is not permitted here")
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w", "sub-02/anat/sub-02_T2w")
    words = [data, tmp_path / "out", "participant", *QUIET[:1], "--n-cpus", "2", "--omp-nthreads", "1"]
    done = subprocess.run([*mount, *command(*words)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, summary_of(done.stdout)["done"]) == (0, 2), done.stderr
    assert done.stderr.count("WARNING") == 1
    reference = tmp_path / "reference"
    assert drive(data, reference, "participant", *QUIET)[0] == 0
    assert {k: v[0] for k, v in files_of(reference).items()} == {k: v[0] for k, v in files_of(tmp_path / "out").items()}


# ---- the end --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_cpus", [1, 2])
@pytest.mark.parametrize("ignored", [False, True])
def test_a_closed_terminal_ends_a_run_without_leftovers_unless_nohup_says_otherwise(tmp_path, n_cpus, ignored):
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w", "sub-02/anat/sub-02_T2w")
    trace = tmp_path / "trace"
    trace.mkdir()
    words = [data, tmp_path / "out", "participant", *QUIET[:1], "--n-cpus", n_cpus, "--omp-nthreads", "1"]
    # What nohup does, or its opposite: these tests may run under it, too.
    program = command(*words, "-w", tmp_path / "work", engine={"slow_size": 40, "trace": str(trace)})
    process = subprocess.Popen(
        ["env", f"--{'ignore' if ignored else 'default'}-signal=HUP", *program],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while len(list(trace.glob("segment-*"))) < n_cpus and time.monotonic() < deadline:
        time.sleep(0.1)
    os.killpg(process.pid, signal.SIGHUP)
    if ignored:
        time.sleep(0.5)
        assert process.poll() is None
        os.killpg(process.pid, signal.SIGTERM)
    out, err = process.communicate(timeout=60)
    code = 128 + (signal.SIGTERM if ignored else signal.SIGHUP)
    assert (process.returncode, summary_of(out)["exit"]) == (code, code)
    assert "Traceback" not in err
    assert list((tmp_path / "work").iterdir()) == []
    assert not list((tmp_path / "out").rglob(".tmp-*"))


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">/dev/full", "2>/dev/full", ">&- 2>&-"])
def test_a_terminal_that_is_closed_or_full_changes_neither_the_run_nor_its_code(tmp_path, redirection):
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")
    script = f'"$@" {redirection}'
    words = command(data, tmp_path / "out", "participant", *QUIET)
    done = subprocess.run(["sh", "-c", script, "sh", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out").rglob("*_label-SC_desc-T2w_mask.nii.gz"))


# ---- memory ---------------------------------------------------------------------------------------------------------


def test_too_little_memory_is_told_before_an_image_begins(run, tmp_path, monkeypatch):
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")
    monkeypatch.setattr("bids_deepseg.app.participant.planning.memory_of_one", lambda: 100_000_000)
    monkeypatch.setattr("bids_deepseg.app.single_image.memory_of_one", lambda: 100_000_000)
    code, err, summary = run(data, tmp_path / "out", "participant")
    assert (code, summary["failed"]) == (75, 1)
    assert "GB of memory, this process may use 0.1 GB" in err
    code, err, _ = run("segment", data / "sub-01/anat/sub-01_T2w.nii.gz", "-o", tmp_path / "one", options=())
    assert (code, "this process may use 0.1 GB" in err) == (75, True)


@pytest.mark.parametrize(("error", "code"), [(MemoryError("malloc"), 75), (OSError(28, "No space left"), 74)])
def test_one_image_and_a_data_set_describe_a_failure_alike(tmp_path, capsys, monkeypatch, error, code):
    class Engine(FakeEngine):
        def segment(self, *_args, **_more):
            raise error

    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")
    assert cli.main([str(data), str(tmp_path / "out"), "participant", *QUIET], engine=Engine()) == code
    told = capsys.readouterr().err
    words = ["segment", str(data / "sub-01/anat/sub-01_T2w.nii.gz"), "-o", str(tmp_path / "one")]
    assert cli.main(words, engine=Engine()) == code
    alone = capsys.readouterr().err
    assert "Traceback" not in alone
    assert alone.splitlines()[-1].removeprefix("ERROR: ") in told


# ---- free names -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["patient7_dwi", "sub-7_dwi", "patient.7_dwi", "dwi", "a b_dwi"])
def test_a_free_name_that_ends_like_a_bids_name_is_read_like_one(run, tmp_path, name):
    still, moved = cord(), np.roll(cord(), 6, axis=0)
    path = write_nifti(tmp_path / f"{name}.nii.gz", np.stack([moved, still, still], -1))
    (tmp_path / f"{name}.bval").write_text("0 750 750\n")
    assert run("segment", path, "-o", tmp_path / "out", options=())[0] == 0
    sidecar = json.loads((tmp_path / "out" / f"{name}_label-SC_mask.json").read_text())
    assert sidecar["VolumesUsed"] == "2 of 3 volumes, b > 10 s/mm²"
    assert sidecar["Options"]["contrast"] == "dwi"


@pytest.mark.parametrize(
    ("name", "contrast"), [("x_T2starw", "t2s"), ("x_T2w", "t2"), ("x_T2w_copy", None), ("T2wx", None)]
)
def test_the_contrast_is_that_of_the_end_of_the_name(run, tmp_path, name, contrast):
    path = write_nifti(tmp_path / f"{name}.nii.gz", cord())
    assert run("segment", path, "-o", tmp_path / "out", options=())[0] == 0
    sidecar = json.loads((tmp_path / "out" / f"{name}_label-SC_mask.json").read_text())
    assert sidecar["Options"]["contrast"] == contrast


def test_a_long_free_name_is_refused_before_anything_is_segmented(run, tmp_path):
    path = write_nifti(tmp_path / f"{'a' * 240}.nii.gz", cord())
    code, err, _ = run("segment", path, "-o", tmp_path / "out", options=())
    assert (code, "255 are possible. Give the image a shorter name" in err) == (73, True)
