"""Sizes from headers, and the expectation of time and memory."""

import gzip
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.app.participant import planning
from bids_deepseg.app.participant.cost import Cost, base_of, expect_cost, expect_total, worker_bytes
from bids_deepseg.bids.nifti.reading import ImageSize, read_size
from bids_deepseg.errors import ImageError, NotFetchedError
from bids_deepseg.example.phantom import grid_around
from bids_deepseg.execution import Job, Plan


@pytest.mark.parametrize("axcodes", [("L", "A", "S"), ("P", "S", "R"), ("I", "L", "A"), ("R", "I", "P")])
@pytest.mark.parametrize("form", ["sform", "qform"])
@pytest.mark.parametrize("image_class", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_the_size_is_that_of_the_header_in_every_orientation(tmp_path, axcodes, form, image_class, ending):
    shape, zooms = (10, 20, 30), (0.5, 1.5, 4.0)
    affine = grid_around(shape, zooms, axcodes=axcodes).affine
    tilt = np.eye(4)
    tilt[:3, :3] = [[1, 0, 0], [0, 0.96, -0.28], [0, 0.28, 0.96]]
    image = image_class(np.zeros(shape, np.int16), tilt @ affine)
    image.set_sform(tilt @ affine, 1 if form == "sform" else 0)
    image.set_qform(tilt @ affine, 1 if form == "qform" else 0)
    image.to_filename(tmp_path / f"x{ending}")
    axis = next(i for i, code in enumerate(axcodes) if code in "SI")
    in_plane = [n * zoom for i, (n, zoom) in enumerate(zip(shape, zooms, strict=True)) if i != axis]
    found = read_size(tmp_path / f"x{ending}")
    assert (found.n_voxels, found.n_slices, found.n_volumes) == (6000, shape[axis], 1)
    assert found.slice_mm2 == pytest.approx(in_plane[0] * in_plane[1])


def test_big_endian_two_dimensions_and_series(tmp_path):
    header = nib.Nifti1Header(endianness=">")
    nib.Nifti1Image(np.zeros((8, 9), ">i2"), np.eye(4), header).to_filename(tmp_path / "flat.nii")
    assert read_size(tmp_path / "flat.nii").n_slices == 1
    nib.Nifti1Image(np.zeros((4, 4, 4, 10), np.float32), np.eye(4)).to_filename(tmp_path / "series.nii")
    assert read_size(tmp_path / "series.nii") == ImageSize(64, 4, 16.0, 10)


@pytest.mark.parametrize("content", [b"", b"text" * 200, b"\x1f\x8b broken", gzip.compress(b"short", mtime=0)])
def test_what_is_no_image_is_refused(tmp_path, content):
    (tmp_path / "x.nii.gz").write_bytes(content)
    with pytest.raises(ImageError, match=r"x\.nii\.gz is (not a NIfTI image|empty|truncated or corrupt)"):
        read_size(tmp_path / "x.nii.gz")


def test_what_is_not_here_is_refused(tmp_path):
    (tmp_path / "x.nii.gz").symlink_to("gone")
    with pytest.raises(NotFetchedError, match="datalad get"):
        read_size(tmp_path / "x.nii.gz")


def test_more_voxels_and_slices_cost_more_and_threads_less_time():
    one = expect_cost(ImageSize(10**6, 50, 10**4), "tensorflow")
    for more in (ImageSize(2 * 10**6, 50, 10**4), ImageSize(10**6, 60, 10**4), ImageSize(10**6, 50, 10**5)):
        assert expect_cost(more, "tensorflow").seconds > one.seconds
    # The volumes of a series are read one by one.
    assert expect_cost(ImageSize(10**6, 50, 10**4, 100), "tensorflow") == one
    assert expect_cost(ImageSize(10**6, 50, 10**4), "tensorflow", n_threads=2).seconds < one.seconds


def test_images_at_the_same_time_share_the_time_and_add_their_memory():
    start_s = base_of("tensorflow").seconds
    costs = [Cost(10, 1000), Cost(10, 900), Cost(10, 800), Cost(10, 700)]
    assert expect_total(costs, backend="tensorflow", n_workers=1) == Cost(start_s + 40, 1000)
    assert expect_total(costs, backend="tensorflow", n_workers=2) == Cost(start_s + 20, 1900)
    assert expect_total(costs, backend="tensorflow", n_workers=9) == Cost(start_s + 10, 3400)
    assert expect_total([], backend="tensorflow", n_workers=2) == Cost(0, 0)


def test_large_pixels_cost_the_memory_of_the_area_that_is_scanned():
    base = base_of("tensorflow").megabytes
    small, large = ImageSize(10**6, 100, 10**4), ImageSize(10**6, 100, 25 * 10**4)
    assert expect_cost(large, "tensorflow").megabytes == pytest.approx(base + 17 * 25)
    assert expect_cost(small, "tensorflow").megabytes == pytest.approx(base + 28)
    # What is scanned at a time counts for few slices, too: 849 MB were measured for this one without networks.
    assert expect_cost(ImageSize(144_000, 10, 1.44e6), "tensorflow").megabytes == pytest.approx(base + 849, rel=0.1)


def test_every_orientation_code_of_the_standard_is_read(tmp_path):
    image = nib.Nifti1Image(np.zeros((4, 5, 6), np.uint8), np.eye(4))
    for code in range(6):
        image.header["sform_code"] = image.header["qform_code"] = code
        image.header["srow_x"], image.header["srow_y"], image.header["srow_z"] = np.eye(4)[:3]
        image.header["quatern_b"] = image.header["quatern_c"] = image.header["quatern_d"] = 0
        content = bytearray(image.to_bytes())
        content[252:256] = np.array([code, code], "<i2").tobytes()
        (tmp_path / "x.nii").write_bytes(content)
        assert read_size(tmp_path / "x.nii") == ImageSize(120, 6, 20.0)


def test_openvino_needs_less_of_everything_and_an_unknown_backend_as_much_as_the_largest():
    size = ImageSize(10**6, 50, 10**4)
    light, heavy = expect_cost(size, "openvino"), expect_cost(size, "tensorflow")
    assert light.megabytes < heavy.megabytes
    assert base_of("openvino").seconds < base_of("tensorflow").seconds
    assert worker_bytes("openvino") < worker_bytes("tensorflow")
    assert expect_cost(size, "") == heavy
    # A worker has room for more than a small image.
    assert worker_bytes("openvino") > 1e6 * light.megabytes


@pytest.mark.parametrize("size", [ImageSize(10**6, 50, 10**4), ImageSize(2 * 10**8, 1200, 4 * 10**4), "unreadable"])
def test_memory_is_scarce_below_twice_of_what_is_expected(monkeypatch, size):
    plan = Plan(todo=(Job("a", "g", SimpleNamespace(size=size)),), current=(), left_out=(), states={})
    expected = 0.0 if isinstance(size, str) else 1e6 * expect_cost(size, "openvino").megabytes
    for free, scarce in ((2 * max(expected, worker_bytes("openvino")) + 1, False), (2 * expected - 1, True)):
        monkeypatch.setattr(planning, "memory_of_one", lambda free=free: free)
        assert planning.is_memory_scarce(plan, "openvino") is scarce
        # Without networks, nothing reserves memory.
        assert not planning.is_memory_scarce(plan, "")
    monkeypatch.setattr(planning, "memory_of_one", lambda: None)
    assert not planning.is_memory_scarce(plan, "openvino")
