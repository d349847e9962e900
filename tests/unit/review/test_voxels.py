"""What goes to the page and comes back is the same, in every orientation."""

import gzip
import io

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.errors import ImageError
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.review.voxels import image_bytes, mask_bytes, onto_image, page_grid, unpack
from tests.helpers.phantoms import ALL_AXCODES, oblique


def volume_of(codes, dtype, seed=0):
    grid = oblique((7, 6, 5), (1.0, 0.8, 2.0))
    rng = np.random.default_rng(seed)
    data = rng.random(grid.shape) < 0.3 if dtype is np.uint8 else rng.normal(3, 200, grid.shape)
    return reorient(Volume(data.astype(dtype), grid), codes)


def opened(content):
    return nib.Nifti1Image.from_bytes(content)


@pytest.mark.parametrize("codes", ALL_AXCODES, ids="".join)
def test_a_mask_that_goes_to_the_page_and_back_is_the_same_on_the_same_grid(codes):
    mask = volume_of(codes, np.uint8)
    shown = opened(mask_bytes(mask))
    body = gzip.compress(np.asarray(shown.dataobj, np.uint8).tobytes(order="F"))
    back = onto_image(unpack(body, mask.grid), mask.grid)
    np.testing.assert_array_equal(back.data, mask.data)
    np.testing.assert_array_equal(back.grid.affine, mask.grid.affine)


@pytest.mark.parametrize("codes", ALL_AXCODES[::7], ids="".join)
def test_the_page_gets_axes_to_the_right_anterior_and_superior_without_rotation(codes):
    image = volume_of(codes, np.float32)
    shown = opened(image_bytes(image))
    assert shown.shape == page_grid(image.grid).shape
    np.testing.assert_array_equal(shown.affine[:3, :3], np.diag(np.diag(shown.affine[:3, :3])))
    np.testing.assert_allclose(np.diag(shown.affine)[:3], page_grid(image.grid).zooms, rtol=1e-6)
    expected = reorient(image, ("R", "A", "S")).data
    np.testing.assert_allclose(shown.get_fdata(), expected, atol=np.ptp(expected) / 32767)


@given(st.binary(max_size=400))
def test_whatever_arrives_is_a_mask_or_refused(body):
    grid = oblique((4, 3, 2), (1.0, 1.0, 1.0))
    with pytest.raises(ImageError):
        unpack(body, grid)


def test_more_or_fewer_voxels_and_other_values_are_refused():
    grid = oblique((4, 3, 2), (1.0, 1.0, 1.0))
    for content in (b"\1" * 23, b"\1" * 25, b"\1" * 10_000_000, b"\2" * 24):
        with pytest.raises(ImageError):
            unpack(gzip.compress(content), grid)
    with pytest.raises(ImageError):
        unpack(gzip.compress(b"\1" * 24)[:-9], grid)
    assert unpack(gzip.compress(b"\1" * 24), grid).data.all()


def test_a_bomb_is_not_decompressed():
    buffer = io.BytesIO()
    with gzip.open(buffer, "wb") as stream:
        for _ in range(300):
            stream.write(b"\0" * 1_000_000)
    with pytest.raises(ImageError):
        unpack(buffer.getvalue(), oblique((4, 3, 2), (1.0, 1.0, 1.0)))
