"""A13 and A18: each image that cannot be segmented has a named status, others go on; the group level needs no input."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.files.tables import read_rows
from tests.helpers.fake_engine import cord, files_of, write_dataset, write_nifti
from tests.helpers.phantoms import grid_of

LEVELS = ("participant", "group")
ANNEX_POINTER = "/annex/objects/MD5E-s7--321.nii.gz\n"


def write_bad_images(data):
    """Write one image of each kind that cannot be segmented; return the expected status of each."""
    good = cord()
    anat = data / "sub-bad" / "anat"
    truncated = write_nifti(anat / "sub-bad_acq-truncated_T2w.nii.gz", good)
    truncated.write_bytes(truncated.read_bytes()[:2000])
    (anat / "sub-bad_acq-text_T2w.nii.gz").write_text("no image")
    (anat / "sub-bad_acq-empty_T2w.nii.gz").touch()
    (anat / "sub-bad_acq-folder_T2w.nii.gz").mkdir()
    write_nifti(anat / "sub-bad_acq-fivedim_T2w.nii.gz", np.zeros((*good.shape, 2, 2)) + good[..., None, None])
    write_nifti(anat / "sub-bad_acq-zero_T2w.nii.gz", np.zeros_like(good))
    write_nifti(anat / "sub-bad_acq-nan_T2w.nii.gz", np.full_like(good, np.nan))
    path = write_nifti(anat / "sub-bad_acq-checksum_T2w.nii.gz", good)
    content = bytearray(path.read_bytes())
    content[-8] ^= 1
    path.write_bytes(content)
    flat = np.diag([1.0, 0.0, 1.0, 1.0])
    path = write_nifti(anat / "sub-bad_acq-affine_T2w.nii", good)
    content = bytearray(path.read_bytes())
    content[280:328] = flat[:3].astype("<f4").tobytes()
    path.write_bytes(content)
    (anat / "sub-bad_acq-link_T2w.nii.gz").symlink_to("../.git/annex/objects/gone")
    (anat / "sub-bad_acq-pointer_T2w.nii.gz").write_text(ANNEX_POINTER)
    (anat / "sub-bad_acq-unreadable_T2w.nii.gz").symlink_to("/proc/self/mem")
    stripes = np.zeros_like(good)
    stripes[::2] = 100
    write_nifti(anat / "sub-bad_acq-cordless_T2w.nii.gz", stripes)
    bad = ("truncated", "text", "empty", "folder", "fivedim", "zero", "nan", "checksum", "affine", "unreadable")
    return {
        **dict.fromkeys(bad, "bad-image"),
        **dict.fromkeys(("link", "pointer"), "not-fetched"),
        "cordless": "cord-not-found",
    }


def write_odd_images(data):
    """Write one image of each odd kind that can be segmented; return the number of images."""
    good = cord()
    anat = data / "sub-odd" / "anat"
    affine = grid_of(good.shape).affine
    write_nifti(anat / "sub-odd_acq-plain_T2w.nii.gz", good)
    write_nifti(anat / "sub-odd_acq-uncompressed_T2w.nii", good)
    write_nifti(anat / "sub-odd_acq-plane_T2w.nii.gz", good[..., 4], affine)
    write_nifti(anat / "sub-odd_acq-trailing_T2w.nii.gz", good[..., None])
    write_nifti(anat / "sub-odd_acq-series_T2starw.nii.gz", np.stack([good, good], -1))
    with_nan = good.copy()
    with_nan[0, 0, 0] = np.nan
    write_nifti(anat / "sub-odd_acq-nan_T2w.nii.gz", with_nan)
    turned = nib.Nifti1Image(good, affine).as_reoriented([[2, 1], [0, -1], [1, 1]])
    turned.to_filename(anat / "sub-odd_acq-turned_T2w.nii.gz")
    (anat / "sub-odd_acq-disguised_T2w.nii.gz").write_bytes((anat / "sub-odd_acq-uncompressed_T2w.nii").read_bytes())
    (anat / "sub-odd_acq-gzipped_T2w.nii").write_bytes((anat / "sub-odd_acq-plain_T2w.nii.gz").read_bytes())
    (anat / "sub-odd_acq-linked_T2w.nii.gz").symlink_to("sub-odd_acq-plain_T2w.nii.gz")
    write_nifti(data / "sub-odd" / "dwi" / "sub-odd_dwi.nii.gz", np.stack([good, good * 0.5], -1))
    return 11


@pytest.fixture
def mixed(tmp_path):
    """Return a data set with good, odd and bad images, the status of each bad one, and the number of the others."""
    data = write_dataset(
        tmp_path / "in",
        "sub-01/anat/sub-01_T2w",
        "sub-02/ses-pre/anat/sub-02_ses-pre_acq-ax_T1w",
        "sub-02/ses-post/anat/sub-02_ses-post_T2starw",
    )
    return data, write_bad_images(data), 3 + write_odd_images(data)


def test_a18_bad_images_fail_each_with_its_status_and_all_others_are_segmented(run, mixed, tmp_path):
    data, expected, n_good = mixed
    out = tmp_path / "out"
    code, _, summary = run(data, out, *LEVELS)
    assert code == 1
    log = Path(summary["log"])
    entries = json.loads((log / "summary.json").read_text())["images"]
    failed = {e["image"].split("acq-")[-1].split("_")[0]: e["status"] for e in entries if e["exit_code"]}
    assert failed == expected
    assert (summary["done"], summary["failed"]) == (n_good, len(expected))
    assert len(list(log.glob("crash-sub-bad_acq-*_T2w.txt"))) == len(expected)
    for name in ("link", "pointer"):
        assert "datalad get" in (log / f"crash-sub-bad_acq-{name}_T2w.txt").read_text()
    assert all("Traceback" not in path.read_text() for path in log.glob("crash-*"))
    assert len(list(out.rglob("*_label-SC_desc-*_mask.nii.gz"))) == n_good
    assert not list(out.rglob(".tmp-*"))
    _check_group(out, n_good, expected)
    assert "datalad get" in (out / "sub-bad.html").read_text()


def _check_group(out, n_good, expected):
    """Check that the table of the group lists results and failures."""
    rows = {row["image"]: row for row in read_rows(out / "group_label-SC_morph.tsv")}
    assert len(rows) == n_good + len(expected)
    assert rows["sub-01/anat/sub-01_T2w.nii.gz"]["area_mean_mm2"] == "76.0000"
    assert rows["sub-02/ses-pre/anat/sub-02_ses-pre_acq-ax_T1w.nii.gz"]["session"] == "ses-pre"
    for name, status in expected.items():
        (row,) = (row for image, row in rows.items() if f"acq-{name}_" in image and "sub-bad" in image)
        assert (row["verdict"], row["n_slices"], row["area_mean_mm2"]) == ("n/a", "0", "n/a")
        assert status in row["reasons"]


def test_a18_the_same_cord_has_the_same_mask_however_it_is_stored(run, tmp_path):
    data = write_dataset(tmp_path / "in")
    write_odd_images(data)
    assert run(data, tmp_path / "out", "participant")[0] == 0
    masks = {}
    for path in (tmp_path / "out").rglob("*_label-SC_desc-*_mask.nii.gz"):
        name = path.name.split("acq-")[-1].split("_")[0]
        masks[name] = nib.as_closest_canonical(nib.load(path)).get_fdata() if name != "plane" else nib.load(path)
    expected = masks["plain"]
    assert expected.any()
    for name in ("uncompressed", "trailing", "series", "nan", "turned", "disguised", "gzipped", "linked"):
        np.testing.assert_array_equal(masks[name].reshape(expected.shape), expected, err_msg=name)
    assert masks["plane"].shape == (40, 40)


def test_a18_the_input_is_not_touched(run, mixed):
    data, *_ = mixed
    shutil.rmtree(data / "sub-bad")
    before = files_of(data)
    run(data, data / "derivatives" / "out", "participant")
    after = {name: value for name, value in files_of(data).items() if not name.startswith("derivatives")}
    assert after == before


def test_a03_failures_again_give_the_same_files_and_the_same_code(run, mixed, tmp_path):
    data, expected, n_good = mixed
    first = run(data, tmp_path / "out", *LEVELS)
    before = files_of(tmp_path / "out")
    second = run(data, tmp_path / "out", *LEVELS)
    assert (first[0], second[0]) == (1, 1)
    assert (second[2]["skipped"], second[2]["failed"]) == (n_good, len(expected))
    assert files_of(tmp_path / "out") == before


@pytest.mark.parametrize("input_state", ["empty", "missing", "a file"])
def test_a13_the_group_level_needs_the_output_only(run, tmp_path, input_state):
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w", "sub-02/anat/sub-02_T2w")
    (data / "sub-02" / "anat" / "sub-02_T1w.nii.gz").write_bytes(b"")
    assert run(data, tmp_path / "out", "participant")[0] == 65
    shutil.rmtree(data)
    if input_state == "empty":
        data.mkdir()
    elif input_state == "a file":
        data.write_text("")
    assert run(data, tmp_path / "out", "group")[0] == 0
    before = files_of(tmp_path / "out")
    rows = read_rows(tmp_path / "out" / "group_label-SC_morph.tsv")
    assert [row["participant_id"] for row in rows] == ["sub-01", "sub-02", "sub-02"]
    described = json.loads((tmp_path / "out" / "group_label-SC_morph.json").read_text())
    assert list(described)[1:] == list(rows[0])
    assert run(data, tmp_path / "out", "group")[0] == 0
    assert files_of(tmp_path / "out") == before
