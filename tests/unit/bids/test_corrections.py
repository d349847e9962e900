"""Corrections are found by their names alone, and a mask is used on exactly the voxels on which it was drawn."""

import json

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.bids.source.corrections import MASK_SUFFIXES, find_correction, read_corrected_mask, unused_files
from bids_deepseg.errors import ImageError
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.methods.manual import result_of_mask
from tests.helpers.bids_trees import image_of
from tests.helpers.fake_engine import write_dataset
from tests.helpers.phantoms import ALL_AXCODES, grid_of, oblique, tube

FACTS = {"Kind": "mask", "File": "m.nii.gz", "SHA256": "0"}


@pytest.fixture
def image(tmp_path):
    name = "sub-01/ses-pre/anat/sub-01_ses-pre_acq-ax_flip-1_mt-on_MTS"
    return image_of(write_dataset(tmp_path / "in", name), f"{name}.nii.gz", acquisition="ax", flip="1", mt="on")


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "c" / "sub-01" / "ses-pre" / "anat").mkdir(parents=True)
    return tmp_path / "c"


def write(path, data, grid):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(data, grid.affine).to_filename(path)
    return path


OWN = "sub-01_ses-pre_acq-ax_space-orig_label-SC_desc-MTSflip1mton"
NAME = "sub-01_ses-pre_acq-ax_flip-1_mt-on_MTS"


@pytest.mark.parametrize("inner", ["", "sub-01/ses-pre/anat"])
@pytest.mark.parametrize("ending", [".nii.gz", ".nii"])
@pytest.mark.parametrize("stem", [f"{OWN}_mask", *(NAME + suffix for suffix in MASK_SUFFIXES)])
def test_masks_are_found_under_all_their_names(image, folder, inner, ending, stem):
    assert find_correction(image, folder) is None
    path = folder / inner / f"{stem}{ending}"
    path.touch()
    found = find_correction(image, folder)
    assert (found.kind, found.path) == ("mask", path)
    assert unused_files((image,), folder) == ()


@pytest.mark.parametrize(
    "name", [f"{OWN}_centerline.tsv", f"{NAME}_centerline-manual.csv", f"{NAME}_label-centerline.nii.gz"]
)
def test_centerlines_are_found_and_a_mask_goes_before(image, folder, name):
    path = folder / "sub-01" / "ses-pre" / "anat" / name
    path.touch()
    assert (find_correction(image, folder).kind, find_correction(image, folder).path) == ("centerline", path)
    (folder / f"{NAME}_seg-manual.nii.gz").touch()
    assert find_correction(image, folder).kind == "mask"


def test_names_of_other_images_and_structures_are_not_taken(image, folder):
    for name in (
        *("sub-01_ses-pre_MTS_seg-manual.nii.gz", "sub-02_ses-pre_acq-ax_flip-1_mt-on_MTS_seg-manual.nii.gz"),
        *(f"{NAME}_label-GM_mask.nii.gz", f"{NAME}_label-lesion_seg.nii.gz", f"{NAME}_discs.nii.gz", f"{NAME}.nii.gz"),
    ):
        (folder / name).touch()
    assert find_correction(image, folder) is None
    # It looks like a correction of this participant, and belongs to no image.
    assert [path.name for path in unused_files((image,), folder)] == ["sub-01_ses-pre_MTS_seg-manual.nii.gz"]


def test_two_masks_of_one_image_are_an_error_of_that_image(image, folder):
    (folder / f"{NAME}_seg-manual.nii.gz").touch()
    (folder / f"{NAME}_label-SC_seg.nii.gz").write_text("x")
    found = find_correction(image, folder)
    assert len(found.facts()["SHA256"].split()) == 2
    with pytest.raises(ImageError, match="Several corrected masks"):
        _ = found.path


@pytest.mark.parametrize(
    ("sidecar", "told"),
    [
        ({"Author": "A. One", "Date": "2026-01-02"}, {"Author": "A. One", "Date": "2026-01-02"}),
        (
            {"GeneratedBy": [{"Name": "x"}, {"Name": "Manual", "Author": "B", "Date": "2026-01-02 03:04:05"}]},
            {"Author": "B", "Date": "2026-01-02 03:04:05"},
        ),
        ({"Manual": True}, {}),
        ({"Manual": False, "Author": "C"}, {"Author": "C"}),
        (["no", "object"], {}),
    ],
)
def test_the_sidecar_says_who_and_when(image, folder, sidecar, told):
    (folder / f"{NAME}_seg-manual.nii.gz").touch()
    (folder / f"{NAME}_seg-manual.json").write_text(json.dumps(sidecar))
    found = find_correction(image, folder)
    facts = found.facts()
    assert {key: facts.get(key) for key in ("Author", "Date") if key in facts} == told
    assert found.path.name == facts["File"]


def test_an_automatic_mask_is_no_correction(image, folder):
    """The own output, copied with its sidecar, says that nobody touched it."""
    (folder / f"{OWN}_mask.nii.gz").touch()
    (folder / f"{OWN}_mask.json").write_text(json.dumps({"Manual": False, "GeneratedBy": [{"Name": "bids_deepseg"}]}))
    with pytest.raises(ImageError, match="says that it was not corrected"):
        _ = find_correction(image, folder).path


@pytest.mark.parametrize("codes", ALL_AXCODES[::5], ids="".join)
def test_a_mask_in_any_orientation_keeps_its_voxels(image, folder, codes):
    grid = oblique((12, 14, 8))
    drawn = Volume(np.random.default_rng(0).integers(0, 2, grid.shape, np.uint8), grid)
    turned = reorient(drawn, codes)
    write(folder / f"{NAME}_seg-manual.nii.gz", turned.data.astype(np.float32) * 255, turned.grid)
    native = reorient(drawn, codes[::-1])
    read = read_corrected_mask(find_correction(image, folder), native.grid)
    assert read.grid is native.grid
    assert (read.data == native.data).all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda data, grid: (data[:-1], grid), "does not have the voxels"),
        (lambda data, grid: (data, Grid(grid.shape, grid.affine + np.eye(4, k=3) * 0.4)), "does not have the voxels"),
        (
            lambda data, grid: (data, Grid(grid.shape, grid.affine @ np.diag([1, 1, 1.1, 1]))),
            "does not have the voxels",
        ),
        (lambda data, grid: (data * 0, grid), "is empty"),
        (lambda data, grid: (data * np.float32(np.nan), grid), "NaN"),
        (lambda data, grid: (data * np.linspace(0, 1, data.shape[2], dtype=np.float32), grid), "more than two values"),
        (lambda data, grid: (-data, grid), "more than two values"),
        (lambda data, grid: (np.stack([data, data], 3), grid), "4 dimensions"),
    ],
)
def test_what_is_no_mask_of_the_image_is_refused(image, folder, change, told):
    grid = grid_of((12, 14, 8))
    data = (tube(grid, radius_mm=3.0, supersample=1).data > 0.5).astype(np.float32)
    data, other = change(data, grid)
    write(folder / f"{NAME}_seg-manual.nii.gz", data, Grid(data.shape[:3], other.affine))
    with pytest.raises(ImageError, match=told):
        read_corrected_mask(find_correction(image, folder), grid)


def test_rounded_headers_are_the_same_grid(image, folder):
    grid = oblique((12, 14, 8))
    data = np.random.default_rng(0).integers(0, 2, grid.shape, np.uint8)
    write(folder / f"{NAME}_seg.nii", data, Grid(grid.shape, np.round(grid.affine, 3)))
    assert (read_corrected_mask(find_correction(image, folder), grid).data == data).all()


def test_a_drawn_mask_is_measured_and_never_changed():
    grid = oblique((40, 44, 20))
    data = (tube(grid, radius_mm=5.0, slope=(0.0, 0.2)).data > 0.5).astype(np.uint8)
    data[20, 20, 4] = 0
    data[2, 2, 6] = 1
    data[..., 10] = 0
    native = reorient(Volume(data, grid), ("P", "I", "R"))
    result = result_of_mask(native, FACTS | {"Author": "A. One", "Date": "2026-01-02"})
    assert (result.mask.data == native.data).all()
    assert result.centerline.k.tolist() == list(range(20))
    columns = result.metrics.columns()
    assert np.isnan(columns["probability_mean"]).all()
    assert np.isfinite(columns["area_mm2"]).sum() == 19
    assert result.findings[0].message == "The mask was corrected by hand by A. One (2026-01-02): m.nii.gz."


def test_a_person_overrules_the_judge_but_not_silently():
    grid = grid_of((60, 60, 12))
    native = Volume((tube(grid, radius_mm=9.0, supersample=1).data > 0.5).astype(np.uint8), grid)
    result = result_of_mask(native, FACTS)
    assert result.verdict == "warn"
    assert "area-range" in {finding.code for finding in result.findings}
