"""Simple images with a known cord, predictors that need no network, and all orientations."""

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume

#: The 48 ways in which the axes of an image can point.
ALL_AXCODES = [
    tuple(codes) for order in itertools.permutations(("LR", "PA", "IS")) for codes in itertools.product(*order)
]


def grid_of(shape, zooms=(1.0, 1.0, 1.0)):
    """Return a canonical grid (LAS) centred on the world's origin."""
    affine = np.diag([-zooms[0], zooms[1], zooms[2], 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


def tube(grid, *, radius_mm=5.0, slope=(0.0, 0.0), supersample=5):
    """Return the fraction of each voxel that lies in a straight tube through the world's origin.

    Parameters
    ----------
    grid : Grid
        Where to draw.
    radius_mm : float
        Radius perpendicular to the tube's axis.
    slope : (float, float)
        Shift along x and y in mm per mm along z.
    supersample : int
        Points per voxel and axis in the slice.
    """
    axis = np.array([*slope, 1.0]) / np.linalg.norm([*slope, 1.0])

    def distance_mm(ijk):
        xyz = grid.voxel_to_world(ijk)
        return np.linalg.norm(xyz - (xyz @ axis)[:, None] * axis, axis=1)

    ijk = np.indices(grid.shape).reshape(3, -1).T
    from_border = radius_mm - distance_mm(ijk)
    fraction = (from_border > 0).astype(np.float64)
    # No point of a voxel is farther from its centre.
    cut = np.flatnonzero(np.abs(from_border) <= np.linalg.norm(grid.affine[:3, :3], axis=0).sum() / 2)
    offsets = (np.arange(supersample) + 0.5) / supersample - 0.5
    inside = [distance_mm(ijk[cut] + [di, dj, 0]) <= radius_mm for di in offsets for dj in offsets]
    fraction[cut] = np.sum(inside, axis=0) / supersample**2
    return Volume(fraction.reshape(grid.shape).astype(np.float32), grid)


@dataclass(frozen=True)
class FakePredictor:
    """A predictor made of a function of the patches (N, H, W)."""

    function: object
    patch_shape: tuple[int, int] = (64, 64)
    zoom_mm: float = 0.5
    threshold: float = 0.5

    def predict(self, patches):
        return np.asarray(self.function(patches), np.float32)


def bright_is_cord(patches):
    """Return the probability of a bright tube on a dark ground after standardisation."""
    return 1 / (1 + np.exp(-8 * (patches - 1.0)))


def front_part(patches):
    """Return a structure that begins 2 mm in front of the patch's middle, at 0.3 mm: a quarter of a 10 mm tube."""
    out = np.zeros(patches.shape, np.float32)
    out[..., patches.shape[-1] // 2 + 7 :] = 1
    return out


def bright_is_hot(patches):
    """Return a heat that peaks in the middle of bright objects."""
    smooth = ndimage.gaussian_filter((patches > 1).astype(np.float32), (0, 2, 2))
    return np.clip(smooth, 0, 1)


def oblique(shape=(40, 44, 30), zooms=(1.0, 0.8, 2.0), degrees=20.0):
    """Return a canonical grid turned about two axes."""
    angle = np.radians(degrees)
    c, s = np.cos(angle), np.sin(angle)
    about_x = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    about_z = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    affine = grid_of(shape, zooms).affine.copy()
    affine[:3, :] = about_z @ about_x @ affine[:3, :] + np.array([[0, 0, 0, 7.0]] * 3)
    return Grid(shape, affine)


def noisy_cord(shape=(48, 44, 24), radius_mm=4.5):
    """Return an image of a bright tube in noise, and where it is."""
    grid = grid_of(shape)
    truth = tube(grid, radius_mm=radius_mm, slope=(0.1, 0.05), supersample=3)
    noise = np.random.default_rng(0).normal(0, 4, shape).astype(np.float32)
    return Volume(100 + 150 * truth.data + noise, grid), truth.data >= 0.5


def dice(a, b):
    """Return the Dice coefficient of two boolean arrays."""
    return 2 * (a & b).sum() / (a.sum() + b.sum())
