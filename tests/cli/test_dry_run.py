"""The dry run: what it prints is what a run does, and it writes nothing."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.plan import measure
from benchmarks.plan import write_dataset as write_many
from bids_deepseg.cli import main as cli
from bids_deepseg.execution import resources
from tests.helpers.fake_engine import FakeEngine, cord, summary_of, write_dataset, write_nifti

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(tmp_path):
    return write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w", "sub-02/ses-a/anat/sub-02_ses-a_T1w")


@pytest.fixture
def call(tmp_path, capsys, monkeypatch, data):
    """Return a function that runs the app and returns code, lines of output and error text."""
    monkeypatch.setattr(resources, "_affinity", lambda: 1)

    def call(*words, engine=None):
        words = [data, tmp_path / "out", "participant", "--skip-bids-validation", *words]
        code = cli.main([str(word) for word in words], engine=engine or FakeEngine())
        out, err = capsys.readouterr()
        return code, out.splitlines(), err

    return call


@pytest.fixture
def plan(call):
    """Return a function that returns the plan as JSON."""

    def plan(*words, **more):
        code, lines, _ = call("--dry-run", "--log-format", "json", *words, **more)
        assert (code, len(lines)) == (0, 2)
        return json.loads(lines[0])

    return plan


def actions(plan):
    return {Path(each["image"]).name: (each["action"], each["reason"]) for each in plan["images"]}


T2W, T1W = "sub-01_T2w.nii.gz", "sub-02_ses-a_T1w.nii.gz"


def test_it_says_what_would_be_done_and_writes_nothing(call, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    code, lines, err = call("--dry-run")
    assert sorted(tmp_path.rglob("*")) == before
    assert code == 0
    assert lines[0].startswith("segment   sub-01/anat/sub-01_T2w.nii.gz (t2; no result; about ")
    assert lines[1].startswith("          -> sub-01/anat/sub-01_space-orig_label-SC_desc-T2w_mask.nii.gz and ")
    assert "_label-SC_desc-T2w_probseg.nii.gz" in lines[1]
    assert "Networks: fake (00000000)" in lines
    assert "Images: 2 to segment" in lines
    assert any(line.startswith("Expected: ") and " GB" in line for line in lines)
    assert lines[-2] == "Nothing was written."
    counts = dict.fromkeys(("done", "skipped", "failed", "no_input", "exit"), 0)
    assert summary_of("\n".join(lines)) == {**counts, "log": ""}
    assert "Traceback" not in err


def test_the_files_it_names_are_those_that_a_run_writes(call, plan, tmp_path):
    planned = plan("--no-centerline")
    call("--no-centerline")
    named = {name for image in planned["images"] for name in image["outputs"]}
    folders = ("anat", "ses-a")
    written = {
        str(path.relative_to(tmp_path / "out"))
        for path in (tmp_path / "out").rglob("*_space-orig_*")
        if path.parts[-2] in folders
    }
    assert named == written
    assert not any("centerline" in name for name in named)


def test_the_json_tells_image_network_cost_and_decision(plan):
    found = plan()
    assert found["networks"] == [{"name": "fake", "contrast": "any", "sha256": "0" * 64}]
    assert found["counts"] == {"segment": 2}
    image = found["images"][1]
    assert (image["subject"], image["session"], image["contrast"]) == ("02", "a", "t1")
    assert 0 < image["seconds"] < 60
    assert 500 < image["megabytes"] < 2000
    assert found["seconds"] >= image["seconds"]


def test_it_decides_as_the_run_that_follows_would(call, plan, data):
    (data / "sub-01" / "anat" / T2W).write_bytes(b"")
    assert actions(plan())[T2W][0] == "refuse"
    call()
    assert actions(plan()) == {
        T2W: ("refuse", f"{T2W} is empty (0 bytes). A NIfTI image is expected. Copy it again."),
        T1W: ("keep", "up to date"),
    }
    write_nifti(data / "sub-01" / "anat" / T2W, cord())
    assert actions(plan())[T2W] == ("segment", "no result, failed before")
    assert actions(plan("--rerun", "changed"))[T2W] == ("leave out", "no result, failed before")
    assert actions(plan(engine=FakeEngine(version="1")))[T1W] == ("segment", "result of an earlier state")
    assert actions(plan("--rerun", "all"))[T1W] == ("segment", "up to date, repeated")
    assert actions(plan("--mem", "100M"))[T2W][0] == "refuse"


def test_the_filter_is_shown_with_its_effect(plan, call, tmp_path):
    (tmp_path / "filter.json").write_text('{"t2w": {"acquisition": "ax"}}')
    found = plan("--bids-filter-file", tmp_path / "filter.json")
    assert (found["filters"], found["n_filtered"], len(found["images"])) == (["t2w: acquisition ax"], 1, 1)
    _, lines, err = call("--dry-run", "--bids-filter-file", tmp_path / "filter.json")
    assert "Filter t2w: acquisition ax" in lines
    assert "Left out by filter.json: 1 images." in err


@pytest.mark.parametrize(
    ("content", "words", "code", "text"),
    [
        ('{"flair": {}}', [], 64, "no selected image has"),
        ('{"t2w": {"acq": "ax"}}', [], 64, "did you mean 'acquisition'"),
        ('{"t2w": {"run": 1}}', ["--suffix", "T1w"], 64, "no selected image has"),
        ('{"t2w": {"subject": "01"}}', ["--participant-label", "02"], 64, "contradicts the options"),
        ('{"anat": {"run": 1}}', [], 18, "filter anat: run 1"),
    ],
)
def test_a_wrong_filter_ends_before_anything_is_created(call, tmp_path, content, words, code, text):
    (tmp_path / "filter.json").write_text(content)
    for more in (["--dry-run"], []):
        found, _, err = call("--bids-filter-file", tmp_path / "filter.json", *words, *more)
        assert (found, text in err) == (code, True), err
    if code == 64:
        assert not (tmp_path / "out").exists()


def test_images_that_would_share_a_name_are_refused(plan, data):
    for name in ("flip-1_mt-on", "flip-1mton"):
        write_nifti(data / "sub-01" / "anat" / f"sub-01_{name}_MTS.nii.gz", cord())
    found = actions(plan())
    assert [action for action, reason in found.values() if "same name" in reason] == ["refuse", "refuse"]


def test_the_group_level_alone_has_no_plan(tmp_path, capsys):
    assert cli.main([str(tmp_path / "in"), str(tmp_path / "out"), "group", "--dry-run"]) == 64
    assert "Use it with the level participant" in capsys.readouterr().err


@pytest.mark.slow
def test_a_thousand_participants_are_planned_in_at_most_their_share_of_time_and_150_megabytes(tmp_path):
    runs = []
    for n_participants in (200, 1000):
        folder = tmp_path / f"of_{n_participants}"
        folder.mkdir()
        write_many(folder, n_participants)
        runs.append(measure(folder, tmp_path / "out"))
    assert [(one.code, one.n_planned) for one in runs] == [(0, 800), (0, 4000)]
    # Processor time, the start of the program included. `benchmarks/plan.py` prints the seconds.
    assert runs[1].processor_s < 5 * runs[0].processor_s
    assert max(one.peak_mib for one in runs) < 150


def test_a_closed_output_is_no_error(data, tmp_path):
    for n in range(60):
        write_nifti(data / f"sub-x{n}" / "anat" / f"sub-x{n}_T2w.nii.gz", cord((8, 8, 4), radius_mm=1.0))
    words = [data, tmp_path / "out", "participant", "--dry-run", "-q"]
    command = " ".join(map(str, [sys.executable, "-m", "tests.helpers.driver", "'{}'", *words]))
    done = subprocess.run(
        ["bash", "-c", f"{command} | head -n 1; echo ${{PIPESTATUS[0]}}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[1] == "0"
    assert done.stderr == ""
