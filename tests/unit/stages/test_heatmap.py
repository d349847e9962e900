"""Detection: every pixel of every slice is scanned, whatever the field of view."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.heatmap import detect_cord, scanned_slices
from tests.helpers.phantoms import FakePredictor, grid_of


def detector_of(function):
    return FakePredictor(function, patch_shape=(16, 16), zoom_mm=1.0)


@given(st.tuples(st.integers(1, 60), st.integers(1, 60), st.integers(1, 20)))
def test_a_constant_network_gives_a_constant_map_over_the_whole_field_of_view(shape):
    image = Volume(np.random.default_rng(0).random(shape).astype(np.float32), grid_of(shape))
    heatmap = detect_cord(image, detector_of(lambda patches: np.full(patches.shape, 0.75)))
    assert heatmap.volume.grid.shape == shape
    np.testing.assert_allclose(heatmap.volume.data, 0.75, rtol=1e-5)
    assert heatmap.detected.all()


def test_the_map_lies_where_the_object_is(rng):
    shape = (70, 45, 3)
    data = rng.normal(scale=0.01, size=shape).astype(np.float32)
    data[50:54, 10:14, 1] = 1
    heatmap = detect_cord(Volume(data, grid_of(shape)), detector_of(lambda p: (p > 3.5).astype(float)))
    assert heatmap.detected[1]
    i, j = np.unravel_index(np.argmax(heatmap.volume.data[..., 1]), shape[:2])
    assert 50 <= i < 54
    assert 10 <= j < 14


def test_an_image_without_cord_is_refused_with_its_largest_heat(rng):
    image = Volume(rng.random((20, 20, 4)).astype(np.float32), grid_of((20, 20, 4)))
    with pytest.raises(CordNotFoundError, match=r"No cord was found: the largest heat is 0\.20"):
        detect_cord(image, detector_of(lambda patches: np.full(patches.shape, 0.2)))


def test_the_input_is_not_changed(rng):
    image = Volume(rng.random((30, 30, 2)).astype(np.float32), grid_of((30, 30, 2), (0.7, 0.7, 4)))
    before = image.data.tobytes()
    detect_cord(image, detector_of(lambda patches: np.ones(patches.shape)))
    assert image.data.tobytes() == before


def test_the_cord_of_a_long_image_is_followed_with_the_same_heat_in_fewer_tiles(rng):
    shape, patch = (150, 150, 80), (48, 48)
    data = rng.normal(scale=0.01, size=shape).astype(np.float32)
    for k in range(shape[2]):
        data[40 + k // 3 : 46 + k // 3, 60:66, k] = 1
    sizes = []

    def answer(patches):
        sizes.append(len(patches))
        return (patches > 3.5).astype(float)

    volume = Volume(data, grid_of(shape))
    heat = detect_cord(volume, FakePredictor(answer, patch, 1.0)).volume.data
    # Slice by slice, every slice is scanned as a whole.
    alone = [Volume(data[..., k : k + 1].copy(), grid_of((150, 150, 1))) for k in range(0, 80, 2)]
    n_followed, sizes[:] = sum(sizes), []
    for k, one in zip(range(0, 80, 2), alone, strict=True):
        expected = detect_cord(one, FakePredictor(answer, patch, 1.0)).volume.data[..., 0]
        np.testing.assert_allclose(heat[..., k][expected > 0], expected[expected > 0], atol=1e-6)
    assert n_followed < 0.6 * sum(sizes)


@given(n=st.integers(1, 400), distance_mm=st.floats(0.2, 20))
def test_the_first_and_the_last_slice_are_scanned_and_none_farther_apart_than_2_mm_unless_all_are(n, distance_mm):
    levels = scanned_slices(n, distance_mm)
    assert levels[0] == 0
    assert levels[-1] == n - 1
    assert len(levels) == n or (np.diff(levels) * distance_mm <= 2.01).all()
    assert len(levels) >= min(n, 16)


def test_slices_between_those_scanned_are_interpolated():
    seen = []

    def network(patches):
        seen.append(len(patches))
        return np.broadcast_to(patches.max((1, 2), keepdims=True), patches.shape)

    ramp = np.zeros((16, 16, 81), np.float32)
    ramp[8, 8] = np.linspace(0.5, 1, 81)
    image = Volume(ramp, grid_of(ramp.shape, (1, 1, 0.5)))
    heat = detect_cord(image, detector_of(network), standardise=lambda values, valid: values).volume.data
    assert sum(seen) == 21
    np.testing.assert_allclose(heat[8, 8], ramp[8, 8], atol=1e-5)
