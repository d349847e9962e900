"""Echo-planar series in whole runs: only those that are asked for, and the mean of each."""

import json

import numpy as np
import pytest

from bids_deepseg.cli import main as cli
from tests.helpers.fake_engine import FakeEngine, cord, summary_of, write_dataset, write_nifti

BOLD = "sub-01/func/sub-01_task-rest_bold.nii.gz"
MASK = "sub-01/func/sub-01_task-rest_space-orig_label-SC_desc-bold_mask"


@pytest.fixture
def data(tmp_path):
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")
    write_nifti(data / BOLD, np.stack([cord(radius_mm=5.0) * factor for factor in (1.0, 2.0, 3.0)], 3))
    write_nifti(data / "sub-02/ses-a/func/sub-02_ses-a_task-rest_bold.nii.gz", np.stack([cord()] * 2, 3))
    (data / "sub-01/func/odd name.nii.gz").write_bytes(b"")
    return data


@pytest.fixture
def run(data, tmp_path, capsys):
    def run(*words, levels=("participant", "group")):
        words = [data, tmp_path / "out", *levels, "--skip-bids-validation", *words]
        code = cli.main([*map(str, words)], engine=FakeEngine())
        captured = capsys.readouterr()
        return code, summary_of(captured.out), captured.out + captured.err

    return run


def masks(tmp_path):
    return sorted(
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*SC_*mask.nii.gz")
    )


def test_func_is_not_looked_into_unless_its_suffixes_are_asked_for(run, tmp_path):
    code, summary, told = run()
    assert (code, summary["done"], summary["no_input"]) == (0, 1, 1)
    assert "odd name" not in told
    assert masks(tmp_path) == ["sub-01/anat/sub-01_space-orig_label-SC_desc-T2w_mask.nii.gz"]


def test_the_mean_of_each_series_that_is_asked_for_is_segmented(run, tmp_path):
    code, summary, told = run("--suffix", "bold")
    assert (code, summary["done"]) == (0, 2)
    assert "odd name" in told
    assert masks(tmp_path) == [
        f"{MASK}.nii.gz",
        "sub-02/ses-a/func/sub-02_ses-a_task-rest_space-orig_label-SC_desc-bold_mask.nii.gz",
    ]
    found = json.loads((tmp_path / "out" / f"{MASK}.json").read_text())
    assert found["VolumesUsed"] == "all 3 volumes"
    assert found["Options"]["contrast"] == "t2s"


def test_results_of_func_are_kept_reported_and_collected(run, tmp_path):
    run("--suffix", "bold", "T2w")
    code, summary, _ = run("--suffix", "bold", "T2w")
    assert (code, summary["done"], summary["skipped"]) == (0, 0, 3)
    assert "bold" in (tmp_path / "out" / "sub-01.html").read_text()
    assert BOLD in (tmp_path / "out" / "group_label-SC_morph.tsv").read_text()
    scans = (tmp_path / "out" / "sub-01" / "sub-01_scans.tsv").read_text()
    assert "func/sub-01_task-rest_space-orig_label-SC_desc-bold_mask.nii.gz" in scans


def test_a_volume_of_a_series_can_be_asked_for(run, tmp_path):
    run("--suffix", "bold", "--volume", "1")
    assert json.loads((tmp_path / "out" / f"{MASK}.json").read_text())["Options"]["volume"] == "1"


def test_a_filter_can_name_the_folder(run, tmp_path):
    path = tmp_path / "filter.json"
    path.write_text(json.dumps({"func": {"session": "a"}}))
    _, summary, _ = run("--suffix", "bold", "--bids-filter-file", str(path))
    assert summary["done"] == 1
    assert masks(tmp_path) == ["sub-02/ses-a/func/sub-02_ses-a_task-rest_space-orig_label-SC_desc-bold_mask.nii.gz"]


def test_a_single_series_outside_of_a_data_set_is_averaged_too(data, tmp_path):
    source = tmp_path / "x_bold.nii.gz"
    source.write_bytes((data / BOLD).read_bytes())
    assert cli.main(["segment", str(source), "-o", str(tmp_path / "one")], engine=FakeEngine()) == 0
    sidecar = next((tmp_path / "one").rglob("*_label-SC_mask.json"))
    assert json.loads(sidecar.read_text())["VolumesUsed"] == "all 3 volumes"
