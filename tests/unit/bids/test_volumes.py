"""Anatomical series: which volume is segmented, and how its results are named."""

import gzip
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.app.participant.known import Request
from bids_deepseg.bids.naming import derivative_path, find_collisions, parse_name
from bids_deepseg.bids.nifti.reading import read_size
from bids_deepseg.bids.source.reader import read_image
from bids_deepseg.bids.source.volumes import expand_each, volume_rule
from bids_deepseg.errors import ImageError
from bids_deepseg.options.method import MethodSettings
from tests.helpers.bids_trees import image_of, write_image

T1W, T2STAR = "sub-01/anat/sub-01_T1w.nii.gz", "sub-01/anat/sub-01_T2starw.nii.gz"


def series(rng, dtype=np.int16):
    return rng.integers(0, 900, (4, 5, 6, 3)).astype(dtype)


def read(root, data, volume, *, name=T1W, number=None):
    write_image(root / name, data=data)
    return read_image(replace(image_of(root, name), volume=number), volume)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("dtype", [np.int16, ">i2", np.float32, np.uint8])
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_number_takes_that_volume(tmp_path, rng, ending, dtype, number):
    data = series(rng, np.uint8 if dtype == np.uint8 else np.int16).astype(dtype)
    loaded = read(tmp_path, data, str(number), name=f"sub-01/anat/sub-01_T1w{ending}")
    np.testing.assert_array_equal(loaded.volume.data, data[..., number].astype(np.float32))
    assert loaded.shape == (4, 5, 6)
    assert loaded.notes == (
        ("one-volume", f"Volume {number} of 3 was segmented, counted from 0 (--volume changes this)."),
    )


def test_mean_averages_all(tmp_path, rng):
    data = series(rng)
    loaded = read(tmp_path, data, "mean")
    np.testing.assert_allclose(loaded.volume.data, data.mean(3), rtol=1e-6)
    assert (loaded.volumes_used, loaded.notes) == ("all 3 volumes", ())


@pytest.mark.parametrize("suffix", ["T1w", "T2w", "UNIT1", "PDw", "MTS"])
def test_first_is_the_default_of_series_of_unknown_content(tmp_path, rng, suffix):
    data = series(rng)
    loaded = read(tmp_path, data, "auto", name=f"sub-01/anat/sub-01_{suffix}.nii.gz")
    np.testing.assert_array_equal(loaded.volume.data, data[..., 0])


@pytest.mark.parametrize(
    "name",
    ["anat/sub-01_T2starw", "anat/sub-01_T2star", "anat/sub-01_MEGRE", "func/sub-01_task-rest_bold"],
)
def test_mean_is_the_default_of_echoes_and_repetitions(tmp_path, rng, name):
    data = series(rng)
    loaded = read(tmp_path, data, "auto", name=f"sub-01/{name}.nii.gz")
    np.testing.assert_allclose(loaded.volume.data, data.mean(3), rtol=1e-6)


def test_a_volume_of_its_own_is_taken_whatever_the_rule(tmp_path, rng):
    data = series(rng)
    loaded = read(tmp_path, data, "mean", number=2)
    np.testing.assert_array_equal(loaded.volume.data, data[..., 2])


def test_a_volume_that_is_not_there_is_refused_with_the_numbers_that_are(tmp_path, rng):
    with pytest.raises(ImageError, match=r"has 3 volumes, and volume 3 was asked for.* at most 2"):
        read(tmp_path, series(rng), "3")


def test_slope_and_intercept_apply_to_the_volume(tmp_path, rng):
    data = series(rng)
    path = write_image(tmp_path / T1W, data=data)
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[112:120] = np.array([2, -10], "<f4").tobytes()
    path.write_bytes(gzip.compress(bytes(content)))
    loaded = read_image(image_of(tmp_path, T1W), "1")
    np.testing.assert_allclose(loaded.volume.data, 2 * data[..., 1] - 10)


# Of an uncompressed file nothing but the volume is read.
@pytest.mark.parametrize(
    ("ending", "volume"), [(".nii", "2"), (".nii", "mean"), (".nii.gz", "0"), (".nii.gz", "2"), (".nii.gz", "mean")]
)
def test_a_series_that_ends_too_early_is_refused_whichever_volume_is_wanted(tmp_path, rng, ending, volume):
    path = write_image(tmp_path / f"sub-01/anat/sub-01_T1w{ending}", data=series(rng))
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(ImageError, match="truncated"):
        read_image(image_of(tmp_path, path.relative_to(tmp_path).as_posix()), volume)


def test_each_makes_an_image_of_each_volume_with_a_name_of_its_own(tmp_path, rng):
    write_image(tmp_path / T1W, data=series(rng))
    write_image(tmp_path / T2STAR, (4, 5, 6, 1))
    images = [image_of(tmp_path, T1W), image_of(tmp_path, T2STAR)]
    every = expand_each(images)
    assert [image.key for image in every] == [f"{T1W}#0", f"{T1W}#1", f"{T1W}#2", T2STAR]
    assert len(set(every)) == len({derivative_path(image, "mask") for image in every}) == 4
    assert derivative_path(every[1], "mask").name == "sub-01_space-orig_label-SC_desc-T1wvol1_mask.nii.gz"
    assert not find_collisions(every)


def test_diffusion_series_and_broken_files_are_left_alone(tmp_path):
    dwi = "sub-01/dwi/sub-01_dwi.nii.gz"
    write_image(tmp_path / dwi, (4, 5, 6, 3))
    (tmp_path / "sub-01/anat").mkdir()
    (tmp_path / T1W).write_bytes(b"")
    images = (image_of(tmp_path, dwi), image_of(tmp_path, T1W))
    assert expand_each(images) == images
    request = Request(MethodSettings())
    assert not any(request.look_up(image).is_series for image in images)


@given(st.integers(0, 500), st.integers(0, 500))
def test_two_volumes_never_share_a_name(one, two):
    image = image_of("/data", "sub-01/anat/sub-01_acq-3_flip-1_MTS.nii.gz", acquisition="3", flip="1")
    names = {derivative_path(replace(image, volume=number), "mask").name for number in (one, two)}
    assert len(names) == len({one, two})
    assert all(parse_name(name) for name in names)


def test_the_header_counts_volumes(tmp_path):
    for shape, count in (((4, 5), 1), ((4, 5, 6), 1), ((4, 5, 6, 1), 1), ((4, 5, 6, 7), 7)):
        assert read_size(write_image(tmp_path / "x.nii.gz", shape)).n_volumes == count


def test_the_rule_in_the_stamp_is_resolved():
    image = image_of("/data", T1W)
    rules = {asked: volume_rule(image, asked) for asked in ("auto", "first", "mean", "2", "each")}
    assert rules == {"auto": "0", "first": "0", "mean": "mean", "2": "2", "each": "0"}
    assert volume_rule(replace(image, volume=1), "each") == "1"
