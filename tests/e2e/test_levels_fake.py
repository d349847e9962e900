"""Vertebral levels and the participants of the source in whole runs."""

import json
import shutil
import subprocess

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.bids.source.validation import find_validator
from bids_deepseg.cli import main as cli
from bids_deepseg.files.tables import read_rows
from tests.helpers.fake_engine import FakeEngine, cord, files_of, summary_of, write_dataset, write_nifti

T2W = "sub-01/anat/sub-01_T2w"
MORPH = "sub-01/anat/sub-01_space-orig_label-SC_desc-T2w_morph"


@pytest.fixture
def data(tmp_path):
    data = write_dataset(tmp_path / "in")
    # Wide in the lower half, narrow in the upper one.
    image = np.concatenate([cord((40, 40, 8), 6.0), cord((40, 40, 8), 4.5)], 2)
    affine = nib.load(write_nifti(data / f"{T2W}.nii.gz", image)).affine
    labels = np.zeros(image.shape, np.uint8)
    labels[..., :8], labels[..., 8:14] = 5, 4
    write_nifti(tmp_path / "sct" / f"{T2W}_seg_labeled.nii.gz", labels, affine)
    (data / "participants.tsv").write_text("participant_id\tage\tsex\tdate\tqc\nsub-01\t30\tF\t2020-01-01\tgood\n")
    return data


@pytest.fixture
def run(data, tmp_path, capsys):
    def run(*words, levels=("participant", "group")):
        words = [data, tmp_path / "out", *levels, "--skip-bids-validation", *words]
        code = cli.main([*map(str, words)], engine=FakeEngine())
        return code, summary_of(capsys.readouterr().out)

    return run


def test_slices_and_the_group_have_levels_from_the_output_alone(run, data, tmp_path):
    out = tmp_path / "out"
    assert run("--derivatives", tmp_path / "sct", levels=("participant",))[0] == 0
    rows = read_rows(out / f"{MORPH}.tsv")
    assert [row["vertebral_level"] for row in rows] == ["5"] * 8 + ["4"] * 6 + ["n/a"] * 2
    told = json.loads((out / f"{MORPH}.json").read_text())["vertebral_level"]
    assert (told["DataSet"], told["File"], told["Levels"]["5"]) == ("sct", f"{T2W}_seg_labeled.nii.gz", "C5")
    shutil.rmtree(tmp_path / "sct")
    shutil.rmtree(data)
    data.mkdir()
    run(levels=("group",))
    table = read_rows(out / "group_label-SC_desc-levels_morph.tsv")
    assert [(row["vertebral_level"], row["level_name"], row["n_slices"]) for row in table] == [
        ("4", "C4", "6"),
        ("5", "C5", "8"),
    ]
    for row in table:
        areas = [float(slice_["area_mm2"]) for slice_ in rows if slice_["vertebral_level"] == row["vertebral_level"]]
        assert float(row["area_mean_mm2"]) == pytest.approx(np.mean(areas), abs=1e-3)
        assert float(row["area_median_mm2"]) == pytest.approx(np.median(areas), abs=1e-3)
    assert float(table[1]["area_mean_mm2"]) > 1.3 * float(table[0]["area_mean_mm2"])
    assert "group_label-SC_desc-levels_morph.tsv" in (out / "group.html").read_text()


def test_new_changed_and_lost_labels_make_the_image_due_again(run, tmp_path):
    assert run()[1]["done"] == 1
    assert not (tmp_path / "out" / "group_label-SC_desc-levels_morph.tsv").exists()
    assert run("--derivatives", tmp_path / "sct")[1]["done"] == 1
    assert run("--derivatives", tmp_path / "sct")[1]["skipped"] == 1
    labels = tmp_path / "sct" / f"{T2W}_seg_labeled.nii.gz"
    image = nib.load(labels)
    write_nifti(labels, np.asarray(image.dataobj) + 1, image.affine)
    assert run("--derivatives", tmp_path / "sct")[1]["done"] == 1
    assert run()[1]["done"] == 1
    assert not (tmp_path / "out" / "group_label-SC_desc-levels_morph.tsv").exists()


def test_labels_on_another_grid_are_told_and_the_mask_is_the_same(run, tmp_path):
    run()
    mask = tmp_path / "out" / f"{MORPH.replace('_morph', '_mask')}.nii.gz"
    before = mask.read_bytes()
    write_nifti(tmp_path / "sct" / f"{T2W}_seg_labeled.nii.gz", np.ones((4, 4, 4), np.uint8))
    assert run("-d", f"labels={tmp_path / 'sct'}")[0] == 0
    assert mask.read_bytes() == before
    reasons = json.loads(mask.with_name(mask.name.replace(".nii.gz", ".json")).read_text())["QC"]["Reasons"]
    assert "levels-ignored" in [reason["Code"] for reason in reasons]


def test_participants_of_the_source_are_joined_without_dates(run, data, tmp_path):
    run()
    verdict = json.loads((tmp_path / "out" / f"{MORPH.replace('_morph', '_mask')}.json").read_text())["QC"]["Verdict"]
    (row,) = read_rows(tmp_path / "out" / "participants.tsv")
    assert (row["age"], row["sex"], row["source_qc"], row["qc"]) == ("30", "F", "good", verdict)
    assert "date" not in row
    shutil.rmtree(data)
    data.mkdir()
    run(levels=("group",))
    (row,) = read_rows(tmp_path / "out" / "group_label-SC_morph.tsv")
    assert (row["age"], row["sex"], row["source_qc"]) == ("30", "F", "good")
    assert not any(
        "2020-01-01" in content.decode(errors="ignore") for content, _ in files_of(tmp_path / "out").values()
    )


@pytest.mark.skipif(find_validator() is None, reason="bids-validator-deno is not installed")
def test_the_validator_accepts_the_joined_table(run, tmp_path):
    run("--derivatives", tmp_path / "sct")
    done = subprocess.run(
        [find_validator(), str(tmp_path / "out"), "--format", "json"], capture_output=True, text=True, check=False
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    assert not [issue for issue in issues if "participants" in issue.get("location", "")]


def test_a_folder_that_is_not_there_ends_with_64(run, tmp_path):
    assert run("--derivatives", tmp_path / "nowhere")[0] == 64
