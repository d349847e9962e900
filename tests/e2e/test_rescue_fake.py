"""What the rescue tried is in sidecar, report and exit code; without it, nothing is tried."""

import json

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.cli import main as cli
from bids_deepseg.execution import resources
from tests.helpers.fake_engine import FakeEngine, summary_of, write_dataset, write_nifti
from tests.helpers.phantoms import grid_of, tube

SIDECAR = "sub-{}/anat/sub-{}_space-orig_label-SC_desc-T2w_mask.json"


@pytest.fixture
def data(tmp_path):
    """Write a good image, one whose cord only a smoothed image shows, and one with a cord that is too large."""
    folder = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")
    for label, radius in (("02", 1.6), ("03", 8.0)):
        image = tube(grid_of((50, 50, 20)), radius_mm=radius).data * 200
        write_nifti(folder / f"sub-{label}/anat/sub-{label}_T2w.nii.gz", image.astype(np.float32))
    return folder


@pytest.fixture
def run(capsys, monkeypatch, data, tmp_path):
    monkeypatch.setattr(resources, "_affinity", lambda: 1)

    def run(*words):
        out = tmp_path / "-".join(["out", *words])
        code = cli.main([str(data), str(out), "participant", "--skip-bids-validation", *words], engine=FakeEngine())
        return code, out, summary_of(capsys.readouterr()[0])

    return run


def test_a_rescued_image_says_so_and_a_hopeless_one_fails(run):
    # The second cord is so small that the border by the image takes it below the smallest area.
    code, out, summary = run("--border", "network")
    assert (summary["done"], summary["failed"], code) == (2, 1, 1)
    good, rescued, hopeless = (json.loads((out / SIDECAR.format(n, n)).read_text()) for n in ("01", "02", "03"))
    assert "Rescue" not in good
    assert [one["Kept"] for one in rescued["Rescue"]].count(True) == 1
    assert rescued["Rescue"][0]["Verdict"] == "cord-not-found"
    assert rescued["QC"]["Verdict"] == "warn"
    assert "rescued" in [reason["Code"] for reason in rescued["QC"]["Reasons"]]
    assert hopeless["QC"]["Verdict"] == "fail"
    assert hopeless["Rescue"][0]["Kept"]
    large = next(reason for reason in hopeless["QC"]["Reasons"] if reason["Code"] == "area-range")
    assert large["Value"] > large["Limit"] == 150
    page = (out / "sub-02.html").read_text()
    kept = next(one for one in rescued["Rescue"] if one["Kept"])
    mask = nib.as_closest_canonical(nib.load(out / SIDECAR.format("02", "02").replace(".json", ".nii.gz"))).get_fdata()
    present = np.flatnonzero(mask.any((0, 1)))
    assert [row[0] for row in kept["Extent"]] == list(range(present[0], present[-1] + 1))
    assert "Extent" not in rescued["Rescue"][0]
    assert page.count("Mask of the method") == sum("Extent" in one for one in rescued["Rescue"])
    # Drawn again from the files, the page is the same.
    (out / "sub-02.html").unlink()
    run("--border", "network")
    assert (out / "sub-02.html").read_text() == page
    assert "Methods that were tried" in page
    assert "image without noise (kept)" in page
    assert "Methods that were tried" not in (out / "sub-01.html").read_text()


def test_without_rescue_nothing_else_is_tried(run):
    code, out, summary = run("--rescue", "off")
    assert (summary["done"], summary["failed"], code) == (1, 2, 1)
    assert not (out / SIDECAR.format("02", "02")).exists()
    assert "Rescue" not in json.loads((out / SIDECAR.format("03", "03")).read_text())
