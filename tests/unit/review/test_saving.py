"""What is saved is what the app reads back, and nothing newer is ever replaced."""

import json
import threading

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.bids.source.corrections import find_correction, read_corrected_mask, unused_files
from bids_deepseg.bids.source.given_centerline import read_centerline
from bids_deepseg.errors import ImageError, OutputError
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.review.saving import (
    Author,
    ConflictError,
    centerline_place,
    mask_place,
    save_centerline,
    save_mask,
    version_of,
)

AUTHOR = Author.now("A. One")


@pytest.fixture
def place(review, listed):
    """Return what all tests need: image, how it was read, and the folder."""
    return listed.image, review.read(listed), review.places.corrections


def some_mask(loaded, first=2):
    data = np.zeros(loaded.volume.grid.shape, np.uint8)
    data[10:14, 12:15, first:6] = 1
    return Volume(data, loaded.volume.grid)


def save(place, mask=None, expected="", author=AUTHOR):
    image, loaded, corrections = place
    return save_mask(
        image, loaded, mask or some_mask(loaded), corrections=corrections, expected=expected, author=author
    )


def test_a_saved_mask_has_the_shape_and_affine_of_the_image_and_is_read_back(place):
    image, loaded, corrections = place
    mask = some_mask(loaded)
    version = save(place, mask)
    found = find_correction(image, corrections)
    assert found.kind == "mask"
    assert version_of(found.path) == version
    saved, source = nib.load(found.path), nib.load(image.path)
    assert saved.shape == source.shape
    assert saved.affine.tobytes() == source.affine.tobytes()
    for field in ("qform_code", "sform_code", "srow_x", "srow_y", "srow_z", "quatern_b", "qoffset_x"):
        assert saved.header[field].tobytes() == source.header[field].tobytes()
    np.testing.assert_array_equal(saved.get_fdata(), mask.data)
    np.testing.assert_array_equal(read_corrected_mask(found, loaded.volume.grid).data, mask.data)
    assert unused_files((image,), corrections) == ()


def test_the_sidecar_says_that_a_person_drew_it_who_and_when(place):
    image, _, corrections = place
    save(place)
    facts = find_correction(image, corrections).facts()
    assert facts["Author"] == "A. One"
    assert facts["Date"] == AUTHOR.date
    path = mask_place(image, corrections)
    sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert sidecar["Manual"] is True
    assert sidecar["Sources"] == [f"bids:raw:{image.relative_path}"]
    description = json.loads((corrections / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["DatasetLinks"] == {"raw": "../.."}


def test_a_newer_mask_is_never_replaced(place):
    image, loaded, corrections = place
    first = save(place)
    path = mask_place(image, corrections)
    content = path.read_bytes()
    for known in ("", "0" * 64):
        with pytest.raises(ConflictError):
            save(place, some_mask(loaded, 3), expected=known)
    assert path.read_bytes() == content
    assert save(place, some_mask(loaded, 3), expected=first) != first
    with pytest.raises(ConflictError):
        save(place, some_mask(loaded, 4), expected=first)


def test_a_mask_that_was_removed_meanwhile_is_a_conflict_as_well(place):
    image, _, corrections = place
    first = save(place)
    mask_place(image, corrections).unlink()
    with pytest.raises(ConflictError):
        save(place, expected=first)


def test_of_many_who_save_at_once_one_wins(place):
    _, loaded, _ = place
    outcomes = []

    def work(first):
        try:
            outcomes.append(save(place, some_mask(loaded, first)))
        except ConflictError:
            outcomes.append(None)

    threads = [threading.Thread(target=work, args=(n % 5,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([each for each in outcomes if each]) == 1


@pytest.mark.parametrize("name", ["{}_seg-manual.nii.gz", "{}_label-SC_seg.nii", "{}_seg.nii.gz"])
def test_a_mask_of_another_name_is_replaced_where_it_is(place, name):
    image, loaded, corrections = place
    path = corrections / image.path.parent.relative_to(image.root) / name.format(image.name)
    path.parent.mkdir(parents=True)
    nib.Nifti1Image(some_mask(loaded).data, loaded.volume.grid.affine).to_filename(path)
    path.with_name(path.name.partition(".")[0] + ".json").write_text(
        json.dumps({"GeneratedBy": [{"Name": "Manual", "Author": "B. Two", "Date": "2020-01-01"}], "Note": "kept"})
    )
    mask = some_mask(loaded, 4)
    save(place, mask, expected=version_of(path))
    found = find_correction(image, corrections)
    assert found.path == path
    assert found.facts()["Author"] == "A. One"
    np.testing.assert_array_equal(read_corrected_mask(found, loaded.volume.grid).data, mask.data)
    sidecar = json.loads(path.with_name(path.name.partition(".")[0] + ".json").read_text())
    assert sidecar["Note"] == "kept"
    assert [maker.get("Author") for maker in sidecar["GeneratedBy"]] == ["B. Two", "A. One"]


def test_a_sidecar_that_was_copied_with_an_automatic_mask_does_not_stay(place):
    image, loaded, corrections = place
    path = corrections / mask_place(image, corrections).relative_to(corrections)
    path.parent.mkdir(parents=True)
    nib.Nifti1Image(some_mask(loaded).data, loaded.volume.grid.affine).to_filename(path)
    path.with_name(path.name.replace(".nii.gz", ".json")).write_text(json.dumps({"Manual": False, "QC": {"x": 1}}))
    save(place, expected=version_of(path))
    sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert sidecar["Manual"] is True
    assert "QC" not in sidecar
    assert find_correction(image, corrections).path == path


def test_an_empty_mask_and_two_masks_are_refused(place):
    image, loaded, corrections = place
    with pytest.raises(ImageError, match="empty"):
        save(place, Volume(np.zeros(loaded.volume.grid.shape, np.uint8), loaded.volume.grid))
    assert not corrections.exists()
    version = save(place)
    other = mask_place(image, corrections).with_name(f"{image.name}_seg.nii.gz")
    other.write_bytes(mask_place(image, corrections).read_bytes())
    with pytest.raises(ImageError, match="Several"):
        save(place, expected=version)


def test_nothing_is_written_behind_a_link(place, tmp_path):
    image, _, corrections = place
    corrections.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (corrections / f"sub-{image.subject}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OutputError, match="link"):
        save(place)
    assert not list((tmp_path / "elsewhere").rglob("*"))


# ---- centerlines ----------------------------------------------------------------------------------------------------


def points_of(loaded, voxels=((10, 12, 5), (20, 20, 1), (15, 16, 3))):
    return loaded.volume.grid.voxel_to_world(voxels)


def save_points(place, points=None, expected="", set_aside=""):
    image, loaded, corrections = place
    return save_centerline(
        image,
        loaded.volume.grid,
        points_of(loaded) if points is None else points,
        corrections=corrections,
        expected=expected,
        author=AUTHOR,
        set_aside=set_aside,
    )


def test_saved_points_are_read_back_from_inferior_to_superior(place):
    image, loaded, corrections = place
    version = save_points(place)
    found = find_correction(image, corrections)
    assert found.kind == "centerline"
    assert found.path == centerline_place(image, corrections)
    assert version_of(found.path) == version
    read = read_centerline(found.path, loaded.volume.grid)
    np.testing.assert_allclose(read, points_of(loaded)[[1, 2, 0]], atol=6e-4)
    assert found.facts()["Author"] == "A. One"
    with pytest.raises(ConflictError):
        save_points(place)
    assert save_points(place, expected=version) == version


def test_a_mask_that_would_hide_the_centerline_is_set_aside_only_if_asked_for(place):
    image, _, corrections = place
    version = save(place)
    with pytest.raises(ConflictError, match="aside"):
        save_points(place)
    assert find_correction(image, corrections).kind == "mask"
    save_points(place, set_aside=version)
    assert find_correction(image, corrections).kind == "centerline"
    aside = list(corrections.rglob("*.nii.gz.replaced-*"))
    assert len(aside) == 1
    assert unused_files((image,), corrections) == ()


@pytest.mark.parametrize("points", [[], [[np.nan, 0, 0]], [[1e6, 0, 0]], [[np.inf, 1, 1]]])
def test_points_that_are_none_of_the_image_are_refused(place, points):
    with pytest.raises(ImageError):
        save_points(place, np.array(points, float).reshape(-1, 3))
    assert find_correction(place[0], place[2]) is None
