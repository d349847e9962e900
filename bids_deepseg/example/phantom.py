"""Scan an invented neck: an image with the tissues, blurring and noise of a real one, and the true cord.

Terms: the *body* has axes to the left, to anterior and to superior, in mm, with the origin in the spinal canal at the
height of about C5; the world (RAS+) has the same origin. The *fraction* of a voxel is the part of it that is cord; it
is averaged over several points in each voxel, as the image is.

    >>> rng = np.random.default_rng(0)
    >>> image, cord = make_phantom(rng, contrast="t2", shape=(48, 60, 40), zooms=(1, 1, 1))
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.example import anatomy
from bids_deepseg.example.brushes import TEXTURE_SCALES_MM, Array, Points, Tissues, draw_noise, noise_at, tissues_of
from bids_deepseg.geometry.grid import CANONICAL_AXCODES, Grid
from bids_deepseg.geometry.volume import Volume

#: Largest distance between the points in a voxel at which the spine is looked up.
_POINT_MM = 1.25
#: Voxels painted at once, to bound the memory.
_VOXELS_AT_ONCE = 100_000


@dataclass(frozen=True, slots=True, eq=False)
class Phantom:
    """The anatomy of one invented person.

    Attributes
    ----------
    spine : SpineShape or None
        Sizes of the spine; None is a thigh, which has no cord.
    lordosis_mm, scoliosis_mm : float
        How far the cord's course bends to the front and to the side.
    phase_mm : float
        Where along the neck the bend is.
    neck_mm : (float, float, float)
        Half width and half depth of the neck, and the distance of its back from the cord.
    noise : (24, 24, 24) float32 array
        Knots of the tissues' texture.
    """

    spine: anatomy.SpineShape | None
    lordosis_mm: float
    scoliosis_mm: float
    phase_mm: float
    neck_mm: tuple[float, float, float]
    noise: Array


class PhantomImage(NamedTuple):
    """A scan of a phantom.

    Attributes
    ----------
    image : Volume
        float32 image, about 0 to 1000.
    cord : Volume
        float32 fraction of each voxel that is cord, in [0, 1], on the same grid.
    """

    image: Volume
    cord: Volume


def make_phantom(
    rng: np.random.Generator,
    *,
    contrast: str,
    shape: tuple[int, int, int],
    zooms: tuple[float, float, float],
    axcodes: tuple[str, str, str] = CANONICAL_AXCODES,
    centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    cord: bool = True,
) -> PhantomImage:
    """Invent a neck and scan it.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the anatomy and of the noise.
    contrast : {"t1", "t2", "t2s", "dwi"}
        Brightness of the tissues.
    shape : (int, int, int)
        Number of voxels along the axes.
    zooms : (float, float, float)
        Voxel sizes in mm, in the order of the axes.
    axcodes : tuple of str, optional
        Directions of the axes.
    centre_mm : (float, float, float), optional
        World coordinates of the centre of the image; the cord passes near the origin.
    cord : bool, optional
        False scans a thigh.

    Returns
    -------
    PhantomImage
        Image and true cord fraction.
    """
    grid = grid_around(shape, zooms, axcodes=axcodes, centre_mm=centre_mm)
    return scan(rng, draw_phantom(rng, cord=cord), grid, contrast=contrast)


def grid_around(
    shape: tuple[int, int, int],
    zooms: tuple[float, float, float],
    *,
    axcodes: tuple[str, str, str] = CANONICAL_AXCODES,
    centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Grid:
    """Return the grid with the given axes whose centre lies at ``centre_mm`` (RAS+ mm)."""
    towards = nib.orientations.axcodes2ornt(axcodes)
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world_axis, sign) in enumerate(towards):
        affine[int(world_axis), axis] = sign * zooms[axis]
    affine[:3, 3] = np.array(centre_mm) - affine[:3, :3] @ ((np.array(shape) - 1) / 2)
    return Grid(shape, affine)


def draw_phantom(rng: np.random.Generator, *, cord: bool = True) -> Phantom:
    """Draw the anatomy of one person within the human range; without cord it is a thigh."""
    size = anatomy.SpineShape(
        level_mm=float(rng.uniform(16.0, 18.5)),
        disc_at_mm=float(rng.uniform(-8, 8)),
        cord_scale=float(rng.uniform(0.94, 1.05)),
        sac_scale=float(rng.uniform(0.97, 1.08)),
        body_half_u=float(rng.uniform(11.5, 13.5)),
        body_half_v=float(rng.uniform(7.5, 8.8)),
        bulge_mm=float(rng.uniform(0.0, 1.0)),
        cord_shift_mm=float(rng.uniform(-0.3, 0.6)),
        sway_mm=float(rng.uniform(0.3, 0.9)),
    )
    return Phantom(
        spine=size if cord else None,
        lordosis_mm=float(rng.uniform(3.5, 6.5)),
        scoliosis_mm=float(rng.uniform(-1.0, 1.0)),
        phase_mm=float(rng.uniform(-15, 10)),
        neck_mm=(float(rng.uniform(56, 64)), float(rng.uniform(58, 64)), float(rng.uniform(42, 50))),
        noise=draw_noise(rng),
    )


def scan(rng: np.random.Generator, phantom: Phantom, grid: Grid, *, contrast: str) -> PhantomImage:
    """Scan a phantom on any grid, oblique ones included.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the receive field and of the noise.
    phantom : Phantom
        Anatomy.
    grid : Grid
        Voxels of the image.
    contrast : {"t1", "t2", "t2s", "dwi"}
        Brightness of the tissues.
    """
    tissues = tissues_of(contrast)
    image, cord = np.zeros(grid.shape, np.float32), np.zeros(grid.shape, np.float32)
    for slices in _slabs(grid):
        painted = _paint_slab(_cut_slab(phantom, grid, slices), tissues)
        image[..., slices], cord[..., slices] = (values.reshape(*grid.shape[:2], -1) for values in painted)
    image *= _receive_field(rng, grid, tissues.bias)
    noise = rng.normal(0, tissues.noise, (2, *grid.shape)).astype(np.float32)
    magnitude = np.hypot(image + noise[0], noise[1])
    return PhantomImage(Volume((700 * magnitude).astype(np.float32), grid), Volume(cord, grid))


def _slabs(grid: Grid) -> Iterator[slice]:
    """Return ranges of slices that hold few enough voxels to be painted at once."""
    step = max(1, _VOXELS_AT_ONCE // (grid.shape[0] * grid.shape[1]))
    return (slice(start, min(start + step, grid.shape[2])) for start in range(0, grid.shape[2], step))


@dataclass(frozen=True, slots=True, eq=False)
class _Slab:
    """Voxels that are painted together.

    Attributes
    ----------
    phantom : Phantom
        Anatomy.
    grid : Grid
        Grid of the whole image.
    ijk : (3, N) float32 array
        Voxel coordinates.
    texture : (4, N) float32 array
        Noise of the tissues at these voxels.
    """

    phantom: Phantom
    grid: Grid
    ijk: Array
    texture: Array

    def centres(self) -> Points:
        """Return one point a voxel."""
        return _place(self.phantom, self.grid, self.ijk, self.texture)

    def inside(self, chosen: NDArray[np.intp], *, least: int) -> tuple[Points, int]:
        """Spread points over the insides of some voxels, ``least`` or more along each axis; return also how many."""
        counts = [max(least, int(np.ceil(zoom / _POINT_MM))) for zoom in self.grid.zooms]
        offsets = np.stack(np.meshgrid(*[(np.arange(n) + 0.5) / n - 0.5 for n in counts])).reshape(3, 1, -1)
        n_points = offsets.shape[2]
        ijk = (self.ijk[:, chosen, None] + offsets.astype(np.float32)).reshape(3, -1)
        texture = np.repeat(self.texture[:, chosen], n_points, axis=1)
        return _place(self.phantom, self.grid, ijk, texture, part=1 / n_points), n_points


def _cut_slab(phantom: Phantom, grid: Grid, slices: slice) -> _Slab:
    """Return the voxels of a range of slices with their texture."""
    ijk = np.indices((*grid.shape[:2], slices.stop - slices.start), np.float32).reshape(3, -1)
    ijk[2] += slices.start
    body = _to_body(grid, ijk)
    return _Slab(phantom, grid, ijk, np.stack([noise_at(phantom.noise, body, scale) for scale in TEXTURE_SCALES_MM]))


def _paint_slab(slab: _Slab, tissues: Tissues) -> tuple[Array, Array]:
    """Paint the voxels of a slab; return brightness and cord fraction (N,)."""
    points = slab.centres()
    image, cord = np.zeros(points.u.shape, np.float32), np.zeros(points.u.shape, np.float32)
    size = slab.phantom.spine
    if size is None:
        anatomy.paint_thigh(image, points, tissues)
        return image, cord
    anatomy.paint_muscles(image, points, tissues)
    anatomy.paint_throat(image, points, tissues)
    anatomy.paint_skin(image, points, tissues, slab.phantom.neck_mm)
    # Several points in a voxel only where the result is judged: most of a neck is muscle.
    near = np.flatnonzero((np.abs(points.u) < 30) & (points.v > -36) & (points.v < 32))
    fine, n_points = slab.inside(near, least=1)
    brightness = np.repeat(image[near], n_points)
    anatomy.paint_vertebrae(brightness, fine, tissues, size)
    image[near] = brightness.reshape(-1, n_points).mean(1)
    inner = np.flatnonzero((np.abs(points.u) < 18) & (np.abs(points.v) < 15))
    fine, n_points = slab.inside(inner, least=2)
    brightness = np.repeat(image[inner], n_points)
    anatomy.paint_canal(brightness, fine, tissues, size)
    cord[inner] = anatomy.paint_cord(brightness, fine, tissues, size).reshape(-1, n_points).mean(1)
    image[inner] = brightness.reshape(-1, n_points).mean(1)
    return image, cord


def _place(phantom: Phantom, grid: Grid, ijk: Array, texture: Array, *, part: float = 1.0) -> Points:
    """Return points at voxel coordinates (3, N), each standing for a ``part`` of a voxel."""
    x, y, z = _to_body(grid, ijk)
    angle = (z - np.float32(phantom.phase_mm)) * np.float32(np.pi / 115)
    front = np.float32(phantom.lordosis_mm) * (np.cos(angle) - 1)
    slope = -np.float32(phantom.lordosis_mm * np.pi / 115) * np.sin(angle)
    left = np.float32(phantom.scoliosis_mm) * np.sin(z / np.float32(35))
    v = y - front
    edge = float((np.prod(grid.zooms) * part) ** (1 / 3))
    # Planes across the spine tilt with its course.
    return Points(x - left, v / np.hypot(1, slope), z + v * slope, texture, edge)


def _to_body(grid: Grid, ijk: Array) -> Array:
    """Return the positions (3, N) in the body, in mm, of voxel coordinates (3, N)."""
    to_body = (np.diag([-1.0, 1.0, 1.0]) @ grid.affine[:3]).astype(np.float32)
    position: Array = to_body[:, :3] @ ijk + to_body[:, 3:]
    return position


def _receive_field(rng: np.random.Generator, grid: Grid, strength: float) -> NDArray[np.float32]:
    """Return the slow change of brightness: brighter close to the coil behind the neck, and uneven along it."""
    knots = rng.standard_normal((4, 4, 4)).astype(np.float32)
    zoom = [n / 4 for n in grid.shape]
    coordinates = np.indices(grid.shape, np.float32) / np.array(zoom, np.float32)[:, None, None, None]
    field = ndimage.map_coordinates(knots, coordinates, order=3, mode="nearest", output=np.float32)
    centre = grid.voxel_to_world((np.array(grid.shape) - 1) / 2)
    towards_back = -(grid.affine[1, :3] @ np.indices(grid.shape).reshape(3, -1) + grid.affine[1, 3] - centre[1])
    field += 1.2 * towards_back.reshape(grid.shape).astype(np.float32) / np.float32(60)
    result: NDArray[np.float32] = np.exp(np.float32(strength) * np.clip(field, -2, 2)).astype(np.float32)
    return result
