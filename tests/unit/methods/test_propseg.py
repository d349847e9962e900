"""PropSeg on invented necks of every contrast and voxel size, its laws, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.example.phantom import make_phantom
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.optic.model import CONTRASTS, read_own_model
from bids_deepseg.methods.propseg.checks import doubts_of_detector
from bids_deepseg.methods.propseg.course import Course, course_along, course_by_circles, course_by_gradients
from bids_deepseg.methods.propseg.parameters import PropsegParameters
from bids_deepseg.methods.propseg.segment import segment_propseg
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.mask import clean_mask
from tests.helpers.phantoms import FakePredictor, grid_of, tube

DETECTORS = {name: read_own_model(name) for name in CONTRASTS}

#: Voxels and field of view: isotropic, fine and thin, coarse and thick, and 3 slices of 25 mm.
SCANS = {
    "1 mm": ((50, 56, 26), (1.0, 1.0, 1.0)),
    "0.3 x 0.3 x 5 mm": ((150, 150, 5), (0.3, 0.3, 5.0)),
    "0.85 x 0.85 x 17 mm": ((60, 60, 4), (0.85, 0.85, 17.0)),
    "25 mm wide": ((50, 50, 3), (0.5, 0.5, 7.5)),
}
#: Sign of the fluid in the phantoms.
SIGNS = {"t1": -1, "t2": 1, "t2s": 1, "dwi": -1}


def scan(contrast, voxels, seed=11):
    shape, zooms = SCANS[voxels]
    return make_phantom(np.random.default_rng(seed), contrast=contrast, shape=shape, zooms=zooms)


def by_gradients(image, contrast, **others):
    return segment_propseg(image, course_by_gradients(image, DETECTORS, contrast), **others)


def dice(a, b):
    a, b = a >= 0.5, b >= 0.5
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("voxels", SCANS)
@pytest.mark.parametrize("contrast", CONTRASTS)
def test_the_cord_of_every_contrast_and_voxel_size_is_found(contrast, voxels):
    image, cord = scan(contrast, voxels)
    found = by_gradients(image, contrast)
    assert dice(found.coverage.data, cord.data) >= 0.93
    assert found.coverage.data.sum() == pytest.approx(cord.data.sum(), rel=0.1)
    assert found.sign == SIGNS[contrast]
    assert found.stops == ("image-end", "image-end")
    assert found.findings == ()


@pytest.fixture(scope="module")
def neck():
    image, cord = scan("t2", "1 mm")
    return image, cord, true_course(image, cord)


def true_course(image, cord, shift=(0.0, 0.0)):
    """Return the course through the middle of the true cord, moved by voxels, with nothing said of the fluid."""
    weight = cord.data.sum(axis=(0, 1))
    i = np.einsum("ijk,i->k", cord.data, np.arange(cord.data.shape[0])) / weight
    j = np.einsum("ijk,j->k", cord.data, np.arange(cord.data.shape[1])) / weight
    ij = np.column_stack([i, j]) + shift
    k = np.arange(len(weight))
    return Course(Centerline(ij, k, image.grid, np.ones(len(k)), 0.0))


def test_an_inverted_image_gives_the_same_tube(neck):
    image, _, course = neck
    inverted = Volume(image.data.max() - image.data, image.grid)
    one, other = segment_propseg(image, course), segment_propseg(inverted, course)
    assert (one.sign, other.sign) == (1, -1)
    np.testing.assert_allclose(one.coverage.data, other.coverage.data, atol=0.05)


@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_the_units_of_the_brightness_do_not_count(neck, factor):
    image, _, course = neck
    scaled = Volume(np.asarray(image.data * factor + 3 * factor, np.float32), image.grid)
    np.testing.assert_allclose(
        segment_propseg(scaled, course).coverage.data, segment_propseg(image, course).coverage.data, atol=0.1
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_flipped_image_gives_the_flipped_tube(neck, axis):
    image, cord, course = neck
    flipped, flipped_cord = (Volume(np.flip(v.data, axis).copy(), v.grid) for v in (image, cord))
    other = np.flip(segment_propseg(flipped, true_course(flipped, flipped_cord)).coverage.data, axis)
    assert dice(other, segment_propseg(image, course).coverage.data) >= 0.99


def test_an_image_that_is_cut_differently_gives_the_same_tube(neck):
    image, cord, course = neck
    whole = segment_propseg(image, course).coverage.data[5:, 7:]
    part, part_cord = (
        Volume(np.ascontiguousarray(v.data[5:, 7:]), grid_of(v.data[5:, 7:].shape)) for v in (image, cord)
    )
    moved = segment_propseg(part, true_course(part, part_cord)).coverage.data
    np.testing.assert_allclose(moved, whole, atol=0.05)


@pytest.mark.parametrize("shift", [(2.0, 0.0), (-1.5, 2.0), (0.0, -3.0)])
def test_the_course_need_not_be_exact(neck, shift):
    image, cord, _ = neck
    assert dice(segment_propseg(image, true_course(image, cord, shift)).coverage.data, cord.data) >= 0.93


def test_a_given_centerline_ends_the_tube_and_one_point_gives_one_slice(neck):
    image, _, course = neck
    for k in (np.arange(8, 20), np.array([9])):
        line = course.centerline
        part = Centerline(line.ij[k].copy(), k, image.grid, np.ones(len(k)), 0.0)
        found = segment_propseg(image, course_along(image, part, DETECTORS, "t2"))
        assert (found.centerline.k == k).all()
        assert found.stops == ("course-end", "course-end")
        assert len(found.triangles) > 0


def test_the_tube_ends_where_the_cord_does(neck):
    image, cord, course = neck
    data = image.data.copy()
    noise = np.random.default_rng(3).normal(np.median(data), 30, data[..., 20:].shape)
    data[..., 20:] = noise
    long = replace(course, scores=np.where(np.arange(26) < 20, 2.0, -1.0))
    found = segment_propseg(Volume(data.astype(np.float32), image.grid), long)
    assert 15 <= found.centerline.k[-1] <= 22
    assert found.stops[1] != "image-end"
    assert dice(found.coverage.data[..., :18], cord.data[..., :18]) >= 0.93


def test_a_lost_slice_is_bridged():
    image, cord = scan("t2s", "0.3 x 0.3 x 5 mm")
    data = image.data.copy()
    data[..., 2] = 0
    found = by_gradients(Volume(data, image.grid), "t2s")
    assert len(found.centerline.k) == 5
    assert dice(found.coverage.data, cord.data) >= 0.93


def test_a_cord_at_the_border_of_the_field_of_view_is_cut_off_with_it(neck):
    image, cord, course = neck
    middle = int(course.centerline.ij[:, 0].mean())
    cut, cut_cord = (
        Volume(np.ascontiguousarray(v.data[: middle + 1]), grid_of((middle + 1, 56, 26))) for v in (image, cord)
    )
    found = segment_propseg(
        cut, Course(Centerline(course.centerline.ij, course.centerline.k, cut.grid, np.ones(26), 0.0))
    )
    assert dice(found.coverage.data, cut_cord.data) >= 0.85
    assert found.centerline.ij[:, 0].max() <= middle


def test_the_tube_becomes_a_mask_of_one_piece_and_a_closed_surface(neck):
    image, cord, course = neck
    found = segment_propseg(image, course)
    mask = clean_mask(found.coverage, found.centerline, threshold=0.5)
    assert not mask.bridged.any()
    assert mask.n_gaps == mask.n_dropped == 0
    assert mask.volume.data.sum() == pytest.approx(cord.data.sum(), rel=0.1)
    edges = np.sort(np.concatenate([found.triangles[:, pair] for pair in ([0, 1], [1, 2], [2, 0])]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    xyz = found.vertices
    low, high = image.grid.voxel_to_world(np.array([[0, 0, 0], np.array(image.data.shape) - 1]))
    assert (xyz >= np.minimum(low, high)).all()
    assert (xyz <= np.maximum(low, high)).all()


def test_a_diffusion_series_without_weighting_looks_like_t2():
    image, cord = scan("t2", "0.85 x 0.85 x 17 mm")
    found = by_gradients(image, "dwi")
    assert found.sign == 1
    assert dice(found.coverage.data, cord.data) >= 0.93


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("sigma", [0, 1, 3])
def test_noise_is_no_cord(seed, sigma):
    noise = ndimage.gaussian_filter(np.random.default_rng(seed).normal(500, 100, (60, 60, 24)), sigma)
    with pytest.raises(CordNotFoundError, match="PropSeg found no cord"):
        by_gradients(Volume(noise.astype(np.float32), grid_of((60, 60, 24), (1, 1, 2))), "t2")


def test_a_constant_image_is_no_cord(neck):
    image, _, course = neck
    constant = Volume(np.full_like(image.data, 7), image.grid)
    with pytest.raises(CordNotFoundError, match="7"):
        by_gradients(constant, "t2")
    with pytest.raises(CordNotFoundError, match="constant"):
        segment_propseg(constant, course)


@pytest.mark.parametrize("radius_mm", [1.5, 9.0])
def test_what_is_too_thin_or_too_wide_for_a_cord_is_refused(radius_mm):
    shape = tube(grid_of((50, 50, 24)), radius_mm=radius_mm)
    line = Centerline(np.full((24, 2), 24.5), np.arange(24), shape.grid, np.ones(24), 0.0)
    with pytest.raises(CordNotFoundError):
        segment_propseg(Volume(100 + 400 * shape.data, shape.grid), Course(line))


def test_a_tube_far_from_the_centerline_is_not_to_be_used(neck):
    image, cord, _ = neck
    found = segment_propseg(image, true_course(image, cord, (4.0, 0.0)))
    assert [(one.code, one.severity) for one in found.findings] == [("propseg-apart", "fail")]


@pytest.mark.parametrize(("heat", "said"), [(0.9, []), (0.5, ["warn"]), (0.1, ["fail"])])
def test_a_tube_that_the_detection_network_does_not_see_is_not_to_be_used(neck, heat, said):
    image, _, course = neck
    network = FakePredictor(lambda patches: np.full(patches.shape, heat))
    found = doubts_of_detector(image, course.centerline, network)
    assert [one.severity for one in found if one.code == "propseg-denied"] == said


def test_something_else_as_hot_as_the_tube_is_worth_a_look(neck):
    image, _, course = neck
    everywhere = FakePredictor(lambda patches: np.full(patches.shape, 0.9))
    assert [one.code for one in doubts_of_detector(image, course.centerline, everywhere)] == ["propseg-rival"]


@pytest.mark.parametrize("shape", [(1, 40, 20), (40, 1, 20), (5, 5, 5), (40, 40, 1), (2, 2, 1)])
def test_images_of_any_size_give_a_tube_or_are_refused(shape):
    data = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    image = Volume(data, Grid(shape, np.eye(4)))
    try:
        found = by_gradients(image, "t2")
    except CordNotFoundError:
        return
    assert found.coverage.data.shape == shape


def simple_neck(fluid, tissue, ground):
    """Return a bent cord in its fluid on an even ground, and the fraction of each voxel that is cord."""
    grid = grid_of((48, 48, 60))
    cord, canal = (tube(grid, radius_mm=r, slope=(0.1, 0.05)).data for r in (5.0, 8.5))
    noise = np.random.default_rng(5).normal(scale=15, size=grid.shape)
    data = ground + (fluid - ground) * canal + (tissue - fluid) * cord + noise
    return Volume(np.maximum(data, 0).astype(np.float32), grid), cord


@pytest.mark.slow
@pytest.mark.parametrize(("contrast", "brightness"), [("t2", (900.0, 400.0, 150.0)), ("t1", (100.0, 600.0, 150.0))])
def test_circles_lead_to_the_cord_as_well(contrast, brightness):
    image, cord = simple_neck(*brightness)
    found = segment_propseg(image, course_by_circles(image, contrast, PropsegParameters()))
    assert found.sign == SIGNS[contrast]
    assert dice(found.coverage.data, cord) >= 0.95
