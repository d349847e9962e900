"""Voxels without numbers matter where the cord is."""

import numpy as np
import pytest

from bids_deepseg.judge.shape import share_without_numbers
from tests.helpers.phantoms import grid_of

POINTS = np.column_stack([np.zeros(9), np.zeros(9), np.arange(-4.0, 5.0)])


@pytest.mark.parametrize("zooms", [(1.0, 1.0, 1.0), (0.5, 2.0, 3.0)])
def test_what_is_far_from_the_cord_does_not_count(zooms):
    grid = grid_of((80, 40, 9), zooms)
    replaced = np.ones(grid.shape, bool)
    assert share_without_numbers(POINTS, replaced, grid) == 1
    xyz = grid.voxel_to_world(np.moveaxis(np.indices(grid.shape), 0, -1))
    near = (np.abs(xyz[..., :2]) <= 10).all(-1)
    assert share_without_numbers(POINTS, ~near, grid) == 0
    assert share_without_numbers(POINTS, near & (xyz[..., 0] > 0), grid) == pytest.approx(0.5, abs=0.06)


def test_points_beside_the_field_of_view_have_no_surroundings():
    grid = grid_of((10, 10, 9))
    assert share_without_numbers(POINTS + np.array([500.0, 0, 0]), np.ones(grid.shape, bool), grid) == 0
