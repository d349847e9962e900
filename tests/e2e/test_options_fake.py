"""Options that change what is run and written, on small images with simple functions in place of the networks."""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bids_deepseg.cli import main as cli
from bids_deepseg.execution import device, resources
from tests.helpers.fake_engine import FakeEngine, cord, files_of, summary_of, write_dataset, write_nifti

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path):
    return write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w", "sub-02/anat/sub-02_T2w")


@pytest.fixture
def engine(tmp_path):
    (tmp_path / "trace").mkdir()
    return FakeEngine(tmp_path / "trace")


@pytest.fixture
def run(capsys, monkeypatch, data, tmp_path):
    """Return a function that runs the app and returns code, error text and summary."""
    monkeypatch.setattr(resources, "_affinity", lambda: 1)

    def run(*words, engine=None, out="out", start=None):
        start = [data, tmp_path / out, "participant", "--skip-bids-validation"] if start is None else start
        code = cli.main([str(word) for word in [*start, *words]], engine=engine or FakeEngine())
        text, err = capsys.readouterr()
        return code, err, summary_of(text)

    return run


def contents(folder):
    return {name: content for name, (content, _) in files_of(folder).items()}


# ---- rerun ----------------------------------------------------------------------------------------------------------


def test_rerun_chooses_by_state(run, data, tmp_path):
    """One image up to date, one changed, one failed and repaired, one new."""
    third = write_nifti(data / "sub-03" / "anat" / "sub-03_T2w.nii.gz", cord())
    good = third.read_bytes()
    third.write_bytes(b"")
    assert run()[0] == 65
    third.write_bytes(good)
    write_nifti(data / "sub-02" / "anat" / "sub-02_T2w.nii.gz", cord(radius_mm=4.0))
    write_nifti(data / "sub-04" / "anat" / "sub-04_T2w.nii.gz", cord())

    code, err, summary = run("--rerun", "failed")
    assert (code, summary["done"], summary["skipped"]) == (0, 1, 1)
    assert "Left out by --rerun failed: 2 images" in err
    assert json.loads((Path(summary["log"]) / "summary.json").read_text())["left_out"] == 2
    assert run("--rerun", "missing")[2]["done"] == 1
    code, err, summary = run("--rerun", "changed")
    assert (summary["done"], summary["skipped"], "Left out" in err) == (1, 3, False)
    assert run()[2]["skipped"] == 4
    assert run("--rerun", "all")[2]["done"] == 4


def test_a_result_that_came_out_badly_is_repeated_only_when_asked_for(run, data, engine):
    write_nifti(data / "sub-01" / "anat" / "sub-01_T2w.nii.gz", cord((60, 60, 8), radius_mm=9.0))
    assert run("--rescue", "off", engine=engine)[0] == 1
    assert (run("--rescue", "off", engine=engine)[0], engine.count("segment")) == (1, 2)
    assert (run("--rescue", "off", "--rerun", "failed", engine=engine)[0], engine.count("segment")) == (1, 3)


# ---- products and links ---------------------------------------------------------------------------------------------


def test_products_that_are_not_wanted_are_not_written_and_do_not_stay(run, tmp_path):
    run()
    run("--no-probseg", "--no-centerline", out="less")
    names = {Path(name).name.partition("_desc-")[2] for name in contents(tmp_path / "less") if "_space-orig_" in name}
    assert names == {"T2w_mask.nii.gz", "T2w_mask.json", "T2w_morph.tsv", "T2w_morph.json"}
    assert (tmp_path / "less" / "sub-01.html").exists()
    assert run("--no-probseg", "--no-centerline")[2]["skipped"] == 2
    run("--no-probseg", "--no-centerline", "--rerun", "all")
    assert contents(tmp_path / "out") == contents(tmp_path / "less")
    assert run()[2]["done"] == 2


def test_a_link_is_stated_and_used_in_the_sources(run, tmp_path):
    run("--dataset-link", "raw=https://example.org/raw")
    description = json.loads((tmp_path / "out" / "dataset_description.json").read_text())
    assert description["DatasetLinks"] == {"raw": "https://example.org/raw"}
    sidecar = json.loads(next((tmp_path / "out" / "sub-01").rglob("*_desc-T2w_mask.json")).read_text())
    assert sidecar["Sources"] == ["bids:raw:sub-01/anat/sub-01_T2w.nii.gz"]


def test_a_filter_file_chooses_the_images(run, data, tmp_path):
    write_nifti(data / "sub-01" / "anat" / "sub-01_acq-ax_T2w.nii.gz", cord())
    (tmp_path / "filter.json").write_text('{"t2w": {"acquisition": null}}')
    assert run("--bids-filter-file", tmp_path / "filter.json")[2]["done"] == 2


# ---- configuration --------------------------------------------------------------------------------------------------


def test_the_configuration_of_a_run_repeats_it(run, tmp_path):
    words = ("--no-probseg", "--participant-label", "02", "--random-seed", "7", "--mem", "3.5G")
    _, _, summary = run(*words)
    config = Path(summary["log"]) / "config.toml"
    assert "random_seed = 7" in config.read_text()
    code, _, again = run("--config-file", config, "--rerun", "all", start=())
    assert (code, again["done"]) == (0, 1)
    before = config.read_text()
    after = (Path(again["log"]) / "config.toml").read_text()
    assert after.replace('"all",\n', "") == before.replace('"missing",\n    "changed",\n', "").replace(
        "[\n    ]", "[\n    ]"
    )


# ---- memory and device ----------------------------------------------------------------------------------------------


def test_an_image_that_needs_more_memory_than_allowed_fails_with_75(run, engine):
    code, err, summary = run("--mem", "0.4 GB", engine=engine)
    assert (code, summary["failed"], engine.count("segment")) == (75, 2, 0)
    assert "sub-01_T2w.nii.gz is expected to need 0.7 GB of memory, --mem allows 0.4 GB. Allow more." in err
    assert "Memory of the run: 0.40 GB." in err


def test_memory_limits_the_number_of_workers(run, monkeypatch, tmp_path):
    monkeypatch.setattr(resources, "_affinity", lambda: 4)
    monkeypatch.setattr(resources, "available_memory", lambda: 10**11)
    words = ("--n-cpus", "4", "--omp-nthreads", "1")
    _, err, summary = run(*words, "--mem", "2G")
    assert "2.0 GB of memory may be used, enough for 1 images at the same time instead of 4" in err
    assert json.loads((Path(summary["log"]) / "config.json").read_text())["allocation"]["n_workers"] == 1


def test_a_gpu_that_is_not_there(run, monkeypatch, tmp_path):
    monkeypatch.setattr(device, "count_gpus", lambda: 0)
    code, err, _ = run("--device", "gpu")
    assert (code, "TensorFlow sees no GPU" in err) == (64, True)
    assert not (tmp_path / "out").exists()
    code, err, _ = run("--device", "auto")
    assert (code, "The networks run on the processor" in err) == (0, True)


def test_only_a_demanded_gpu_is_visible(run, monkeypatch, data):
    seen = []

    class Watching(FakeEngine):
        def load(self):
            seen.append(os.environ.get("CUDA_VISIBLE_DEVICES"))
            return super().load()

    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(device, "count_gpus", lambda: 1)
    run(engine=Watching())
    run("--device", "auto", "--rerun", "all", engine=Watching())
    assert seen == ["-1", None]


# ---- work folder ----------------------------------------------------------------------------------------------------


def test_the_work_folder_is_kept_on_demand_and_cleaned_safely(run, tmp_path):
    work = tmp_path / "work"
    run("--keep-work", "-w", work)
    (kept,) = work.iterdir()
    (work / "mine").mkdir()
    (work / "mine" / "file").touch()
    with (kept / ".bids_deepseg-work").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        # As if the run went on.
        run("--clean-workdir", "-w", work)
        assert kept.exists()
    # Nothing that was to be kept goes unless that is asked for.
    run("-w", work)
    assert kept.exists()
    _, err, _ = run("--clean-workdir", "-w", work)
    assert [path.name for path in work.iterdir()] == ["mine"]
    assert f"Removed what an earlier run left: {kept}" in err


# ---- reports --------------------------------------------------------------------------------------------------------


def test_reports_only_rebuilds_pages_and_tables_without_networks(run, data, tmp_path, engine):
    (data / "sub-02" / "anat" / "sub-02_T2w.nii.gz").write_bytes(b"")
    run()
    (data / "sub-03").mkdir()
    before = contents(tmp_path / "out")
    for name in ("sub-01.html", "sub-02.html", "participants.tsv", "dataset_description.json"):
        (tmp_path / "out" / name).unlink()
    code, err, summary = run("--reports-only", engine=engine)
    assert (code, summary["done"]) == (0, 0)
    assert contents(tmp_path / "out") == before
    assert engine.count("load") == 0
    assert "Pages written: 2." in err


def test_reports_only_without_results_ends_with_66(run):
    code, err, _ = run("--reports-only")
    assert (code, "holds no result of the selected participants" in err) == (66, True)


# ---- terminal -------------------------------------------------------------------------------------------------------


def test_json_lines_on_the_terminal(run, data, tmp_path):
    (data / "sub-02" / "anat" / "sub-02_T2w.nii.gz").write_bytes(b"")
    _, err, _ = run("--log-format", "json")
    lines = [json.loads(line) for line in err.splitlines()]
    assert {"time", "level", "message"} <= set(lines[0])
    assert any(line.get("status") == "bad-image" for line in lines)
    assert lines[-1]["message"].endswith("1 of 2 images failed.")
    code, err, _ = run("--log-format", "json", start=(tmp_path / "none", tmp_path / "out2", "participant"))
    assert (code, "is it mounted?" in json.loads(err)["message"]) == (66, True)


def test_a_terminal_that_is_closed_changes_nothing(data, tmp_path):
    words = [sys.executable, "-m", "tests.helpers.driver", "'{}'", data, tmp_path / "out", "participant"]
    command = " ".join(map(str, [*words, "--skip-bids-validation", "-vv", "--n-cpus", "1"]))
    script = f"{command} 2>&1 | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[1:] == ["0"]
    assert done.stderr == ""
    assert (tmp_path / "out" / "participants.tsv").exists()


def test_no_progress_leaves_the_count_and_the_time_left_out(run):
    _, err, _ = run("--no-progress")
    assert "[1/2]" not in err
    assert " left" not in err
    assert "sub-01/anat/sub-01_T2w.nii.gz: pass" in err
