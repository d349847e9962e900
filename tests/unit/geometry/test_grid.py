"""Grids: mapping between voxels and the world, and what a grid refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.errors import ImageError
from bids_deepseg.geometry.grid import Grid


@st.composite
def affines(draw):
    """Non-singular affines: any rotation, zooms, shears and shift."""
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    shear = np.eye(3) + np.triu(rng.uniform(-0.4, 0.4, (3, 3)), 1)
    affine = np.eye(4)
    affine[:3, :3] = rotation @ shear @ np.diag(rng.uniform(0.2, 20, 3))
    affine[:3, 3] = rng.uniform(-500, 500, 3)
    return affine


@given(affines(), st.tuples(*[st.floats(-500, 500)] * 3))
def test_world_to_voxel_undoes_voxel_to_world(affine, ijk):
    grid = Grid((2, 3, 4), affine)
    np.testing.assert_allclose(grid.world_to_voxel(grid.voxel_to_world(ijk)), ijk, atol=1e-6)


def test_voxel_to_world_by_hand():
    affine = np.array([[0, 0, 2, 10], [1, 0, 0, 20], [0, 3, 0, 30], [0, 0, 0, 1]], float)
    grid = Grid((5, 5, 5), affine)
    np.testing.assert_array_equal(grid.voxel_to_world([1, 2, 3]), [16, 21, 36])
    assert grid.zooms == (1, 3, 2)
    assert grid.axcodes == ("A", "S", "R")


def test_affine_is_read_only_and_a_copy():
    affine = np.eye(4)
    grid = Grid((1, 1, 1), affine)
    affine[0, 0] = 9
    assert grid.affine[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        grid.affine[0, 0] = 2


@pytest.mark.parametrize(
    ("affine", "message"),
    [
        (np.diag([1, 1, 0, 1]), "singular"),
        (np.array([[1, 2, 0, 0], [1, 2, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]), "singular"),
        (np.full((4, 4), np.nan), "finite 4x4"),
        (np.eye(3), "finite 4x4"),
        (np.diag([1, 1, 1, 2]), "finite 4x4"),
    ],
)
def test_bad_affines_are_refused(affine, message):
    with pytest.raises(ImageError, match=message):
        Grid((2, 2, 2), affine)


@pytest.mark.parametrize("shape", [(2, 2), (0, 1, 1), (1, 1, 1, 1)])
def test_bad_shapes_are_refused(shape):
    with pytest.raises(ImageError, match="Three axes"):
        Grid(shape, np.eye(4))
