"""What the detection network saw is kept, and stands on the page, or the page says why not."""

import json
import re

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.cli import main as cli
from bids_deepseg.geometry.volume import reorient
from tests.helpers.fake_engine import FakeEngine, summary_of, write_dataset, write_nifti
from tests.helpers.phantoms import oblique, tube

NAME = "sub-01/anat/sub-01_T2w"
HEAT = "sub-01/anat/sub-01_space-orig_res-detection_label-SCcenterline_desc-T2w_probseg"


@pytest.fixture
def data(tmp_path):
    """Return a data set with one oblique image, whose axes are not those of the networks."""
    root = write_dataset(tmp_path / "data", NAME)
    image = reorient(tube(oblique((40, 44, 12), (1.0, 0.8, 2.0)), radius_mm=5.0, supersample=3), ("P", "I", "R"))
    texture = np.random.default_rng(0).uniform(0, 5, image.data.shape).astype(np.float32)
    write_nifti(root / f"{NAME}.nii.gz", image.data * 200 + texture, image.grid.affine)
    return root


@pytest.fixture
def run(data, tmp_path, capsys):
    def start(*words):
        given = [str(data), str(tmp_path / "out"), "participant", "--skip-bids-validation", *map(str, words)]
        code = cli.main(given, engine=FakeEngine())
        return code, summary_of(capsys.readouterr().out)

    return start


def explorer_of(folder):
    page = (folder / "sub-01.html").read_text(encoding="utf-8")
    return json.loads(re.search(r'class="slices">(.*?)</script>', page, re.DOTALL)[1])


def centres(image):
    """Return the centres of mass (K, 3) in mm of the slices of a canonical image."""
    turned = nib.as_closest_canonical(image)
    values = turned.get_fdata()
    found = [
        (*(np.average(np.indices(part.shape)[n], weights=part) for n in (0, 1)), k)
        for k, part in enumerate(np.moveaxis(values, 2, 0))
        if part.max() > 0.5
    ]
    return nib.affines.apply_affine(turned.affine, found)


def test_the_heat_lies_where_the_cord_is(run, tmp_path):
    assert run()[0] == 0
    out = tmp_path / "out"
    heat = nib.load(out / f"{HEAT}.nii.gz")
    values = heat.get_fdata()
    assert 0 <= values.min() < 0.1
    assert 0.9 < values.max() <= 1
    np.testing.assert_allclose(values * 255, np.rint(values * 255), atol=1e-4)
    mask = nib.load(out / "sub-01/anat/sub-01_space-orig_label-SC_desc-T2w_mask.nii.gz")
    seen, drawn = centres(heat), centres(mask)
    assert len(seen) >= len(drawn) > 8
    for point in drawn:
        assert np.linalg.norm(seen - point, axis=1).min() < 1.0
    sidecar = json.loads((out / f"{HEAT}.json").read_text())
    assert sidecar["LabelMap"] == ["SCcenterline"]
    assert "Pixels of 1 x 1 mm" in sidecar["Resolution"]


def test_the_page_shows_the_heat_and_does_so_again_from_the_files(run, tmp_path):
    assert run()[0] == 0
    first = explorer_of(tmp_path / "out")
    assert first["has"]["heat"]
    assert first["heat_note"] == ""
    (tmp_path / "out" / "sub-01.html").unlink()
    assert run()[1]["skipped"] == 1
    assert explorer_of(tmp_path / "out") == first


def test_a_result_whose_heat_was_deleted_is_made_again(run, tmp_path):
    run()
    (tmp_path / "out" / f"{HEAT}.nii.gz").unlink()
    assert run()[1]["done"] == 1
    assert (tmp_path / "out" / f"{HEAT}.nii.gz").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--no-probseg",), "was not written (--no-probseg"),
        (("--no-centerline",), "was not written"),
        (("--centerline", "file", "--centerline-file", "{line}"), "The centerline was given"),
    ],
    ids=["no probseg", "no centerline", "given"],
)
def test_where_there_is_no_heat_the_page_says_why(run, tmp_path, words, told):
    line = tmp_path / "lines"
    line.mkdir()
    (line / "sub-01_T2w_centerline.csv").write_text("i,j,k\n23,1,10\n31,10,10\n")
    assert run(*(word.format(line=line) for word in words))[0] == 0
    assert not list((tmp_path / "out").rglob("*res-detection*"))
    shown = explorer_of(tmp_path / "out")
    assert not shown["has"]["heat"]
    assert told in shown["heat_note"]
    # What is not there is not missed.
    assert run(*(word.format(line=line) for word in words))[1]["skipped"] == 1


def test_heat_that_is_no_heat_is_a_damaged_result(run, tmp_path):
    run()
    path = tmp_path / "out" / f"{HEAT}.nii.gz"
    image = nib.load(path)
    nib.Nifti1Image(image.get_fdata() * 300, image.affine).to_filename(path)
    (tmp_path / "out" / "sub-01.html").unlink()
    cli.main(
        [str(tmp_path / "data"), str(tmp_path / "out"), "participant", "--skip-bids-validation", "--rerun", "failed"],
        engine=FakeEngine(),
    )
    page = (tmp_path / "out" / "sub-01.html").read_text(encoding="utf-8")
    assert "holds values that are not from 0 to 1" in page
