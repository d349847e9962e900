"""Whole runs on images with odd headers, with simple functions in place of the networks."""

import json
import os

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.cli import main as cli
from tests.helpers.fake_engine import FakeEngine, cord, summary_of, write_dataset, write_nifti
from tests.helpers.odd_headers import set_fields, write_plain
from tests.helpers.phantoms import grid_of

T2W = "sub-01/anat/sub-01_T2w"
RESULT = "sub-01/anat/sub-01_space-orig_label-SC_desc-T2w"
GOOD = cord()
AFFINE = grid_of(GOOD.shape).affine
TURNED = np.array([[0.8, -0.6, 0, 0], [0.6, 0.8, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


@pytest.fixture
def run(tmp_path, capsys):
    """Return a function that runs the participant level on ``in`` and returns code, output and summary."""

    def run(*words, out="out"):
        words = [tmp_path / "in", tmp_path / out, "participant", "--skip-bids-validation", "--n-cpus", "1", *words]
        code = cli.main([str(word) for word in words], engine=FakeEngine())
        told = capsys.readouterr()
        return code, told.out + told.err, summary_of(told.out)

    return run


@pytest.fixture
def data(tmp_path):
    return write_dataset(tmp_path / "in")


def sidecar(tmp_path, out="out"):
    return json.loads((tmp_path / out / f"{RESULT}_mask.json").read_text())


def codes(tmp_path, out="out"):
    return [reason["Code"] for reason in sidecar(tmp_path, out)["QC"]["Reasons"]]


def products(tmp_path, out):
    """Return the mask, the centerline, the table of measures and the mean area."""
    mask = np.asarray(nib.load(tmp_path / out / f"{RESULT}_mask.nii.gz").dataobj)
    texts = [(tmp_path / out / f"{RESULT}_{name}.tsv").read_text() for name in ("centerline", "morph")]
    return mask.tobytes(), *texts, sidecar(tmp_path, out)["Measures"]


def numbers_of(table):
    """Return the numbers of a table without the orientation, which a round cord does not have."""
    names, *lines = (line.split("\t") for line in table.splitlines())
    keep = [index for index, name in enumerate(names) if name != "orientation_deg"]
    return np.array([[float(line[index]) for index in keep] for line in lines])


@pytest.mark.parametrize("affine", [AFFINE, TURNED @ AFFINE], ids=["straight", "oblique"])
def test_the_same_voxels_in_another_unit_have_the_same_results(run, data, tmp_path, affine):
    data_of = {}
    for unit in ("mm", "meter", "micron"):
        write_plain(data / f"{T2W}.nii.gz", GOOD, affine, unit=unit)
        assert run(out=unit)[0] == 0
        data_of[unit] = products(tmp_path, unit)
        source, mask = (nib.load(p) for p in (data / f"{T2W}.nii.gz", tmp_path / unit / f"{RESULT}_mask.nii.gz"))
        assert mask.affine.tobytes() == source.affine.tobytes()
        assert mask.header.get_xyzt_units()[0] == unit
    for unit in ("meter", "micron"):
        assert data_of[unit][0] == data_of["mm"][0]
        for text, expected in zip(data_of[unit][1:3], data_of["mm"][1:3], strict=True):
            np.testing.assert_allclose(numbers_of(text), numbers_of(expected), atol=2e-3)
        assert data_of[unit][3] == pytest.approx(data_of["mm"][3], rel=1e-3)


@pytest.mark.parametrize("unit", ["meter", "micron"])
def test_what_belongs_to_an_image_may_have_another_unit(run, data, tmp_path, unit):
    write_plain(data / f"{T2W}.nii.gz", GOOD, AFFINE)
    mask = (GOOD > 100).astype(np.uint8)
    for folder, name, values in (
        ("drawn", "seg", mask),
        ("line", "centerline", mask),
        ("levels", "label-vertebrae_dseg", mask * 3),
    ):
        for suffix, used in (("", "mm"), ("2", unit)):
            write_plain(tmp_path / (folder + suffix) / f"{T2W}_{name}.nii.gz", values, AFFINE, unit=used)
    results = {}
    for suffix in ("", "2"):
        for folder in ("drawn", "line"):
            out = f"out-{folder}{suffix}"
            assert run("--corrections", tmp_path / f"{folder}{suffix}", out=out)[0] == 0
            results[out] = products(tmp_path, out)[:3]
        assert run("--derivatives", f"levels={tmp_path / f'levels{suffix}'}", out=f"out-levels{suffix}")[0] == 0
        results[f"out-levels{suffix}"] = products(tmp_path, f"out-levels{suffix}")[:3]
    for folder in ("drawn", "line", "levels"):
        assert results[f"out-{folder}"] == results[f"out-{folder}2"]
    assert "\t3\n" in results["out-levels2"][2]


def test_an_offset_of_zero_gives_the_same_mask(run, data, tmp_path):
    path = write_plain(data / f"{T2W}.nii.gz", GOOD, AFFINE)
    assert run(out="before")[0] == 0
    set_fields(path, vox_offset=0)
    assert run(out="after")[0] == 0
    assert products(tmp_path, "before") == products(tmp_path, "after")
    assert "vox-offset" in codes(tmp_path, "after")


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"xyzt_units": 4}, "unit-unknown"), ({"srow_x": 0}, "sform-singular"), ({"bitpix": 8}, "bitpix")],
)
def test_what_was_guessed_is_never_pass(run, data, tmp_path, fields, code):
    path = write_plain(data / f"{T2W}.nii.gz", GOOD, AFFINE)
    assert run(out="before")[0] == 0
    assert sidecar(tmp_path, "before")["QC"]["Verdict"] == "pass"
    set_fields(path, **fields)
    exit_code, told, _ = run(out="after")
    assert exit_code == 0
    assert sidecar(tmp_path, "after")["QC"]["Verdict"] == "warn"
    assert code in codes(tmp_path, "after")
    assert products(tmp_path, "before")[0] == products(tmp_path, "after")[0]
    assert "should be" not in told


def test_an_unknown_slice_distance_is_refused_by_plan_and_run_alike(run, data):
    set_fields(write_plain(data / f"{T2W}.nii.gz", GOOD, AFFINE), sform_code=0, pixdim_3=0)
    code, planned, _ = run("--dry-run")
    assert code == 0
    code, told, _ = run()
    assert code == 65
    for text in (planned, told):
        assert "pixdim[3] is 0" in text
        assert "setting 0 dims to 1" not in text


def test_a_wrong_size_is_refused_by_plan_and_run_alike(run, data):
    write_plain(data / f"{T2W}.nii.gz", GOOD, np.diag([100, 100, 100, 1]) @ AFFINE)
    assert "voxel size is 100 x 100 x 100 mm" in run("--dry-run")[1]
    code, told, summary = run()
    assert (code, summary["failed"]) == (65, 1)
    assert "xyzt_units" in told


def test_one_bad_header_costs_its_own_image_only_and_counts_once(run, data, tmp_path):
    write_nifti(data / "sub-01/anat/sub-01_T1w.nii.gz", GOOD)
    set_fields(write_plain(data / f"{T2W}.nii", GOOD, AFFINE), vox_offset=float("inf"))
    code, told, summary = run()
    assert (code, summary["done"], summary["failed"]) == (65, 1, 1)
    assert "1 of 2 images failed" in told
    page = (tmp_path / "out" / "sub-01.html").read_text()
    assert "sub-01_T1w" in page
    assert "vox_offset" in page


def test_a_page_shows_the_other_images_where_one_result_is_damaged(run, data, tmp_path):
    write_nifti(data / "sub-01/anat/sub-01_T1w.nii.gz", GOOD)
    write_nifti(data / f"{T2W}.nii.gz", GOOD)
    assert run()[0] == 0
    mask = tmp_path / "out" / f"{RESULT}_mask.nii.gz"
    mask.write_bytes(mask.read_bytes()[:100])
    assert run("--reports-only")[0] == 65
    page = (tmp_path / "out" / "sub-01.html").read_text()
    assert "is damaged or was changed" in page
    assert "sub-01_T1w" in page


def test_each_of_many_announced_volumes_is_one_refused_image(run, data):
    path = write_plain(data / f"{T2W}.nii", GOOD, AFFINE)
    for fields in ({"dim_0": 4, "dim_4": 32767}, {"dim_0": 7, **{f"dim_{i}": 32767 for i in range(4, 8)}}):
        set_fields(path, **fields)
        assert "Images: 1 to refuse" in run("--volume", "each", "--dry-run")[1]
        code, _, summary = run("--volume", "each")
        assert (code, summary["failed"]) == (65, 1)


def test_a_compressed_series_that_is_cut_is_one_refused_image(run, data):
    path = write_nifti(data / f"{T2W}.nii.gz", np.stack([GOOD] * 4, -1))
    path.write_bytes(path.read_bytes()[:-2000])
    code, told, summary = run("--volume", "each")
    assert (code, summary["failed"]) == (65, 1)
    assert "truncated" in told


def test_pipes_and_devices_are_no_images_and_are_not_waited_for(run, data):
    write_nifti(data / "sub-02/anat/sub-02_T2w.nii.gz", GOOD)
    (data / "sub-01/anat").mkdir(parents=True)
    os.mkfifo(data / f"{T2W}.nii.gz")
    (data / "sub-01/anat/sub-01_T1w.nii.gz").symlink_to("/dev/zero")
    code, told, summary = run()
    assert (code, summary["done"], summary["failed"]) == (65, 1, 2)
    assert told.count("not an ordinary file") >= 2


def _colour():
    values = np.zeros(GOOD.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    values["R"] = 255 * (GOOD > 100)
    return values


@pytest.mark.parametrize("kind", ["seg", "centerline"])
@pytest.mark.parametrize("values", ["colour", "complex", "long"])
def test_a_correction_of_an_unusual_type_is_refused_with_the_reason(run, data, tmp_path, kind, values):
    write_nifti(data / f"{T2W}.nii.gz", GOOD)
    array = {"colour": _colour, "complex": lambda: (GOOD > 100) * np.complex64(1 + 5j), "long": lambda: GOOD[None]}
    write_nifti(tmp_path / "c" / f"{T2W}_{kind}.nii.gz", array[values](), AFFINE)
    code, told, _ = run("--corrections", tmp_path / "c")
    assert code == 65
    assert f"sub-01_T2w_{kind}.nii.gz" in told


def test_a_correction_without_voxels_is_refused(run, data, tmp_path):
    write_nifti(data / f"{T2W}.nii.gz", GOOD)
    path = write_nifti(tmp_path / "c" / f"{T2W}_seg.nii.gz", (GOOD > 100).astype(np.uint8), AFFINE)
    set_fields(path, dim_1=0)
    code, told, _ = run("--corrections", tmp_path / "c")
    assert code == 65
    assert "dim[1] is 0" in told


@pytest.mark.parametrize(
    "labels",
    [
        _colour(),
        np.ascontiguousarray(np.where(np.arange(8) < 4, 1, 5) * np.ones(GOOD.shape, np.float32)).transpose(2, 1, 0),
        np.full(GOOD.shape, 65537, np.int32),
        np.full(GOOD.shape, -65535, np.int32),
        (GOOD > 100) * np.complex64(3),
    ],
    ids=["colour", "turned", "65537", "-65535", "complex"],
)
def test_labels_of_an_unusual_kind_are_left_out_and_the_mask_is_kept(run, data, tmp_path, labels):
    write_nifti(data / f"{T2W}.nii.gz", GOOD)
    write_nifti(tmp_path / "l" / f"{T2W}_label-vertebrae_dseg.nii.gz", labels, AFFINE)
    code, _, summary = run("--derivatives", f"levels={tmp_path / 'l'}")
    assert (code, summary["done"]) == (0, 1)
    assert "levels-ignored" in codes(tmp_path)
    assert "vertebral_level" not in (tmp_path / "out" / f"{RESULT}_morph.tsv").read_text()


def test_voxels_without_numbers_matter_around_the_cord_only(run, data, tmp_path):
    far = np.ones(GOOD.shape, bool)
    far[8:32, 8:32] = False
    path = write_nifti(data / f"{T2W}.nii.gz", np.where(far, np.float32(np.nan), GOOD))
    assert far.mean() > 0.5
    code, _, _ = run()
    assert code == 0
    assert "nan-replaced" in codes(tmp_path)
    around = np.abs(np.arange(40) - 19.5) < 12
    ring = around[:, None, None] & around[None, :, None] & (GOOD < 100)
    write_nifti(path, np.where(ring, np.float32(np.nan), GOOD))
    code, told, _ = run(out="ring")
    assert code == 65
    assert "around the detected cord are NaN" in told
