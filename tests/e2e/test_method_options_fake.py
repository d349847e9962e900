"""The options of the method through the whole app, with simple functions in place of the networks."""

import csv
import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.cli import main as cli
from bids_deepseg.execution import resources
from tests.helpers.fake_engine import FakeEngine, cord, summary_of, write_dataset, write_nifti

STEM = "sub-01_space-orig_label-SC_desc-T2w"
CENTERLINE = "sub-01/anat/sub-01_space-orig_label-SC_desc-T2w_centerline.tsv"


@pytest.fixture
def data(tmp_path):
    return write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")


@pytest.fixture
def run(capsys, monkeypatch, data, tmp_path):
    """Return a function that runs the app and returns code, error text and summary."""
    monkeypatch.setattr(resources, "_affinity", lambda: 1)

    def run(*words, out="out"):
        start = [data, tmp_path / out, "participant", "--skip-bids-validation"]
        code = cli.main([str(word) for word in [*start, *words]], engine=FakeEngine())
        text, err = capsys.readouterr()
        return code, err, summary_of(text)

    return run


def result(folder, ending="mask.nii.gz"):
    path = folder / "sub-01" / "anat" / f"{STEM}_{ending}"
    return json.loads(path.read_text()) if ending.endswith(".json") else np.asarray(nib.load(path).dataobj)


def test_the_default_states_no_setting(run, tmp_path):
    run()
    assert result(tmp_path / "out", "mask.json")["Options"] == {"contrast": "t2"}


def test_a_threshold_acts_on_the_probability_in_the_voxels_of_the_image(run, tmp_path):
    for threshold in ("0.2", "0.9"):
        code, err, _ = run("--threshold", threshold, out=threshold)
        assert code == 0, err
        mask, probability = result(tmp_path / threshold), result(tmp_path / threshold, "probseg.nii.gz")
        # One object without holes: the phantom has nothing that the clean-up would change.
        np.testing.assert_array_equal(mask, probability >= np.float32(threshold))
        sidecar = result(tmp_path / threshold, "mask.json")
        assert sidecar["Threshold"] == sidecar["Options"]["threshold"] == float(threshold)
    assert result(tmp_path / "0.2").sum() > result(tmp_path / "0.9").sum()


def test_another_threshold_is_another_state(run, tmp_path):
    run()
    assert run()[2]["skipped"] == 1
    assert run("--threshold", "0.3")[2]["done"] == 1
    assert result(tmp_path / "out", "mask.json")["Threshold"] == 0.3
    text = (tmp_path / "out" / "logs" / "CITATION.md").read_text()
    assert "Option `threshold`" in text
    assert "`0.3` (1)" in text


def test_the_probability_does_not_depend_on_the_threshold(run, tmp_path):
    for limit in ("0.2", "0.5", "0.8"):
        run("--rescue", "off", "--threshold", limit, out=limit)
    low, usual, high = (tmp_path / limit for limit in ("0.2", "0.5", "0.8"))
    np.testing.assert_array_equal(result(low, "probseg.nii.gz"), result(usual, "probseg.nii.gz"))
    np.testing.assert_array_equal(result(high, "probseg.nii.gz"), result(usual, "probseg.nii.gz"))
    assert result(low).sum() > result(usual).sum() > result(high).sum()


def test_a_soft_result_is_left_as_it_is(run, data, tmp_path):
    """A second bright tube beside the cord: the clean-up removes it, a soft result keeps it."""
    image = cord((60, 60, 8)) + np.roll(cord((60, 60, 8), radius_mm=2.0), 13, axis=0)
    write_nifti(data / "sub-01" / "anat" / "sub-01_T2w.nii.gz", image)
    run("--rescue", "off", out="clean")
    code, err, _ = run("--threshold", "soft", "--rescue", "off", out="soft")
    assert code in (0, 1), err
    probability = result(tmp_path / "soft", "probseg.nii.gz")
    np.testing.assert_array_equal(probability, result(tmp_path / "clean", "probseg.nii.gz"))
    np.testing.assert_array_equal(result(tmp_path / "soft"), probability >= 0.5)
    assert result(tmp_path / "clean").sum() < result(tmp_path / "soft").sum()
    sidecar = result(tmp_path / "soft", "mask.json")
    assert (sidecar["Options"]["threshold"], sidecar["Threshold"]) == ("soft", 0.5)
    assert run("--threshold", "soft", "--no-probseg")[0] == 64


def test_a_given_centerline_is_looked_up_by_name_and_decides_on_the_state(run, data, tmp_path):
    run(out="first")
    given = tmp_path / "given" / CENTERLINE
    given.parent.mkdir(parents=True)
    shutil.copy(tmp_path / "first" / CENTERLINE, given)
    code, err, _ = run("--centerline", "file", "--centerline-file", tmp_path / "given")
    assert code == 0, err
    sidecar = result(tmp_path / "out", "mask.json")
    assert sidecar["Options"]["centerline"] == "file"
    assert len(sidecar["GivenInputs"]["Centerline"]) == 64
    np.testing.assert_array_equal(result(tmp_path / "out"), result(tmp_path / "first"))

    # A file says by itself where the centerline comes from; another content is another state.
    assert run("--centerline-file", tmp_path / "given")[2]["skipped"] == 1
    lines = given.read_text().splitlines()
    given.write_text("\n".join([lines[0], *lines[3:6]]) + "\n")
    assert run("--centerline-file", tmp_path / "given")[2]["done"] == 1
    kept = result(tmp_path / "out").any((0, 1))
    assert kept.sum() == 3
    with (tmp_path / "out" / CENTERLINE).open() as file:
        assert len(list(csv.reader(file))) == 4

    given.unlink()
    code, err, summary = run("--centerline-file", tmp_path / "given")
    assert (code, summary["failed"]) == (65, 1)
    assert "No centerline of sub-01_T2w was found" in err
    assert not (tmp_path / "out" / CENTERLINE).exists()


def test_a_folder_of_centerlines_must_be_there(run, tmp_path):
    code, err, _ = run("--centerline-file", tmp_path / "none")
    assert code == 64
    assert "is not a folder" in err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ("--threshold 2", "A number from 0 to 1"),
        ("--threshold many", "A number from 0 to 1"),
        ("--threshold nan", "A number from 0 to 1"),
        ("--centerline file", "--centerline-file"),
        ("--centerline viewer", "bids_deepseg viewer"),
        ("--centerline svm --centerline-file /", "contradict"),
        ("--centerline svm --brain yes", "no effect"),
        ("--weights sct", "--weights-dir"),
        ("--weights own --weights-dir /", "belong together"),
        ("--weights-dir / --kernel 3d", "leave out --kernel 3d"),
    ],
)
def test_settings_that_make_no_sense_are_refused(run, words, text):
    code, err, _ = run(*words.split())
    assert code == 64
    assert text in err
