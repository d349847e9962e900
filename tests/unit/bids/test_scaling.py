"""Values reach float32 without losing the image."""

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.bids.nifti.voxels import scale_values, to_float32
from bids_deepseg.bids.source.reader import read_image
from tests.helpers.bids_trees import AFFINE, image_of, write_image

T2W = "sub-01/anat/sub-01_T2w.nii.gz"


@pytest.fixture
def values(rng):
    return rng.integers(0, 4000, (8, 9, 10)).astype(np.int32)


def is_linear(one, other):
    line = np.polyfit(np.ravel(one).astype(float), np.ravel(other).astype(float), 1)
    return np.abs(np.polyval(line, one) - other).max() <= 1e-4 * np.ptp(other)


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v + 2 * 10**9 - 5000,
        lambda v: v * 1e35,
        lambda v: v * 1e300,
        lambda v: v * 1e-30,
        lambda v: v * 1e-5 + 1e6,
        lambda v: (v - 2000) * 8.9e304,
    ],
)
def test_an_image_in_any_range_is_the_same_image_and_that_is_told(values, change):
    changed = change(values.astype(np.float64))
    found, notes = to_float32(scale_values(changed, 1.0, 0.0))
    assert is_linear(values, found)
    assert [code for code, _ in notes] == ["values-rescaled"]


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.int32, np.float64])
def test_values_that_float32_holds_stay_as_they_are(values, dtype):
    raw = (values // 16).astype(dtype)
    found, notes = to_float32(scale_values(raw, 1.0, 0.0))
    np.testing.assert_array_equal(found, raw)
    assert notes == []


def test_int32_far_from_zero_is_read_from_a_file(tmp_path, values):
    write_image(tmp_path / T2W, data=values + np.int32(2_000_000_000), affine=AFFINE)
    loaded = read_image(image_of(tmp_path, T2W))
    assert is_linear(values, loaded.volume.data)
    assert [code for code, _ in loaded.notes] == ["values-rescaled"]


def test_a_large_intercept_is_applied_before_rounding(tmp_path, values):
    (tmp_path / T2W).parent.mkdir(parents=True)
    image = nib.Nifti1Image(values.astype(np.int16), AFFINE)
    image.header.set_slope_inter(0.001, 1e7)
    nib.save(image, tmp_path / T2W)
    stored = np.asarray(nib.load(tmp_path / T2W).dataobj.get_unscaled())
    assert is_linear(stored, read_image(image_of(tmp_path, T2W)).volume.data)


def test_a_few_extreme_voxels_do_not_decide_on_the_scale(values):
    changed = values.astype(np.float64)
    changed[0, 0, 0] = 1e300
    found, notes = to_float32(changed)
    assert np.isinf(found[0, 0, 0])
    np.testing.assert_array_equal(found.ravel()[1:], values.ravel()[1:])
    assert notes == []
