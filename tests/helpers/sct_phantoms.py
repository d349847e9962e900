"""A bright tube for the reference method, which sees values from 0 to 255."""

import numpy as np

from bids_deepseg.geometry.volume import Volume
from tests.helpers.phantoms import tube

SHAPE = (56, 60, 14)


def bright(patches):
    """Return a high probability where the values from 0 to 255 are bright."""
    return 1 / (1 + np.exp(-(patches - 128) / 10))


def image(grid, slope=(0.1, -0.15), radius_mm=5.0):
    """Return a bright tube on a ground with a little texture."""
    data = 900 * tube(grid, radius_mm=radius_mm, slope=slope, supersample=3).data
    texture = np.random.default_rng(0).uniform(50, 80, grid.shape)
    return Volume((data + texture).astype(np.float32), grid)


def line_of(grid, slope=(0.1, -0.15)):
    """Return the axis of the tube in each slice, in mm."""
    z = grid.voxel_to_world(np.column_stack([np.zeros((grid.shape[2], 2)), np.arange(grid.shape[2])]))[:, 2]
    return np.column_stack([slope[0] * z, slope[1] * z, z])
