"""The painter's brushes and the scanner against answers known otherwise."""

from dataclasses import replace

import numpy as np
import pytest

from bids_deepseg.training.synthesis.acquisition import Acquisition, acquire, average_along, draw_valid
from bids_deepseg.training.synthesis.fields import PixelGrid, capsule, ellipse, over, rotate, smooth_field, soft
from bids_deepseg.training.synthesis.remapping import apply_curve, draw_curve, remap
from bids_deepseg.training.synthesis.shapes import ShapeBank, place, shape_from_slices
from bids_deepseg.training.synthesis.tissues import draw_tissues

QUIET = Acquisition((0.5, 0.5), truncated=False, noise=0, rician=False, blur_mm=0, bias=0, ghost=0, gamma=1)


def test_positions_are_in_mm_around_the_middle():
    x, y = PixelGrid((3, 5), 2.0).positions_mm()
    np.testing.assert_array_equal(x[:, 0], [-2, 0, 2])
    np.testing.assert_array_equal(y[0], [-4, -2, 0, 2, 4])


def test_smooth_field_has_unit_variance_and_no_mean(rng):
    fields = np.array([smooth_field(rng, (40, 40), 5) for _ in range(200)])
    assert fields.mean() == pytest.approx(0, abs=0.05)
    assert fields.std() == pytest.approx(1, abs=0.05)


def test_a_circle_has_its_area_and_its_exact_distance():
    x, y = PixelGrid((101, 101), 0.2).positions_mm()
    distance = ellipse(x, y, 5, 5)
    np.testing.assert_allclose(distance[50, 60:95], np.arange(10, 45) * 0.2 - 5, atol=0.02)
    assert soft(distance, 0.2).sum() * 0.2**2 == pytest.approx(np.pi * 25, rel=0.01)


def test_a_capsule_is_a_thick_line():
    x, y = PixelGrid((41, 41), 0.5).positions_mm()
    area = soft(capsule(x, y, (-4, 0), (4, 0), 2), 0.5).sum() * 0.25
    assert area == pytest.approx(8 * 4 + np.pi * 4, rel=0.05)


def test_rotating_there_and_back_is_the_identity():
    x, y = PixelGrid((5, 5), 1.0).positions_mm()
    back = rotate(*rotate(x, y, 30), -30)
    np.testing.assert_allclose(back, (x, y), atol=1e-5)


def test_painting_over_replaces_what_alpha_covers():
    image = np.full((1, 3), 2, np.float32)
    over(image, np.array([[0, 0.5, 1]], np.float32), 4.0)
    np.testing.assert_array_equal(image, [[2, 3, 4]])


def test_a_shape_keeps_the_area_of_its_mask():
    i, j = np.indices((60, 60))
    mask = np.hypot((i - 30) * 0.4, (j - 28) * 0.6) < 5
    shape = shape_from_slices(mask, None, None, (0.4, 0.6))
    assert shape is not None
    x, y = PixelGrid((81, 81), 0.25).positions_mm()
    area = soft(place(shape.cord_mm, x, y), 0.25).sum() * 0.25**2
    assert area == pytest.approx(np.pi * 25, rel=0.03)
    assert shape.half_mm == pytest.approx((5, 5), abs=0.2)


def test_a_mask_outside_of_the_human_range_is_no_shape():
    assert shape_from_slices(np.ones((60, 60)), None, None, (1, 1)) is None


def test_an_empty_bank_invents_shapes(rng):
    shape = ShapeBank().draw(rng)
    assert shape.cord_mm.min() < -2
    assert ShapeBank().draw_grey(rng) is None


def test_cord_and_fluid_always_differ(rng):
    for _ in range(200):
        tissues = draw_tissues(rng)
        assert abs(tissues.csf - tissues.white) > 0.025
        assert min(tissues.csf, tissues.white, tissues.grey) >= 0


def test_an_ideal_scanner_changes_nothing(rng):
    image = rng.uniform(size=(40, 40)).astype(np.float32)
    np.testing.assert_allclose(acquire(rng, image, QUIET, zoom_mm=0.5), image, atol=1e-6)


def test_large_native_pixels_take_the_detail_but_not_the_mean(rng):
    image = rng.uniform(size=(60, 60)).astype(np.float32)
    for truncated in (False, True):
        coarse = replace(QUIET, native_mm=(1.5, 1.5), truncated=truncated)
        seen = acquire(rng, image, coarse, zoom_mm=0.5)
        assert seen.mean() == pytest.approx(image.mean(), abs=0.02)
        assert seen.std() < 0.6 * image.std()


def test_a_thick_slice_is_the_mean_of_its_planes():
    image = np.zeros((9, 9), np.float32)
    image[4, 4] = 1
    seen, target = average_along(image, image, (4, 0))
    np.testing.assert_allclose(seen[:, 4], [0, 0, 1 / 3, 0, 1 / 3, 0, 1 / 3, 0, 0], atol=1e-6)
    np.testing.assert_array_equal(seen, target)


def test_every_field_of_view_holds_something(rng):
    for _ in range(100):
        assert draw_valid(rng, (64, 64), 0.5, (3.0, -3.0)).sum() > 100


def test_tone_curves_map_into_the_unit_interval(rng):
    image = np.linspace(0, 1.5, 50, dtype=np.float32)[None]
    for _ in range(50):
        mapped = apply_curve(image, draw_curve(rng, peak=1.2))
        assert 0 <= mapped.min() <= mapped.max() <= 1


def test_remapping_keeps_an_outline_of_the_cord(rng):
    x, y = PixelGrid((64, 64), 0.5).positions_mm()
    cord, canal = soft(ellipse(x, y, 6, 4), 0.5), soft(ellipse(x, y, 9, 7), 0.5)
    image = np.full((64, 64), 0.2, np.float32)
    over(image, canal, 1.0)
    over(image, cord, 0.5)
    for _ in range(50):
        seen = remap(rng, image, cord, unchanged=0.0)
        inside, around = seen[cord > 0.9], seen[(canal > 0.9) & (cord < 0.05)]
        assert abs(np.median(inside) - np.median(around)) > 0.02 * float(np.ptp(seen))
