"""Reading images, good and bad."""

import gzip
import hashlib
import os

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.bids.source.reader import fingerprint, read_image
from bids_deepseg.errors import ImageError, NotFetchedError
from tests.helpers.bids_trees import AFFINE, image_of, write_image

T2W = "sub-01/anat/sub-01_T2w.nii.gz"
DWI = "sub-01/dwi/sub-01_dwi.nii.gz"


def read(root, name=T2W):
    return read_image(image_of(root, name))


def refused(root, name=T2W):
    with pytest.raises(ImageError) as caught:
        read(root, name)
    assert name.rsplit("/", 1)[-1] in str(caught.value)
    assert str(root) not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("image_class", [nib.Nifti1Image, nib.Nifti2Image])
def test_values_are_scaled_and_the_affine_is_that_of_nibabel(tmp_path, ending, image_class):
    path = tmp_path / f"sub-01/anat/sub-01_T2w{ending}"
    path.parent.mkdir(parents=True)
    image = image_class(np.linspace(-3, 900, 60, dtype=np.float32).reshape(3, 4, 5), AFFINE)
    image.set_data_dtype(np.int16)
    nib.save(image, path)
    loaded = read(tmp_path, f"sub-01/anat/sub-01_T2w{ending}")
    expected = nib.load(path)
    np.testing.assert_allclose(loaded.volume.data, expected.get_fdata(), rtol=1e-6)
    assert loaded.volume.data.dtype == np.float32
    assert loaded.volume.grid.affine.tobytes() == expected.affine.astype(float).tobytes()
    assert (loaded.shape, loaded.notes, loaded.volumes_used) == ((3, 4, 5), (), None)


def test_a_big_endian_image_without_compression_outlives_its_file(tmp_path):
    path = tmp_path / "sub-01/anat/sub-01_T2w.nii"
    path.parent.mkdir(parents=True)
    header = nib.Nifti1Header(endianness=">")
    header.set_data_dtype(">i2")
    nib.save(nib.Nifti1Image(np.arange(60, dtype=">i2").reshape(3, 4, 5), AFFINE, header), path)
    loaded = read(tmp_path, "sub-01/anat/sub-01_T2w.nii")
    path.unlink()
    np.testing.assert_array_equal(loaded.volume.data.ravel(), np.arange(60))


@pytest.mark.parametrize(
    ("shape", "expected", "derivative"),
    [
        ((5, 6), (5, 6, 1), (5, 6)),
        ((5, 6, 1), (5, 6, 1), (5, 6, 1)),
        ((5, 6, 7, 1), (5, 6, 7), (5, 6, 7)),
        ((5, 6, 1, 1), (5, 6, 1), (5, 6, 1)),
    ],
)
def test_a_plane_is_one_slice_and_trailing_axes_of_one_are_dropped(tmp_path, shape, expected, derivative):
    write_image(tmp_path / T2W, shape)
    loaded = read(tmp_path)
    assert (loaded.volume.data.shape, loaded.shape) == (expected, derivative)


def test_more_than_four_axes_are_refused(tmp_path):
    write_image(tmp_path / T2W, (4, 5, 6, 3, 2))
    message = str(refused(tmp_path))
    assert message.startswith("sub-01_T2w.nii.gz has 5 dimensions (4x5x6x3x2). A 3D image or a series of them")


def test_a_link_to_nowhere_says_how_to_get_the_content(tmp_path):
    path = tmp_path / T2W
    path.parent.mkdir(parents=True)
    path.symlink_to("../../.git/annex/objects/gone")
    error = refused(tmp_path)
    assert isinstance(error, NotFetchedError)
    assert "datalad get sub-01_T2w.nii.gz" in str(error)
    path.unlink()
    path.write_bytes(b"/annex/objects/MD5E-s100--0123.nii.gz\n")
    assert "git-annex pointer" in str(refused(tmp_path))


def test_a_link_to_content_is_read(tmp_path):
    write_image(tmp_path / "store" / "x.nii.gz")
    (tmp_path / "sub-01/anat").mkdir(parents=True)
    (tmp_path / T2W).symlink_to("../../store/x.nii.gz")
    assert read(tmp_path).volume.data.shape == (6, 7, 5)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    assert "does not exist. Was it removed" in str(refused(tmp_path))
    (tmp_path / T2W).mkdir(parents=True)
    assert "is a folder" in str(refused(tmp_path))


def test_a_file_without_read_permission_is_named(tmp_path):
    path = write_image(tmp_path / T2W)
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read every file")
    assert "chmod a+r" in str(refused(tmp_path))


def test_permission_denied_is_told_with_its_remedy(tmp_path, monkeypatch):
    write_image(tmp_path / T2W)

    def refuse(name, *_args, **_kwargs):
        raise PermissionError(13, "Permission denied", str(name))

    monkeypatch.setattr(os, "open", refuse)
    assert "chmod a+r" in str(refused(tmp_path))


def test_an_empty_file_is_named(tmp_path):
    write_image(tmp_path / T2W).write_bytes(b"")
    assert "is empty (0 bytes)" in str(refused(tmp_path))


@pytest.mark.parametrize("share", [0.01, 0.3, 0.8, 0.999])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_a_truncated_file_is_named(tmp_path, ending, share):
    path = write_image(tmp_path / f"sub-01/anat/sub-01_T2w{ending}", (16, 16, 16))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    message = str(refused(tmp_path, f"sub-01/anat/sub-01_T2w{ending}"))
    assert "truncated" in message or "not a NIfTI image" in message


def test_a_changed_byte_is_found_by_the_checksum(tmp_path, rng):
    path = write_image(tmp_path / T2W, data=rng.integers(0, 999, (16, 16, 16)).astype(np.int16))
    whole = bytearray(path.read_bytes())
    for position in range(1000, len(whole) - 8, 700):
        changed = whole.copy()
        changed[position] ^= 0x10
        path.write_bytes(bytes(changed))
        assert "corrupt" in str(refused(tmp_path))


@pytest.mark.parametrize(
    "content", [b"\x00" * 400, b"not an image", gzip.compress(b"not an image", mtime=0), b"\x1f\x8bxx"]
)
def test_what_is_no_nifti_is_named(tmp_path, content):
    write_image(tmp_path / T2W).write_bytes(content)
    message = str(refused(tmp_path))
    assert "not a NIfTI image" in message or "corrupt" in message


def test_a_nonsense_header_is_named(tmp_path):
    path = write_image(tmp_path / "sub-01/anat/sub-01_T2w.nii")
    whole = bytearray(path.read_bytes())
    whole[70:72] = b"\xff\x7f"  # data type
    path.write_bytes(bytes(whole))
    assert "header" in str(refused(tmp_path, "sub-01/anat/sub-01_T2w.nii"))


@pytest.mark.parametrize("value", [0, 7])
def test_a_constant_image_is_refused(tmp_path, value):
    write_image(tmp_path / T2W, data=np.full((4, 4, 4), value, np.int16))
    assert f"same value {value} in every voxel" in str(refused(tmp_path))


def test_nan_become_zero_with_a_note_and_nothing_else_is_refused(tmp_path):
    data = np.arange(64, dtype=np.float32).reshape(4, 4, 4)
    data[0, 0, :3] = np.nan, np.inf, -np.inf
    write_image(tmp_path / T2W, data=data)
    loaded = read(tmp_path)
    np.testing.assert_array_equal(loaded.volume.data[0, 0], [0, 0, 0, 3])
    assert loaded.notes == (("nan-replaced", "3 of 64 voxels were NaN or infinite and set to 0."),)
    np.testing.assert_array_equal(np.flatnonzero(loaded.replaced), [0, 1, 2])
    data.ravel()[:62] = np.nan
    write_image(tmp_path / T2W, data=data)
    assert int(read(tmp_path).replaced.sum()) == 62
    write_image(tmp_path / T2W, data=np.full_like(data, np.nan))
    assert "all 64 voxels are NaN or infinite" in str(refused(tmp_path))


def test_values_beyond_float32_count_as_infinite(tmp_path):
    data = np.arange(64, dtype=np.float64).reshape(4, 4, 4)
    data[0, 0, 0] = 1e300
    write_image(tmp_path / T2W, data=data)
    assert read(tmp_path).notes[0][0] == "nan-replaced"


def test_a_singular_affine_is_refused(tmp_path):
    path = write_image(tmp_path / T2W)
    image = nib.load(path)
    image.header["srow_x"] = image.header["qform_code"] = 0
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), None, image.header), path)
    with pytest.raises(ImageError, match="singular"):
        read(tmp_path)


@pytest.mark.parametrize("kind", ["colour", "complex64"])
def test_values_that_are_no_real_numbers_are_refused(tmp_path, kind):
    if kind == "colour":
        data = np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    else:
        data = np.ones((4, 4, 4), np.complex64)
    (tmp_path / "sub-01/anat").mkdir(parents=True)
    nib.save(nib.Nifti1Image(data, AFFINE), tmp_path / T2W)
    assert kind in str(refused(tmp_path))


def test_a_header_without_orientation_is_noted(tmp_path):
    path = write_image(tmp_path / T2W)
    image = nib.load(path)
    image.header["sform_code"] = image.header["qform_code"] = 0
    nib.save(nib.Nifti1Image(np.asanyarray(image.dataobj), None, image.header), path)
    assert [code for code, _ in read(tmp_path).notes] == ["no-orientation"]


def series(root, b_values=None, n=4):
    data = np.arange(3 * 4 * 5 * n, dtype=np.int16).reshape(3, 4, 5, n) ** 2 % 1001
    write_image(root / DWI, data=data)
    if b_values is not None:
        (root / DWI).with_name("sub-01_dwi.bval").write_text(b_values)
    return data.astype(float)


def test_the_weighted_volumes_are_averaged(tmp_path):
    data = series(tmp_path, "0 5 800 1e3\n")
    loaded = read(tmp_path, DWI)
    np.testing.assert_allclose(loaded.volume.data, data[..., 2:].mean(-1), rtol=1e-6)
    assert loaded.volumes_used == "2 of 4 volumes, b > 10 s/mm²"
    assert (loaded.shape, loaded.notes) == ((3, 4, 5), ())


def test_b_values_are_inherited_from_above(tmp_path):
    data = series(tmp_path)
    (tmp_path / "dwi.bval").write_text("0 800 800 800")
    np.testing.assert_allclose(read(tmp_path, DWI).volume.data, data[..., 1:].mean(-1), rtol=1e-6)
    (tmp_path / "sub-01/sub-01_dwi.bval").write_text("0 0 0 800")
    (tmp_path / "sub-01/sub-01_acq-other_dwi.bval").write_text("800 0 0 0")
    np.testing.assert_allclose(read(tmp_path, DWI).volume.data, data[..., 3], rtol=1e-6)


@pytest.mark.parametrize(("b_values", "code"), [(None, "no-bval"), ("0 0 5 10", "no-weighted-volume")])
def test_without_weighted_volumes_all_are_averaged_with_a_note(tmp_path, b_values, code):
    data = series(tmp_path, b_values)
    loaded = read(tmp_path, DWI)
    np.testing.assert_allclose(loaded.volume.data, data.mean(-1), rtol=1e-6)
    assert [note[0] for note in loaded.notes] == [code]
    assert loaded.volumes_used == "all 4 volumes"


@pytest.mark.parametrize(("b_values", "told"), [("0 800", "lists 2 values"), ("0 a b c", "cannot be read")])
def test_b_values_that_do_not_fit_are_refused(tmp_path, b_values, told):
    series(tmp_path, b_values)
    with pytest.raises(ImageError, match=told):
        read(tmp_path, DWI)


def test_a_series_of_one_volume_needs_no_b_values(tmp_path):
    write_image(tmp_path / DWI, (4, 5, 6))
    assert read(tmp_path, DWI).volume.data.shape == (4, 5, 6)


def test_the_fingerprint_is_size_and_sha256(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"abc" * 1000)
    assert fingerprint(path) == {"Size": 3000, "SHA256": hashlib.sha256(b"abc" * 1000).hexdigest()}


def test_real_images_read_like_nibabel(shared_data):
    for path in sorted((shared_data / "dev").glob("sub-dev0[34]/anat/*.nii.gz")):
        loaded = read(shared_data / "dev", path.relative_to(shared_data / "dev").as_posix())
        np.testing.assert_array_equal(loaded.volume.data, nib.load(path).get_fdata(dtype=np.float32))
