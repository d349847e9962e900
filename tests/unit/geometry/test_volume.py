"""Volumes: turning axes in all 48 ways keeps every voxel in its place."""

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.errors import ImageError
from bids_deepseg.geometry.grid import CANONICAL_AXCODES, Grid
from bids_deepseg.geometry.volume import Volume, reorient, reorient_onto
from tests.helpers.phantoms import ALL_AXCODES


def oblique_volume(axcodes):
    """Return a small volume of distinct values in the wanted orientation, tilted by some degrees."""
    tilt = nib.eulerangles.euler2mat(0.2, 0.15, -0.1)
    affine = np.eye(4)
    affine[:3, :3] = tilt @ np.diag([0.7, 1.1, 3.0])
    affine[:3, 3] = [-20, 7, 3]
    data = np.arange(2 * 3 * 4, dtype=np.float32).reshape(2, 3, 4)
    return reorient(Volume(data, Grid(data.shape, affine)), axcodes)


def test_there_are_48_orientations():
    assert len(set(ALL_AXCODES)) == 48


@pytest.mark.parametrize("axcodes", ALL_AXCODES)
def test_reorienting_keeps_every_voxel_in_place_and_is_undone_to_the_bit(axcodes):
    native = oblique_volume(axcodes)
    assert native.grid.axcodes == axcodes
    canonical = reorient(native, CANONICAL_AXCODES)
    assert canonical.grid.axcodes == CANONICAL_AXCODES
    # Oracle: the world position of each value, found by value.
    for value in range(native.data.size):
        before = native.grid.voxel_to_world(np.argwhere(native.data == value)[0])
        after = canonical.grid.voxel_to_world(np.argwhere(canonical.data == value)[0])
        np.testing.assert_allclose(before, after, atol=1e-9)
    back = reorient_onto(canonical, native.grid)
    assert back.data.tobytes() == native.data.tobytes()
    assert back.grid.affine.tobytes() == native.grid.affine.tobytes()


def test_reorient_onto_refuses_another_grid():
    volume = reorient(oblique_volume(("R", "A", "S")), CANONICAL_AXCODES)
    other = Grid((2, 3, 5), np.eye(4))
    with pytest.raises(ImageError, match="not those of the wanted grid"):
        reorient_onto(volume, other)


def test_data_are_read_only():
    volume = oblique_volume(("R", "A", "S"))
    with pytest.raises(ValueError, match="read-only"):
        volume.data[0, 0, 0] = 1


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.zeros((2, 2, 2), np.float64), "float32 or uint8"),
        (np.zeros((2, 2, 3), np.float32), "their grid"),
        (np.full((2, 2, 2), np.nan, np.float32), "NaN"),
    ],
)
def test_bad_data_are_refused(data, message):
    with pytest.raises(ImageError, match=message):
        Volume(data, Grid((2, 2, 2), np.eye(4)))


def test_repr_names_shape_zooms_and_orientation():
    volume = Volume(np.zeros((2, 3, 4), np.uint8), Grid((2, 3, 4), np.diag([1, 2, 3, 1])))
    assert repr(volume) == "<Volume 2x3x4 (uint8) 1.00x2.00x3.00 mm RAS>"
