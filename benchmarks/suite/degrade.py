"""Make an image worse in a known way, together with its true cord.

Each function takes a pair of volumes on canonical axes (image, fraction of each voxel that is cord), a strength and a
random generator, and returns such a pair. What moves the anatomy moves both.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume

Array = NDArray[np.float32]


class Pair(NamedTuple):
    """An image and the fraction of its voxels that is cord, float32, on one grid."""

    image: Volume
    cord: Volume


def _with(pair: Pair, image: NDArray[np.floating]) -> Pair:
    """Return the pair with another image."""
    return Pair(Volume(np.asarray(image, np.float32), pair.image.grid), pair.cord)


def _spread(data: Array) -> float:
    """Return the range of most of the brightness."""
    low, high = np.percentile(data, (2, 98))
    return float(max(high - low, 1e-6))


def noise(pair: Pair, strength: float, rng: np.random.Generator) -> Pair:
    """Add noise as a magnitude image has it; the strength is relative to the range of brightness."""
    sigma = strength * _spread(pair.image.data)
    first, second = rng.normal(0, sigma, (2, *pair.image.data.shape))
    return _with(pair, np.hypot(pair.image.data - pair.image.data.min() + first, second))


def bias(pair: Pair, strength: float, rng: np.random.Generator) -> Pair:
    """Multiply by a smooth field of exp(+-strength)."""
    knots = rng.uniform(-1, 1, (3, 3, 3))
    grid = np.meshgrid(*(np.linspace(0, 2, n) for n in pair.image.data.shape), indexing="ij")
    field = ndimage.map_coordinates(knots, grid, order=2, mode="nearest")
    low = pair.image.data.min()
    return _with(pair, low + (pair.image.data - low) * np.exp(strength * field))


def rotate(pair: Pair, degrees: float, axis: int) -> Pair:
    """Turn the anatomy about the middle of the cord, around one axis (0 left-right, 1 back-front, 2 up-down)."""
    angle = np.radians(degrees)
    turn = np.eye(3)
    a, b = [n for n in range(3) if n != axis]
    turn[a, a] = turn[b, b] = np.cos(angle)
    turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
    zooms = np.array(pair.image.grid.zooms)
    # In millimetres, so that thick slices turn as a body does.
    matrix = turn * zooms[None] / zooms[:, None]
    centre = np.array(ndimage.center_of_mass(pair.cord.data))
    moved = [
        ndimage.affine_transform(v.data, matrix, centre - matrix @ centre, order=1, mode=mode)
        for v, mode in zip(pair, ("nearest", "constant"), strict=True)
    ]
    return Pair(*(Volume(data, pair.image.grid) for data in moved))


def coarsen(pair: Pair, factors: tuple[int, int, int]) -> Pair:
    """Average blocks of voxels: coarser, anisotropic or thicker."""
    return Pair(*(_averaged(volume, factors) for volume in pair))


def _averaged(volume: Volume, factors: tuple[int, int, int]) -> Volume:
    shape = [n // factor for n, factor in zip(volume.data.shape, factors, strict=True)]
    part = volume.data[tuple(slice(n * factor) for n, factor in zip(shape, factors, strict=True))]
    blocks = part.reshape(*(n for pair in zip(shape, factors, strict=True) for n in pair))
    affine = volume.grid.affine.copy()
    affine[:3, 3] = volume.grid.voxel_to_world((np.array(factors) - 1) / 2)
    affine[:3, :3] = affine[:3, :3] * factors
    return Volume(blocks.mean((1, 3, 5)).astype(np.float32), Grid((shape[0], shape[1], shape[2]), affine))


def cut(pair: Pair, low: tuple[int, int, int], high: tuple[int, int, int]) -> Pair:
    """Keep the voxels from ``low`` to before ``high``."""
    affine = pair.image.grid.affine.copy()
    affine[:3, 3] = pair.image.grid.voxel_to_world(low)
    chosen = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    parts = [np.ascontiguousarray(volume.data[chosen]) for volume in pair]
    shape = parts[0].shape
    return Pair(*(Volume(part, Grid((shape[0], shape[1], shape[2]), affine)) for part in parts))


def crop_near(pair: Pair, margin_mm: float) -> Pair:
    """End the field of view so far to the left of the cord's middle; negative cuts off most of the cord."""
    i = ndimage.center_of_mass(pair.cord.data)[0]
    end = round(float(i + margin_mm / pair.image.grid.zooms[0]))
    shape = pair.image.data.shape
    return cut(pair, (0, 0, 0), (min(max(end, 8), shape[0]), shape[1], shape[2]))


def few_slices(pair: Pair, n: int) -> Pair:
    """Keep so many slices in the middle."""
    shape = pair.image.data.shape
    first = max(0, (shape[2] - n) // 2)
    return cut(pair, (0, 0, first), (shape[0], shape[1], min(shape[2], first + n)))


def invert(pair: Pair) -> Pair:
    """Turn bright and dark around."""
    return _with(pair, pair.image.data.max() - pair.image.data)


def gamma(pair: Pair, exponent: float) -> Pair:
    """Bend the scale of brightness."""
    low = pair.image.data.min()
    unit = np.clip((pair.image.data - low) / _spread(pair.image.data), 0, 1.5)
    return _with(pair, 1000 * unit**exponent)


def blur(pair: Pair, sigma_mm: float) -> Pair:
    """Smooth in plane."""
    sigma = [sigma_mm / zoom for zoom in pair.image.grid.zooms[:2]]
    return _with(pair, ndimage.gaussian_filter(pair.image.data, (*sigma, 0)))


def resize(pair: Pair, factor: float) -> Pair:
    """State voxels that are larger by ``factor`` in plane: a large or a small person, or a wrong header."""
    affine = pair.image.grid.affine.copy()
    affine[:3, :2] *= factor
    return Pair(*(Volume(volume.data, Grid(volume.grid.shape, affine)) for volume in pair))


def drop_slices(pair: Pair, every: int) -> Pair:
    """Set every n-th slice to zero."""
    data = pair.image.data.copy()
    data[..., every // 2 :: every] = 0
    return _with(pair, data)


def ghost(pair: Pair, strength: float) -> Pair:
    """Add copies moved by a third of the field of view, as motion in the phase direction does."""
    third = pair.image.data.shape[1] // 3
    copies = np.roll(pair.image.data, third, 1) + np.roll(pair.image.data, -third, 1)
    return _with(pair, pair.image.data + strength * copies)


def jumble(pair: Pair, sigma_mm: float, rng: np.random.Generator) -> Pair:
    """Move each slice on its own, as a person who moves between slices does."""
    zooms = np.array(pair.image.grid.zooms[:2])
    image, cord = pair.image.data.copy(), pair.cord.data.copy()
    for k in range(image.shape[2]):
        step = rng.normal(0, sigma_mm, 2) / zooms
        image[..., k] = ndimage.shift(image[..., k], step, order=1, mode="nearest")
        cord[..., k] = ndimage.shift(cord[..., k], step, order=1)
    return Pair(Volume(image, pair.image.grid), Volume(cord, pair.cord.grid))


def turn_over(pair: Pair) -> Pair:
    """Exchange back and front, as a wrong header does."""
    return Pair(*(Volume(np.ascontiguousarray(volume.data[:, ::-1]), volume.grid) for volume in pair))


def low_contrast(pair: Pair, strength: float, rng: np.random.Generator) -> Pair:
    """Bring the surroundings of the cord close to its own brightness, as where fluid and cord look alike."""
    data, cord = pair.image.data, pair.cord.data >= 0.5
    level = float(np.median(data[cord]))
    zooms = pair.image.grid.zooms
    distance = np.stack(
        [ndimage.distance_transform_edt(~cord[..., k], zooms[:2]) for k in range(cord.shape[2])], axis=2
    )
    near = np.exp(-((distance / 12.0) ** 2)) * (cord.any((0, 1)))
    mixed = data + strength * near * (level - data)
    return noise(_with(pair, mixed), 0.02, rng)


#: All degradations, by name.
DEGRADATIONS: Mapping[str, Callable[[Pair, np.random.Generator], Pair]] = MappingProxyType(
    {
        "none": lambda pair, _: pair,
        "noise 0.05": lambda pair, rng: noise(pair, 0.05, rng),
        "noise 0.10": lambda pair, rng: noise(pair, 0.10, rng),
        "noise 0.20": lambda pair, rng: noise(pair, 0.20, rng),
        "noise 0.35": lambda pair, rng: noise(pair, 0.35, rng),
        "bias 1": lambda pair, rng: bias(pair, 1.0, rng),
        "bias 2.5": lambda pair, rng: bias(pair, 2.5, rng),
        "turned +25 in plane": lambda pair, _: rotate(pair, 25, 2),
        "turned -25 in plane": lambda pair, _: rotate(pair, -25, 2),
        "bent +25": lambda pair, _: rotate(pair, 25, 0),
        "bent -25": lambda pair, _: rotate(pair, -25, 0),
        "leaning +25": lambda pair, _: rotate(pair, 25, 1),
        "leaning -25": lambda pair, _: rotate(pair, -25, 1),
        "anisotropic 1:3": lambda pair, _: coarsen(pair, (1, 3, 1)),
        "coarse x2": lambda pair, _: coarsen(pair, (2, 2, 1)),
        "coarse x4": lambda pair, _: coarsen(pair, (4, 4, 1)),
        "thick x3": lambda pair, _: coarsen(pair, (1, 1, 3)),
        "cropped at 12 mm": lambda pair, _: crop_near(pair, 12.0),
        "cropped at 4 mm": lambda pair, _: crop_near(pair, 4.0),
        "cropped at -1 mm": lambda pair, _: crop_near(pair, -1.0),
        "3 slices": lambda pair, _: few_slices(pair, 3),
        "inverted": lambda pair, _: invert(pair),
        "gamma 0.4": lambda pair, _: gamma(pair, 0.4),
        "gamma 3": lambda pair, _: gamma(pair, 3.0),
        "blurred 2 mm": lambda pair, _: blur(pair, 2.0),
        "blurred 4 mm": lambda pair, _: blur(pair, 4.0),
        "sized x0.55": lambda pair, _: resize(pair, 0.55),
        "sized x1.6": lambda pair, _: resize(pair, 1.6),
        "sized x2.5": lambda pair, _: resize(pair, 2.5),
        "every 4th slice lost": lambda pair, _: drop_slices(pair, 4),
        "ghosts 0.5": lambda pair, _: ghost(pair, 0.5),
        "ghosts 1": lambda pair, _: ghost(pair, 1.0),
        "slices moved 3 mm": lambda pair, rng: jumble(pair, 3.0, rng),
        "back and front exchanged": lambda pair, _: turn_over(pair),
        "contrast lost 0.7": lambda pair, rng: low_contrast(pair, 0.7, rng),
        "contrast lost 1": lambda pair, rng: low_contrast(pair, 1.0, rng),
    }
)


def chosen_for(number: int, *, step: int) -> tuple[str, ...]:
    """Return the degradations of one source: the unchanged image, and every ``step``-th, starting elsewhere for each.

    The whole product of sources and degradations would take hours and say little more.
    """
    names = list(DEGRADATIONS)
    return ("none", *names[1 + number % step :: step])
