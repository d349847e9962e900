"""One image without a data set: names, exit codes, replacement, with simple functions in place of the networks."""

import html
import json
import re
import shlex

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.app import single_image
from bids_deepseg.bids.derivatives.layout import ResultFiles
from bids_deepseg.bids.derivatives.products import damaged_files
from bids_deepseg.bids.naming import ResultNames
from bids_deepseg.cli import main as cli
from bids_deepseg.errors import OutputWriteError
from bids_deepseg.execution import resources
from tests.helpers.fake_engine import FakeEngine, cord, summary_of, write_nifti

ENDINGS = (
    *("label-SC_mask.nii.gz", "label-SC_probseg.nii.gz", "label-SCcenterline_mask.nii.gz"),
    *("label-SC_centerline.tsv", "label-SC_morph.tsv", "res-detection_label-SCcenterline_probseg.nii.gz"),
)


@pytest.fixture
def run(capsys, monkeypatch, tmp_path):
    """Return a function that segments and returns code, error text and summary."""
    monkeypatch.setattr(resources, "_affinity", lambda: 1)
    monkeypatch.chdir(tmp_path)

    def run(*words, engine=None):
        code = cli.main(["segment", *map(str, words)], engine=engine or FakeEngine())
        out, err = capsys.readouterr()
        return code, err, summary_of(out)

    return run


def expected_names(stem, endings=ENDINGS):
    sidecars = [name.partition(".")[0] + ".json" for name in endings]
    return sorted(f"{stem}_{name}" for name in (*endings, *sidecars, "report.html"))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("name", ["my image.nii", "sub-01_T2w.nii.gz"])
def test_results_lie_beside_each_other_in_the_voxels_of_the_image(run, tmp_path, name):
    path = write_nifti(tmp_path / "in" / name, cord())
    before = path.read_bytes()
    code, err, summary = run(path, "-o", tmp_path / "out")
    assert (code, summary["done"], summary["exit"]) == (0, 1, 0), err
    stem = name.partition(".")[0]
    assert names(tmp_path / "out") == expected_names(stem)
    mask, source = nib.load(tmp_path / "out" / f"{stem}_label-SC_mask.nii.gz"), nib.load(path)
    assert mask.shape == source.shape
    np.testing.assert_array_equal(mask.affine, source.affine)
    assert set(np.unique(mask.dataobj)) == {0, 1}
    sidecar = json.loads((tmp_path / "out" / f"{stem}_label-SC_mask.json").read_text())
    assert sidecar["Sources"] == [name]
    assert sidecar["QC"]["Verdict"] in ("pass", "warn")
    assert sidecar["Options"]["contrast"] == ("t2" if "T2w" in name else None)
    assert f"<h1>Spinal cord of {name}</h1>" in (tmp_path / "out" / f"{stem}_report.html").read_text()
    assert (path.read_bytes(), names(path.parent)) == (before, [name])


@pytest.mark.parametrize("stem", ["my.image", "a_label-SC_desc-x_mask", "sub-01_label-GM_desc-T2w_T2w"])
def test_the_name_of_an_image_may_hold_anything_that_names_of_results_hold(run, tmp_path, stem):
    path = write_nifti(tmp_path / "in" / f"{stem}.nii.gz", cord())
    code, err, _ = run(path, "-o", tmp_path / "out", "--task", "gm")
    assert code == 0, err
    kinds = [("SC_mask", ".nii.gz"), ("GM_mask", ".nii.gz"), ("SC_morph", ".tsv"), ("GM_probseg", ".nii.gz")]
    for kind, extension in kinds:
        assert {f"{stem}_label-{kind}{extension}", f"{stem}_label-{kind}.json"} <= set(names(tmp_path / "out"))
    sidecar = json.loads((tmp_path / "out" / f"{stem}_label-GM_mask.json").read_text())
    assert sidecar["Sources"] == [path.name, f"{stem}_label-SC_mask.nii.gz"]


@pytest.mark.parametrize("stem", ["a", "my.image"])
def test_the_sidecar_lists_the_files_that_lie_beside_it(run, tmp_path, stem):
    """They go where they belong at once, whatever else is in the folder."""
    path = write_nifti(tmp_path / "in" / f"{stem}.nii.gz", cord())
    out = tmp_path / "out"
    (out / "docs").mkdir(parents=True)
    # In a derivative data set, this file says that tables are in ``docs``.
    (out / "docs" / "README.md").write_text("mine")
    assert run(path, "-o", out, "--task", "gm")[0] == 0
    sidecar = json.loads((out / f"{stem}_label-SC_mask.json").read_text())
    written = set(names(out)) - {"docs", f"{stem}_report.html", f"{stem}_label-SC_mask.json"}
    assert set(sidecar["Products"]) == written
    assert damaged_files(sidecar, ResultFiles(out, ResultNames("", stem), in_dataset=False), thorough=True) == []
    assert names(out / "docs") == ["README.md"]


@pytest.mark.parametrize("broken", ["segmented_image", "render_participant", "write_files"])
def test_without_its_report_there_is_no_result(run, tmp_path, monkeypatch, broken):
    path = write_nifti(tmp_path / "a.nii.gz", cord())

    def fail(*_args, **_more):
        raise OutputWriteError("The disk is full.")

    monkeypatch.setattr(single_image, broken, fail)
    code, err, _ = run(path)
    assert (code, names(tmp_path)) == (OutputWriteError.exit_code, ["a.nii.gz"])
    assert "The disk is full." in err


def test_the_current_folder_is_the_default_and_nothing_is_overwritten(run, tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", cord())
    assert run(path, "--no-report", "--no-probseg", "--no-centerline")[0] == 0
    few = {"a.nii.gz", *(f"a_label-SC_{end}" for end in ("mask.nii.gz", "mask.json", "morph.tsv", "morph.json"))}
    assert set(names(tmp_path)) == few
    before = (tmp_path / "a_label-SC_mask.nii.gz").stat().st_mtime_ns

    code, err, summary = run(path)
    assert (code, summary["failed"]) == (73, 1)
    assert "--force" in err
    assert (tmp_path / "a_label-SC_mask.nii.gz").stat().st_mtime_ns == before
    assert set(names(tmp_path)) == few

    assert run(path, "--force")[0] == 0
    assert names(tmp_path) == sorted(["a.nii.gz", *expected_names("a")])
    # What is not asked for any more goes, so that nothing of another result stays beside the new one.
    assert run(path, "--force", "--no-probseg", "--no-report")[0] == 0
    assert set(names(tmp_path)) == {"a.nii.gz", *expected_names("a")} - {
        *("a_report.html", "a_label-SC_probseg.nii.gz", "a_label-SC_probseg.json"),
        *(f"a_res-detection_label-SCcenterline_probseg.{end}" for end in ("nii.gz", "json")),
    }


def test_a_name_that_only_the_heat_is_too_long_for_loses_the_heat_alone(run, tmp_path):
    stem = "a" * (255 - len("_label-SCcenterline_mask.nii.gz"))
    path = write_nifti(tmp_path / f"{stem}.nii.gz", cord())
    for words in ((), ("--force",)):
        assert run(path, *words)[0] == 0
        heat = {name for name in expected_names(stem) if "res-detection" in name}
        assert set(names(tmp_path)) == {path.name, *expected_names(stem)} - heat


def test_an_image_that_fails_now_keeps_no_earlier_result(run, tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", cord())
    run(path)
    write_nifti(path, np.random.default_rng(0).normal(size=(40, 40, 8)).astype(np.float32))
    code, err, summary = run(path, "--force")
    assert (code, summary["failed"], summary["exit"]) == (1, 1, 1)
    assert "No cord was found" in err
    assert names(tmp_path) == ["a.nii.gz"]


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (["none.nii.gz"], 66, "is not an image"),
        (["broken.nii.gz"], 65, "broken.nii.gz"),
        (["a.nii.gz", "--centerlin", "svm"], 64, "--centerlin"),
        (["a.nii.gz", "--threshold", "1.5"], 64, "A number from 0 to 1"),
        (["a.nii.gz", "--centerline", "file"], 64, "--centerline-file"),
        (["a.nii.gz", "b.nii.gz"], 64, "b.nii.gz"),
        ([], 64, "Usage: bids_deepseg segment"),
    ],
)
def test_wrong_calls_end_with_their_code_and_leave_nothing(run, tmp_path, words, code, text):
    write_nifti(tmp_path / "a.nii.gz", cord())
    (tmp_path / "broken.nii.gz").write_bytes(b"no image")
    found, err, summary = run(*words)
    assert (found, summary["exit"]) == (code, code)
    assert text in err
    assert names(tmp_path) == ["a.nii.gz", "broken.nii.gz"]


def test_a_mask_that_fails_is_written_and_counted(run, tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", cord((60, 60, 8), radius_mm=9.0))
    code, _, summary = run(path)
    sidecar = json.loads((tmp_path / "a_label-SC_mask.json").read_text())
    assert (code, summary["failed"], sidecar["QC"]["Verdict"]) == (1, 1, "fail")


def test_a_bug_is_told_as_one(run, tmp_path):
    path = write_nifti(tmp_path / "a.nii.gz", cord())
    code, err, _ = run(path, engine=FakeEngine(broken=True))
    assert code == 70
    assert "ZeroDivisionError" in err


def test_series_and_b_values_are_read_as_in_a_data_set(run, tmp_path):
    still, moved = cord(), np.roll(cord(), 6, axis=0)
    path = write_nifti(tmp_path / "series.nii.gz", np.stack([moved, still, still], -1))
    (tmp_path / "series.bval").write_text("0 1000 1000\n")
    assert run(path, "--contrast", "dwi", "-o", "dwi")[0] == 0
    assert run(path, "--volume", "1", "-o", "one")[0] == 0
    assert run(path, "-o", "first")[0] == 0
    masks = {
        name: np.asarray(nib.load(tmp_path / name / "series_label-SC_mask.nii.gz").dataobj)
        for name in ("dwi", "one", "first")
    }
    np.testing.assert_array_equal(masks["dwi"], masks["one"])
    np.testing.assert_array_equal(masks["first"], np.roll(masks["one"], 6, axis=0))
    assert "2 of 3" in json.loads((tmp_path / "dwi" / "series_label-SC_mask.json").read_text())["VolumesUsed"]


def test_help_names_every_option_of_the_method(capsys):
    assert cli.main(["segment", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"--{name}" in text for name in ("centerline", "kernel", "threshold", "brain", "weights", "force"))


def test_a_data_set_may_be_called_segment(run):
    """``segment OUT participant`` is a run."""
    assert run("out", "participant")[0] == 66


def test_the_page_names_the_command_that_gives_the_same_again(run, tmp_path):
    path, out = tmp_path / "my image.nii.gz", tmp_path / "out"
    write_nifti(path, cord())
    assert run(path, "--output", out, "--threshold", "0.4")[0] == 0
    page = out / "my image_report.html"
    before = page.read_bytes()
    (command,) = re.findall(r'<p class="command"><code>(.*?)</code>', before.decode())
    program, name, *words = shlex.split(html.unescape(command))
    assert (program, name, words) == ("bids_deepseg", "segment", [path.name, "--threshold=0.4", "--force"])
    assert run(path, *words[1:], "--output", out)[0] == 0
    assert page.read_bytes() == before
