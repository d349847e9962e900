"""Headers: what places the voxels is read right, refused with the name of the field, or told."""

import gzip
import tracemalloc

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.bids.nifti.reading import read_header, read_size, write_nifti
from bids_deepseg.bids.source.reader import read_image
from bids_deepseg.errors import ImageError
from tests.helpers.bids_trees import AFFINE, image_of
from tests.helpers.odd_headers import set_fields, write_plain

T2W = "sub-01/anat/sub-01_T2w.nii"
NAN, INF = float("nan"), float("inf")
SHAPE = (6, 7, 5)


@pytest.fixture
def values(rng):
    return rng.integers(1, 1000, SHAPE).astype(np.int16)


@pytest.fixture(params=[1, 2], ids=["nifti1", "nifti2"])
def path(request, tmp_path, values):
    return write_plain(tmp_path / T2W, values, AFFINE, version=request.param)


def read(path):
    return read_image(image_of(path.parents[2], path.relative_to(path.parents[2])))


def codes(loaded):
    return [code for code, _ in loaded.notes], [found.code for found in loaded.doubts]


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"vox_offset": -16}, "vox_offset"),
        ({"vox_offset": 100}, "vox_offset"),
        ({"vox_offset": 10**6}, "vox_offset"),
        ({"dim_0": 0}, r"dim\[0\]"),
        ({"dim_0": 8}, r"dim\[0\]"),
        ({"dim_0": -3}, r"dim\[0\]"),
        ({"dim_1": 0}, r"dim\[1\]"),
        ({"dim_2": -30}, r"dim\[2\]"),
        ({"dim_3": 32767}, "dim 6x7x32767"),
        ({"dim_0": 7, "dim_4": 32767, "dim_5": 32767}, "truncated"),
        ({"datatype": 0}, "datatype"),
        ({"datatype": 9999}, "datatype"),
        ({"datatype": 1536}, "datatype|float128"),
        ({"sform_code": 6}, "sform_code is 6"),
        ({"sform_code": -1}, "sform_code is -1"),
        ({"qform_code": 77}, "qform_code is 77"),
        ({"srow_x_0": NAN, "qform_code": 0}, "srow_x"),
        ({"sform_code": 0, "quatern_b": NAN}, "quatern_b"),
        ({"sform_code": 0, "quatern_c": 3}, "quatern_b, quatern_c, quatern_d"),
        ({"sform_code": 0, "qoffset_y": INF}, "qoffset_x, qoffset_y"),
        ({"sform_code": 0, "pixdim_0": 0.5}, r"pixdim\[0\]"),
        ({"sform_code": 0, "pixdim_0": NAN}, r"pixdim\[0\]"),
        ({"sform_code": 0, "pixdim_3": 0}, r"pixdim\[3\] is 0"),
        ({"sform_code": 0, "pixdim_1": NAN}, r"pixdim\[1\] is nan"),
        ({"sform_code": 0, "pixdim_2": INF}, r"pixdim\[2\] is inf"),
        ({"sform_code": 0, "qform_code": 0, "pixdim_3": 0}, r"pixdim\[3\] is 0"),
        ({"srow_x_3": 1e20}, "first voxel lies at"),
        ({"xyzt_units": 1}, "voxel size.*xyzt_units"),
        ({"xyzt_units": 3}, "voxel size.*xyzt_units"),
        ({"magic": b"ni1"}, "pair of files"),
        ({"magic": b"x+1"}, "magic"),
    ],
)
def test_what_makes_no_sense_is_refused_by_plan_and_reading_alike(path, fields, told):
    if path.read_bytes()[0] == 28 and fields.get("magic") == b"ni1":
        fields = {"magic": b"ni2"}
    set_fields(path, **fields)
    with pytest.raises(ImageError, match=told) as planned:
        read_size(path)
    with pytest.raises(ImageError) as found:
        read(path)
    assert str(planned.value) == str(found.value)
    assert path.name in str(found.value)


@pytest.mark.parametrize("offset", [NAN, INF, -INF, 352.5, 1e30])
def test_an_offset_that_is_no_number_of_bytes_is_refused(tmp_path, values, offset):
    path = set_fields(write_plain(tmp_path / T2W, values, AFFINE), vox_offset=offset)
    with pytest.raises(ImageError, match="vox_offset"):
        read(path)


@pytest.mark.parametrize(
    ("fields", "notes", "doubts"),
    [
        ({"vox_offset": 0}, ["vox-offset"], []),
        ({"pixdim_3": 0}, ["qform-ignored"], []),
        ({"pixdim_1": NAN}, ["qform-ignored"], []),
        ({"pixdim_2": -0.5}, ["size-negative", "forms-differ"], []),
        ({"pixdim_0": 7}, ["qform-ignored"], []),
        ({"quatern_d": 5}, ["qform-ignored"], []),
        ({"qform_code": 0, "pixdim_3": 1}, ["sizes-differ"], []),
        ({"qform_code": 0, "pixdim_3": 0}, ["sizes-ignored"], []),
        ({"qoffset_x": 5}, ["forms-differ"], []),
        ({"scl_slope": INF}, ["slope-ignored"], []),
        ({"scl_slope": 2, "scl_inter": NAN}, ["intercept-ignored"], []),
        ({"scl_slope": NAN, "scl_inter": NAN}, [], []),
        ({"scl_slope": 0, "scl_inter": 5}, [], []),
        ({"bitpix": 8}, [], ["bitpix"]),
        ({"xyzt_units": 74}, ["unit-code"], []),
        ({"xyzt_units": 4}, [], ["unit-unknown"]),
        ({"xyzt_units": 255}, [], ["unit-unknown"]),
        ({"xyzt_units": 0}, [], []),
        ({"srow_x": 0}, [], ["sform-singular"]),
        ({"srow_z_1": NAN}, [], ["sform-singular"]),
    ],
)
def test_what_can_be_read_in_one_way_is_read_so_and_told(path, values, fields, notes, doubts):
    loaded = read(set_fields(path, **fields))
    assert codes(loaded) == (notes, doubts)
    np.testing.assert_allclose(loaded.volume.grid.affine, AFFINE, atol=1e-5)
    scale = 2 if fields.get("scl_slope") == 2 else 1
    np.testing.assert_array_equal(loaded.volume.data, values.astype(np.float32) * scale)


def test_a_negative_size_of_the_qform_and_a_zero_qfac_are_told(tmp_path, values):
    path = write_plain(tmp_path / T2W, values, np.diag([2.0, 2, 2, 1]))
    set_fields(path, sform_code=0, pixdim_0=0)
    assert codes(read(path)) == (["qfac-zero"], [])
    set_fields(path, pixdim_1=-2)
    assert codes(read(path)) == (["qfac-zero"], ["size-negative"])
    assert read(path).volume.grid.zooms == (2.0, 2.0, 2.0)


def test_an_offset_of_zero_before_extensions_is_refused(path):
    content = bytearray(path.read_bytes())
    size = 348 if content[0] == 92 else 540
    content[size] = 1
    path.write_bytes(content)
    assert read(path).notes == ()
    set_fields(path, vox_offset=0)
    with pytest.raises(ImageError, match="vox_offset is 0, though the header is followed by extensions"):
        read(path)


@pytest.mark.parametrize("unit", ["meter", "micron", "unknown"])
@pytest.mark.parametrize("version", [1, 2])
def test_the_unit_of_a_header_changes_nothing_but_the_derivatives_header(tmp_path, values, unit, version):
    loaded = read(write_plain(tmp_path / T2W, values, AFFINE, unit=unit, version=version))
    np.testing.assert_allclose(loaded.volume.grid.affine, AFFINE, rtol=1e-7, atol=1e-9)
    assert codes(loaded) == ([], [])
    with (tmp_path / "mask.nii.gz").open("wb") as stream:
        write_nifti(stream, np.zeros(SHAPE, np.uint8), loaded.header)
    source, mask = nib.load(tmp_path / T2W), nib.load(tmp_path / "mask.nii.gz")
    assert mask.affine.tobytes() == source.affine.tobytes()
    assert mask.header.get_xyzt_units()[0] == ("mm" if unit == "unknown" else unit)
    assert mask.header.get_zooms() == source.header.get_zooms()


def test_a_derivative_does_not_inherit_what_makes_no_sense(path):
    set_fields(path, srow_x=0, xyzt_units=255)
    loaded = read(path)
    with (path.parent / "mask.nii.gz").open("wb") as stream:
        write_nifti(stream, np.zeros(SHAPE, np.uint8), loaded.header)
    mask = nib.load(path.parent / "mask.nii.gz")
    assert (int(mask.header["sform_code"]), int(mask.header["qform_code"])) == (0, 1)
    assert mask.header.get_xyzt_units() == ("mm", "unknown")
    np.testing.assert_allclose(mask.affine, AFFINE, atol=1e-5)


@pytest.mark.parametrize(
    ("zooms", "shape", "told"),
    [
        ((50, 50, 500), SHAPE, "voxel size is 50 x 50 x 500 mm"),
        ((0.0005, 0.0005, 0.005), SHAPE, "voxel size"),
        ((6, 6, 5), SHAPE, r"pixel across the cord has 36 mm"),
        ((1, 1, 5), (2, 2, 600), "extent is 2 x 2 x 3000 mm"),
        ((5, 1, 5), (300, 2, 2), "extent is 1500 x 2 x 10 mm"),
    ],
)
def test_sizes_that_no_image_of_a_cord_has_are_refused_with_the_question_about_the_unit(tmp_path, zooms, shape, told):
    path = write_plain(tmp_path / T2W, np.arange(np.prod(shape), dtype=np.int32).reshape(shape), np.diag([*zooms, 1.0]))
    for reading in (read, read_size):
        with pytest.raises(ImageError, match=rf"{told}.*\n?.*xyzt_units"):
            reading(path)


def test_a_whole_spine_of_one_metre_and_microscopy_are_read(tmp_path):
    for zooms, shape in (((0.5, 0.5, 1.0), (4, 4, 1000)), ((0.02, 0.02, 0.5), SHAPE)):
        data = np.arange(np.prod(shape), dtype=np.int32).reshape(shape)
        assert read(write_plain(tmp_path / T2W, data, np.diag([*zooms, 1.0]))).notes == ()


@pytest.mark.parametrize("axis", [0, 1])
def test_one_slice_along_the_cord_is_refused(tmp_path, axis):
    shape = tuple(1 if i == axis else 9 for i in range(3))
    data = np.arange(81, dtype=np.int16).reshape(shape)
    path = write_plain(tmp_path / T2W, data, np.diag([1.0, 1, 1, 1]))
    for reading in (read, read_size):
        with pytest.raises(ImageError, match=f"one {'sagittal' if axis == 0 else 'coronal'} slice.*across the cord"):
            reading(path)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_nothing_is_reserved_for_what_a_header_announces(tmp_path, values, ending):
    path = write_plain(tmp_path / f"sub-01/anat/sub-01_T2w{ending}", values, AFFINE)
    set_fields(path, dim_1=300, dim_2=300, dim_3=300, datatype=64, bitpix=64)
    tracemalloc.start()
    with pytest.raises(ImageError, match="ends before the last value that its header announces"):
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5e6


def test_a_compressed_file_that_may_hold_what_it_announces_is_read_as_far_as_it_goes(tmp_path):
    path = write_plain(tmp_path / f"{T2W}.gz", np.zeros((20, 20, 20), np.uint8), AFFINE)
    set_fields(path, dim_3=300)
    assert read_size(path).n_voxels == 120_000
    with pytest.raises(ImageError, match="ends before the last value"):
        read(path)


def test_bytes_behind_the_last_voxel_are_told_and_many_are_refused(path):
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(100))
    assert codes(read(path)) == (["bytes-behind"], [])
    path.write_bytes(whole + b"x" * 100)
    assert codes(read(path)) == ([], ["bytes-behind"])
    path.write_bytes(whole + bytes(1_000_001))
    for reading in (read, read_size):
        with pytest.raises(ImageError, match="continues for more than 1 MB"):
            reading(path)


@pytest.mark.parametrize("rest", [b"x", b"garbage" * 1000, b"\0" * 10])
def test_bytes_behind_the_gzip_stream_are_told(tmp_path, values, rest):
    path = write_plain(tmp_path / f"{T2W}.gz", values, AFFINE)
    path.write_bytes(path.read_bytes() + rest)
    loaded = read(path)
    assert codes(loaded) == (["bytes-behind-gzip"], [])
    np.testing.assert_array_equal(loaded.volume.data, values)


def test_a_file_of_several_gzip_members_is_one_image(tmp_path, values):
    path = write_plain(tmp_path / f"{T2W}.gz", values, AFFINE)
    content = gzip.decompress(path.read_bytes())
    parts = (content[:200], content[200:400], content[400:])
    path.write_bytes(b"".join(gzip.compress(part) for part in parts))
    loaded = read(path)
    assert loaded.notes == ()
    np.testing.assert_array_equal(loaded.volume.data, values)


def test_a_flat_image_keeps_its_thickness(tmp_path, rng):
    path = write_plain(tmp_path / T2W, rng.integers(0, 9, (30, 30, 1)).astype(np.int16), np.diag([0.5, 0.5, 5, 1]))
    set_fields(path, sform_code=0, dim_0=2)
    loaded = read(path)
    assert (loaded.shape, loaded.volume.grid.zooms) == ((30, 30), (0.5, 0.5, 5.0))
    with (tmp_path / "mask.nii.gz").open("wb") as stream:
        write_nifti(stream, np.zeros((30, 30), np.uint8), loaded.header)
    assert nib.load(tmp_path / "mask.nii.gz").affine.tobytes() == nib.load(path).affine.tobytes()
    set_fields(path, pixdim_3=0)
    loaded = read(path)
    assert codes(loaded) == ([], ["size-guessed"])
    assert loaded.volume.grid.zooms == (0.5, 0.5, 1.0)


def test_nothing_of_nibabel_reaches_the_terminal(path, capfd, caplog):
    read(set_fields(path, pixdim_3=0, pixdim_0=0, qform_code=0))
    assert capfd.readouterr() == ("", "")
    assert not caplog.records


def test_the_affine_of_the_plan_is_that_of_the_reading(path):
    np.testing.assert_array_equal(read_header(path).affine, read(path).volume.grid.affine)
