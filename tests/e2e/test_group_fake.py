"""The group level of whole runs: everything from the output folder."""

import json
import shutil

import pytest

from bids_deepseg.cli import main as cli
from bids_deepseg.files.tables import read_rows
from tests.helpers.fake_engine import FakeEngine, cord, files_of, summary_of, write_dataset, write_nifti

RADII = {"01": 5.0, "02": 5.2, "03": 4.6, "04": 4.8, "05": 5.4, "06": 6.6}
TABLE, PAIRS = "group_label-SC_morph.tsv", "group_label-SC_desc-retest_morph.tsv"


@pytest.fixture
def run(capsys):
    """Return a function that runs the app in this process and returns code, error text and summary."""

    def run(*words):
        code = cli.main([*map(str, words), "--skip-bids-validation"], engine=FakeEngine())
        out, err = capsys.readouterr()
        return code, err, summary_of(out)

    return run


@pytest.fixture
def data(tmp_path):
    data = write_dataset(tmp_path / "in")
    for label, radius in RADII.items():
        for name in (f"sub-{label}_T2w", f"sub-{label}_run-1_T1w"):
            write_nifti(data / f"sub-{label}" / "anat" / f"{name}.nii.gz", cord(radius_mm=radius))
    write_nifti(data / "sub-02" / "anat" / "sub-02_run-2_T1w.nii.gz", cord(radius_mm=5.0))
    (data / "sub-03" / "anat" / "sub-03_T2w.nii.gz").write_bytes(b"")
    (data / "sub-04" / "anat" / "sub-04_run-1_T1w.nii.gz").unlink()
    (data / "sub-07" / "anat").mkdir(parents=True)
    write_nifti(data / "sub-07" / "anat" / "sub-07_FLAIR.nii.gz", cord())
    return data


def test_outliers_repetitions_failures_and_missing_images_are_told(run, data, tmp_path):
    output = tmp_path / "out"
    run(data, output, "participant")
    shutil.rmtree(data)
    code, err, _ = run(tmp_path / "empty", output, "group")
    assert code == 0
    assert "No participants.tsv of the source is joined" in err
    rows = {row["image"].rpartition("/")[2]: row for row in read_rows(output / TABLE)}
    assert len(rows) == 12
    assert {name for name, row in rows.items() if row["area_outlier"] == "yes"} <= {
        "sub-06_T2w.nii.gz",
        "sub-06_run-1_T1w.nii.gz",
    }
    assert rows["sub-06_run-1_T1w.nii.gz"]["desc"] == "T1w"
    failed = rows["sub-03_T2w.nii.gz"]
    assert (failed["desc"], failed["area_outlier"]) == ("T2w", "n/a")
    (pair,) = read_rows(output / PAIRS)
    assert (pair["participant_id"], pair["between"]) == ("sub-02", "run")
    one, two = float(pair["area_1_mm2"]), float(pair["area_2_mm2"])
    assert float(pair["difference_percent"]) == pytest.approx(200 * (two - one) / (one + two), abs=0.01)
    for name, table in (("group_label-SC_morph", rows["sub-03_T2w.nii.gz"]), (PAIRS[:-4], pair)):
        assert list(json.loads((output / f"{name}.json").read_text()))[1:] == list(table)
    page = (output / "group.html").read_text()
    missing = page.split('id="absent"')[1]
    assert "sub-07" in missing
    assert "FLAIR" in missing
    assert "5 of 6 participants have one" in missing
    assert "sub-03.html" in page
    assert "bad-image" in page


def test_the_same_again_changes_no_byte_and_later_results_are_taken_up(run, data, tmp_path):
    output = tmp_path / "out"
    run(data, output, "participant", "group")
    before = files_of(output)
    run(data, output, "participant", "group")
    assert files_of(output) == before
    shutil.rmtree(output / "sub-02" / "anat")
    run(tmp_path, output, "group")
    assert not (output / PAIRS).exists()
    assert not (output / PAIRS).with_suffix(".json").exists()


@pytest.mark.parametrize("place", ["sourcedata", "sourcedata/raw"])
def test_participants_of_the_source_are_joined_where_a_copy_is_there(run, data, tmp_path, place):
    output = tmp_path / "out"
    run(data, output, "participant")
    (output / place).mkdir(parents=True)
    table = "participant_id\tage\tdesc\nsub-01\t33\tpatient\nsub-99\t50\tcontrol\n"
    (output / place / "participants.tsv").write_text(table)
    _, err, _ = run(data, output, "group")
    assert "joined" not in err
    rows = {row["participant_id"]: row for row in read_rows(output / TABLE)}
    assert (rows["sub-01"]["age"], rows["sub-01"]["source_desc"]) == ("33", "patient")
    assert (rows["sub-02"]["age"], rows["sub-02"]["desc"] in ("T1w", "T2w")) == ("n/a", True)
    assert "age, desc" in (output / "group.html").read_text()
    assert "age" in json.loads((output / TABLE).with_suffix(".json").read_text())
