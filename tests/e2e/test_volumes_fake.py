"""Anatomical series in whole runs."""

import json
import subprocess

import numpy as np
import pytest

from bids_deepseg.bids.source.validation import find_validator
from bids_deepseg.cli import main as cli
from bids_deepseg.files.tables import read_rows
from tests.helpers.fake_engine import FakeEngine, cord, files_of, summary_of, write_dataset, write_nifti

SERIES = "sub-01/anat/sub-01_T2w.nii.gz"


@pytest.fixture
def data(tmp_path):
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T1w")
    volumes = [cord(radius_mm=4.0), cord(radius_mm=6.0), np.ones((40, 40, 8), np.float32)]
    volumes[2][0, 0, 0] = 2
    write_nifti(data / SERIES, np.stack(volumes, 3))
    return data


@pytest.fixture
def run(data, tmp_path, capsys):
    def run(*words, levels=("participant", "group")):
        words = [data, tmp_path / "out", *levels, "--skip-bids-validation", *words]
        code = cli.main([*map(str, words)], engine=FakeEngine())
        return code, summary_of(capsys.readouterr().out)

    return run


def sidecar(tmp_path, kind):
    path = tmp_path / "out" / "sub-01" / "anat" / f"sub-01_space-orig_label-SC_desc-{kind}_mask.json"
    return json.loads(path.read_text())


def test_the_first_volume_is_segmented_and_said_so(run, tmp_path):
    code, _ = run()
    assert code == 0
    found = sidecar(tmp_path, "T2w")
    assert found["Options"]["volume"] == "0"
    assert "one-volume" in [reason["Code"] for reason in found["QC"]["Reasons"]]
    assert "volume" not in sidecar(tmp_path, "T1w")["Options"]


def test_another_volume_makes_the_series_due_again_and_nothing_else(run, tmp_path):
    run()
    area = sidecar(tmp_path, "T2w")["Measures"]["MeanArea_mm2"]
    _, summary = run("--volume", "1")
    assert (summary["done"], summary["skipped"]) == (1, 1)
    assert sidecar(tmp_path, "T2w")["Measures"]["MeanArea_mm2"] > 1.5 * area
    before = files_of(tmp_path / "out")
    assert run("--volume", "1")[1]["skipped"] == 2
    assert files_of(tmp_path / "out") == before


def test_each_volume_has_results_failures_rows_and_a_place_in_the_report(run, tmp_path):
    code, summary = run("--volume", "each")
    assert (code, summary["done"], summary["failed"]) == (1, 3, 1)
    areas = [sidecar(tmp_path, kind)["Measures"]["MeanArea_mm2"] for kind in ("T2wvol0", "T2wvol1")]
    assert areas[1] > 1.5 * areas[0]
    assert sidecar(tmp_path, "T2wvol1")["Volume"] == 1
    rows = {row["image"]: row for row in read_rows(tmp_path / "out" / "group_label-SC_morph.tsv")}
    assert {f"{SERIES}#{number}" for number in range(3)} < set(rows)
    assert rows[f"{SERIES}#2"]["verdict"] == "n/a"
    assert rows[f"{SERIES}#2"]["desc"] == "T2wvol2"
    page = (tmp_path / "out" / "sub-01.html").read_text()
    assert all(f"{SERIES}#{number}" in page for number in range(3))
    descriptions = {row["desc_id"]: row["description"] for row in read_rows(tmp_path / "out" / "descriptions.tsv")}
    assert descriptions["desc-T2wvol1"] == "Spinal cord segmented on T2w with volume 1 of the series, from 0"
    assert run("--volume", "each", "--rerun", "missing")[1]["skipped"] == 3
    before = files_of(tmp_path / "out")
    run("--volume", "each")
    assert files_of(tmp_path / "out") == before


@pytest.mark.skipif(find_validator() is None, reason="bids-validator-deno is not installed")
def test_the_validator_accepts_the_names(run, tmp_path):
    run("--volume", "each")
    done = subprocess.run(
        [find_validator(), str(tmp_path / "out"), "--format", "json"], capture_output=True, text=True, check=False
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [issue for issue in issues if issue["severity"] == "error"] == []


def test_what_is_no_volume_ends_with_64(run):
    assert run("--volume", "last")[0] == 64
    assert run("--volume", "-1")[0] == 64
