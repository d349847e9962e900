"""PropSeg on tubes of known size, and on images without one."""

import numpy as np
import pytest
from scipy import ndimage

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.propseg.parameters import PropsegParameters
from bids_deepseg.methods.propseg.segment import segment_propseg
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.mask import clean_mask
from tests.helpers.phantoms import grid_of

#: Each run takes some seconds.
pytestmark = pytest.mark.slow

SHAPE = (48, 48, 60)


def axis_of(k, bend):
    """Return the middle of the cord in voxels (K, 2): straight and oblique, or bent."""
    z = (k - SHAPE[2] / 2) / (SHAPE[2] / 2)
    return np.stack([24.3 + 2.0 * z, 23.8 + (6.0 * z**2 if bend else 0 * z)], axis=-1)


def fraction_inside(centres, radii, n=5):
    """Return the fraction of each voxel within ellipses around the centres of the slices (K, 2)."""
    offsets = (np.arange(n) + 0.5) / n - 0.5
    i, j = np.arange(SHAPE[0])[:, None, None], np.arange(SHAPE[1])[None, :, None]
    inside = [
        ((i + a - centres[:, 0]) / radii[0]) ** 2 + ((j + b - centres[:, 1]) / radii[1]) ** 2 <= 1
        for a in offsets
        for b in offsets
    ]
    return np.mean(inside, axis=0)


def phantom(*, bright_fluid=True, bend=False, radii=(5.5, 4.0), ends=(0, SHAPE[2])):
    """Return an image of a cord in its fluid, and the fraction of each voxel in the cord."""
    k = np.arange(SHAPE[2], dtype=float)
    centres = axis_of(k, bend)
    within = (k >= ends[0]) & (k < ends[1])
    cord = fraction_inside(centres, radii) * within
    canal = fraction_inside(centres, (9.0, 7.5)) * within
    fluid, tissue, ground = (900.0, 400.0, 150.0) if bright_fluid else (100.0, 600.0, 120.0)
    image = ground + (fluid - ground) * canal + (tissue - fluid) * cord
    noise = np.random.default_rng(5).normal(scale=15, size=SHAPE)
    image = ndimage.gaussian_filter(image, (0.5, 0.5, 0)) + noise
    return Volume(np.maximum(image, 0).astype(np.float32), grid_of(SHAPE)), cord


def compare(result, cord):
    mask, truth = result.coverage.data >= 0.5, cord >= 0.5
    dice = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
    return dice, result.coverage.data.sum(dtype=float) / cord.sum() - 1


@pytest.mark.parametrize("bright_fluid", [True, False])
@pytest.mark.parametrize("bend", [False, True])
def test_a_tube_is_found_without_help(bright_fluid, bend):
    image, cord = phantom(bright_fluid=bright_fluid, bend=bend)
    result = segment_propseg(image, bright_fluid=bright_fluid)
    dice, bias = compare(result, cord)
    assert dice >= 0.95
    assert abs(bias) <= 0.05
    assert result.stops == ("image-end", "image-end")
    assert (result.centerline.k == np.arange(SHAPE[2])).all()
    expected = axis_of(result.centerline.k.astype(float), bend)
    assert np.abs(result.centerline.ij - expected).max() < 0.7
    assert np.nanmin(result.ring_agreement) > 0.9


@pytest.fixture(scope="module")
def straight():
    image, cord = phantom()
    return image, cord, segment_propseg(image, bright_fluid=True)


def test_the_result_becomes_a_mask_of_one_piece(straight):
    _, cord, result = straight
    mask = clean_mask(result.coverage, result.centerline, threshold=0.5)
    assert not mask.bridged.any()
    assert mask.n_gaps == mask.n_dropped == 0
    assert mask.volume.data.sum() == pytest.approx(cord.sum(), rel=0.05)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flipped_image_gives_the_flipped_cord(straight, axis):
    image, _, result = straight
    flipped = Volume(np.flip(image.data, axis).copy(), image.grid)
    other = np.flip(segment_propseg(flipped, bright_fluid=True).coverage.data, axis)
    a, b = result.coverage.data >= 0.5, other >= 0.5
    # Where the tube begins and which way it grows first may differ, the border by a part of a voxel.
    assert 2 * (a & b).sum() / (a.sum() + b.sum()) > 0.98
    assert np.abs(result.coverage.data - other).max() < 0.5


def test_the_tube_ends_where_the_cord_does():
    image, cord = phantom(ends=(12, 47))
    result = segment_propseg(image, bright_fluid=True)
    k = np.flatnonzero((result.coverage.data >= 0.5).any((0, 1)))
    # Within a step of 6 mm.
    assert abs(k[0] - 12) <= 6
    assert abs(k[-1] - 46) <= 6
    assert "image-end" not in result.stops
    assert compare(result, cord)[0] > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_no_cord(seed):
    noise = np.random.default_rng(seed).normal(500, 100, SHAPE).astype(np.float32)
    with pytest.raises(CordNotFoundError, match="PropSeg found no cord"):
        segment_propseg(Volume(noise, grid_of(SHAPE)), bright_fluid=True)


def test_a_constant_image_is_no_cord():
    with pytest.raises(CordNotFoundError, match="constant"):
        segment_propseg(Volume(np.full(SHAPE, 7, np.float32), grid_of(SHAPE)), bright_fluid=True)


def line_on(image, *, bend, shift=0.0, k=None):
    k = np.arange(SHAPE[2]) if k is None else k
    points = axis_of(k.astype(float), bend) + shift
    return Centerline(points, k, image.grid, np.ones(len(k)), 0.0)


def test_a_given_centerline_leads_the_tube_and_need_not_be_exact():
    image, cord = phantom(bend=True)
    result = segment_propseg(image, bright_fluid=True, centerline=line_on(image, bend=True, shift=1.0))
    dice, bias = compare(result, cord)
    assert dice >= 0.95
    assert abs(bias) <= 0.05


def test_the_tube_ends_with_the_given_centerline():
    image, _ = phantom()
    result = segment_propseg(image, bright_fluid=True, centerline=line_on(image, bend=False, k=np.arange(15, 45)))
    assert result.stops == ("centerline-end", "centerline-end")
    assert 7 <= result.centerline.k[0] <= 15
    assert 44 <= result.centerline.k[-1] <= 52


def test_the_surface_and_the_rings_lie_in_the_world(straight):
    image, _, result = straight
    ijk = image.grid.world_to_voxel(result.ring_xyz)
    inside = (ijk[:, 2] > 2) & (ijk[:, 2] < SHAPE[2] - 3)
    np.testing.assert_allclose(ijk[inside, :2], axis_of(ijk[inside, 2], bend=False), atol=0.7)
    assert len(result.ring_xyz) == len(result.ring_contrast) == len(result.ring_agreement)
    assert result.triangles.max() == len(result.vertices) - 1


def test_a_limit_on_the_area_stops_the_tube():
    image, _ = phantom()
    with pytest.raises(CordNotFoundError):
        segment_propseg(image, bright_fluid=True, parameters=PropsegParameters(max_area_mm2=30.0))
