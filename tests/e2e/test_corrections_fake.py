"""Masks and centerlines that a person corrected replace the automatic ones, and nothing else changes."""

import json

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.bids.derivatives.judgements import CORD_KEY, read_list
from bids_deepseg.cli import main as cli
from bids_deepseg.execution import resources
from bids_deepseg.files.tables import read_columns, read_rows
from tests.helpers.fake_engine import FakeEngine, cord, files_of, summary_of, write_dataset, write_nifti
from tests.helpers.phantoms import grid_of, tube

OWN = "sub-01/anat/sub-01_space-orig_label-SC_desc-T2w"


@pytest.fixture
def data(tmp_path):
    return write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w", "sub-02/anat/sub-02_T2w")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture
def engine(tmp_path):
    (tmp_path / "trace").mkdir()
    return FakeEngine(tmp_path / "trace")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "corrections").mkdir()
    return tmp_path / "corrections"


@pytest.fixture
def run(capsys, monkeypatch, data, out, engine):
    """Return a function that runs the app and returns code, error text and summary."""
    monkeypatch.setattr(resources, "_affinity", lambda: 1)

    def run(*words, engine=engine):
        start = [data, out, "participant", "--skip-bids-validation"]
        code = cli.main([str(word) for word in [*start, *words]], engine=engine)
        text, err = capsys.readouterr()
        return code, err, summary_of(text)

    return run


def drawn(radius_mm=4.0):
    """Return a mask that the fake engine would not make: smaller, and off the axis."""
    shifted = np.roll(tube(grid_of((40, 40, 8)), radius_mm=radius_mm, supersample=1).data, 2, axis=0)
    return (shifted > 0.5).astype(np.uint8)


def sidecar(out, stem=OWN, suffix="mask"):
    return json.loads((out / f"{stem}_{suffix}.json").read_text())


def mask_of(out, stem=OWN):
    return np.asarray(nib.load(out / f"{stem}_mask.nii.gz").dataobj)


def test_a_drawn_mask_replaces_the_automatic_one(run, out, folder, engine):
    run()
    automatic = files_of(out)
    n_before = engine.count("segment")
    mask = drawn()
    write_nifti(folder / "sub-01" / "anat" / "sub-01_T2w_seg-manual.nii.gz", mask)
    about = {"GeneratedBy": [{"Name": "Manual", "Author": "A. One", "Date": "2026-11-22 10:00:00"}]}
    (folder / "sub-01" / "anat" / "sub-01_T2w_seg-manual.json").write_text(json.dumps(about))

    code, err, summary = run("--corrections", folder)
    assert (code, summary["done"], summary["skipped"]) == (0, 1, 1)
    assert "Corrected by hand: 1 masks, 0 centerlines." in err
    assert (engine.count("segment"), engine.count("load")) == (n_before, 1)
    assert (mask_of(out) == mask).all()
    assert not (out / f"{OWN}_probseg.nii.gz").exists()
    content = sidecar(out)
    assert content["Manual"] is True
    assert content["GeneratedBy"][1] == {"Name": "Manual", "Author": "A. One", "Date": "2026-11-22 10:00:00"}
    assert content["Correction"]["File"] == "sub-01_T2w_seg-manual.nii.gz"
    assert len(content["Correction"]["SHA256"]) == 64
    assert (content["Model"], "Threshold" in content) == ([], False)
    # Everything that is told follows from the mask that was drawn.
    area = mask.sum() / mask.shape[2]
    assert content["Measures"] == {"MeanArea_mm2": pytest.approx(area, rel=1e-3), "Slices": 8}
    morph = read_columns(out / f"{OWN}_morph.tsv")
    np.testing.assert_allclose(morph["area_mm2"], mask.sum((0, 1)), rtol=1e-3)
    assert np.isnan(morph["probability_mean"]).all()
    centre = grid_of((40, 40, 8)).voxel_to_world(np.argwhere(mask).mean(0))
    np.testing.assert_allclose(read_columns(out / f"{OWN}_centerline.tsv")["x_mm"], centre[0], atol=1e-3)
    page = (out / "sub-01.html").read_text()
    assert "corrected by hand by A. One" in page
    text = (out / "logs" / "CITATION.md").read_text()
    assert "In 1 image, the mask was corrected by hand" in text
    assert "thresholded at 0.5" in text
    # The other participant is as it was.
    kept = {name: content for name, content in automatic.items() if "sub-02" in name}
    assert {name: content for name, content in files_of(out).items() if "sub-02" in name} == kept


def test_runs_resume_and_repeat_by_the_content_of_the_correction(run, out, folder):
    path = write_nifti(folder / "sub-01_T2w_label-SC_seg.nii.gz", drawn())
    run("--corrections", folder)
    before = files_of(out)
    assert run("--corrections", folder)[2]["skipped"] == 2
    assert files_of(out) == before
    write_nifti(path, drawn(radius_mm=3.0))
    code, _, summary = run("--corrections", folder, "--rerun", "changed")
    assert (code, summary["done"], summary["skipped"]) == (0, 1, 1)
    assert (mask_of(out) == drawn(radius_mm=3.0)).all()
    # Without the option, or without the file, the automatic result comes back.
    assert run()[2]["done"] == 1
    assert sidecar(out)["Manual"] is False
    assert (out / f"{OWN}_probseg.nii.gz").exists()


def test_labels_inside_of_the_data_set_are_never_used_by_themselves(run, out, data):
    write_nifti(data / "derivatives" / "labels" / f"{OWN}_mask.nii.gz", drawn())
    run()
    assert sidecar(out)["Manual"] is False
    code, _, summary = run("--corrections", data / "derivatives" / "labels")
    assert (code, summary["done"], summary["skipped"]) == (0, 1, 1)
    assert (mask_of(out) == drawn()).all()


def test_no_network_is_loaded_when_every_mask_was_drawn(run, folder, engine):
    for label in ("01", "02"):
        write_nifti(folder / f"sub-{label}_T2w_seg-manual.nii.gz", drawn())
    unloadable = FakeEngine(engine.trace, unloadable=True)
    code, _, summary = run("--corrections", folder, engine=unloadable)
    assert (code, summary["done"], engine.count("load"), engine.count("segment")) == (0, 2, 0, 0)


def test_a_corrected_centerline_leads_the_networks(run, out, data, folder, engine):
    """Two cords in the image: the networks segment the one that the person points at."""
    both = np.maximum(np.roll(cord((60, 40, 8)), 14, axis=0), np.roll(cord((60, 40, 8)), -14, axis=0) * 0.9)
    write_nifti(data / "sub-01" / "anat" / "sub-01_T2w.nii.gz", both)
    grid = grid_of((60, 40, 8))
    found = []
    for side in (-14, 14):
        points = grid.voxel_to_world([[29.5 + side, 19.5, 0], [29.5 + side, 19.5, 7]])
        lines = ["x_mm,y_mm,z_mm", *(",".join(f"{value:.2f}" for value in point) for point in points)]
        (folder / "sub-01_T2w_centerline-manual.csv").write_text("\n".join(lines) + "\n")
        (folder / "sub-01_T2w_centerline-manual.json").write_text('{"Author": "B. Two"}')
        code, err, summary = run("--corrections", folder, "--participant-label", "01")
        assert (code, summary["done"]) == (0, 1)
        assert "Corrected by hand: 0 masks, 1 centerlines." in err
        found.append(np.argwhere(mask_of(out)).mean(0)[0])
        content = sidecar(out)
        assert content["Manual"] is False
        assert (content["Correction"]["Kind"], content["Correction"]["Author"]) == ("centerline", "B. Two")
        assert content["Options"]["centerline"] == "file"
        assert sidecar(out, "sub-01/anat/sub-01_space-orig_label-SCcenterline_desc-T2w")["Manual"] is True
    np.testing.assert_allclose(found, [15.5, 43.5], atol=0.5)
    assert run("--corrections", folder, "--participant-label", "01")[2]["skipped"] == 1


def test_a_corrected_centerline_counts_for_models_that_know_their_settings(run, out, data, folder, engine):
    both = np.maximum(np.roll(cord((60, 40, 8)), 14, axis=0), np.roll(cord((60, 40, 8)), -14, axis=0) * 0.9)
    for label in ("01", "02"):
        write_nifti(data / f"sub-{label}" / "anat" / f"sub-{label}_T2w.nii.gz", both)
        (folder / f"sub-{label}_T2w_centerline-manual.csv").write_text("i,j,k\n15.5,19.5,0\n15.5,19.5,7\n")
    code, _, summary = run("--corrections", folder, engine=FakeEngine(engine.trace))
    assert (code, summary["done"], engine.count("load")) == (0, 2, 1)
    for label in ("01", "02"):
        stem = f"sub-{label}/anat/sub-{label}_space-orig_label-SC_desc-T2w"
        assert np.argwhere(mask_of(out, stem)).mean(0)[0] == pytest.approx(15.5, abs=0.5)


def test_a_mask_of_another_grid_fails_its_image_alone(run, out, folder):
    run()
    write_nifti(folder / "sub-01_T2w_seg-manual.nii.gz", drawn()[:-1])
    code, err, summary = run("--corrections", folder)
    assert (code, summary["failed"], summary["skipped"]) == (65, 1, 1)
    assert "does not have the voxels of its image: it has 39 x 40 x 8 voxels" in err
    # The automatic mask does not stay in the place of the one that was meant to replace it.
    assert not (out / f"{OWN}_mask.nii.gz").exists()


def test_files_that_belong_to_no_image_are_named(run, folder):
    write_nifti(folder / "sub-01_T1w_seg-manual.nii.gz", drawn())
    _, err, _ = run("--corrections", folder)
    assert "Corrections that belong to no selected image, and are not used: sub-01_T1w_seg-manual.nii.gz." in err


def test_wrong_folders_are_refused(run, out, folder):
    code, err, _ = run("--corrections", folder / "none")
    assert (code, "does not exist" in err) == (64, True)
    code, err, _ = run("--corrections", out)
    assert code == 64
    run()
    code, err, _ = run("--corrections", out)
    assert (code, "is the output folder" in err) == (64, True)


def test_the_group_level_reads_and_writes_the_lists_of_a_review(run, out, data, folder, capsys):
    write_nifti(folder / "sub-01_T2w_seg-manual.nii.gz", drawn())
    (write_nifti(data / "sub-03" / "anat" / "sub-03_T2w.nii.gz", cord())).write_bytes(b"")
    run("--corrections", folder)
    group = [str(data), str(out), "group"]
    assert cli.main(group, engine=FakeEngine()) == 0
    rows = read_rows(out / "group_label-SC_morph.tsv")
    assert [(row["manual"], row["review"]) for row in rows] == [("yes", "n/a"), ("no", "n/a"), ("n/a", "n/a")]
    assert read_list(out / "logs" / "qc_fail.yml") == {CORD_KEY: ("sub-03/anat/sub-03_T2w.nii.gz",)}
    assert not (out / "logs" / "qc_artifact.yml").exists()

    (out / "sourcedata").mkdir()
    (out / "sourcedata" / "qc_fail.yml").write_text("FILES_SEG:\n- sub-01_T2w.nii.gz\n- sub-09_T2w.nii.gz\n")
    (out / "sourcedata" / "qc_artifact.yml").write_text("FILES_SEG:\n- sub-02_T2w.nii.gz\n")
    capsys.readouterr()
    assert cli.main(group, engine=FakeEngine()) == 0
    assert "not among the results: sub-09_T2w" in capsys.readouterr().err
    rows = read_rows(out / "group_label-SC_morph.tsv")
    assert [row["review"] for row in rows] == ["fail", "artifact", "n/a"]
    assert read_list(out / "logs" / "qc_fail.yml") == {
        CORD_KEY: ("sub-01/anat/sub-01_T2w.nii.gz", "sub-03/anat/sub-03_T2w.nii.gz")
    }
    assert read_list(out / "logs" / "qc_artifact.yml") == {CORD_KEY: ("sub-02/anat/sub-02_T2w.nii.gz",)}

    (out / "sourcedata" / "qc_fail.yml").write_text("what: is this\n")
    assert cli.main(group, engine=FakeEngine()) == 64


def test_a_dry_run_names_the_corrections(run, out, folder, data, capsys):
    write_nifti(folder / "sub-01_T2w_seg-manual.nii.gz", drawn())
    words = [data, out, "participant", "--corrections", folder, "--dry-run", "--log-format", "json"]
    assert cli.main([str(word) for word in words], engine=FakeEngine()) == 0
    first, second = json.loads(capsys.readouterr().out.splitlines()[0])["images"]
    assert first["reason"].endswith("mask corrected by hand: sub-01_T2w_seg-manual.nii.gz")
    assert [any("probseg" in name for name in planned["outputs"]) for planned in (first, second)] == [False, True]
