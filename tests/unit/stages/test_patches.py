"""Patches: centred on the cord, exact to put back, blind outside the field of view."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.geometry.resample import in_plane_grid, resample_onto
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.patches import extract_patches
from bids_deepseg.stages.probability import ask_network
from tests.helpers.phantoms import FakePredictor, grid_of


def straight(grid, ij, k):
    k = np.asarray(k)
    return Centerline(np.tile(np.asarray(ij, float), (len(k), 1)), k, grid, np.ones(len(k)), 0.0)


@given(
    st.tuples(st.integers(1, 50), st.integers(1, 50), st.integers(2, 4)),
    st.tuples(st.floats(0, 1), st.floats(0, 1)),
    st.sampled_from([(0.5, 0.5, 1.0), (0.5, 0.5, 7.0)]),
)
def test_putting_the_patches_back_gives_the_image_inside_the_windows(shape, where, zooms):
    grid = grid_of(shape, zooms)
    image = Volume(np.random.default_rng(0).random(shape).astype(np.float32), grid)
    centre = np.array(where) * (np.array(shape[:2]) - 1)
    stack = extract_patches(image, straight(grid, centre, range(1, shape[2])), patch_shape=(16, 12), zoom_mm=0.5)
    assert stack.values.shape == (shape[2] - 1, 16, 12)
    for values, valid, window in zip(stack.values, stack.valid, stack.windows, strict=True):
        inner, outer = window.overlap(stack.grid.shape)
        xyz = stack.grid.voxel_to_world([outer[0].start, outer[1].start, window.k])
        i, j, k = np.rint(grid.world_to_voxel(xyz)).astype(int)
        part = values[inner]
        np.testing.assert_allclose(part, image.data[i : i + part.shape[0], j : j + part.shape[1], k], atol=1e-6)
        assert valid.sum() == part.size


def test_the_box_equals_the_same_part_of_the_whole_resampled_image(rng):
    grid = grid_of((60, 50, 5), (0.8, 0.8, 3))
    image = Volume(rng.random(grid.shape).astype(np.float32), grid)
    stack = extract_patches(image, straight(grid, (30, 20), [1, 2, 3]), patch_shape=(20, 20), zoom_mm=0.5)
    whole = resample_onto(image, in_plane_grid(grid, 0.5))
    i, j, k = np.rint(whole.grid.world_to_voxel(stack.grid.voxel_to_world([0, 0, 0]))).astype(int)
    expected = whole.data[i : i + 20, j : j + 20, k : k + 3]
    np.testing.assert_allclose(stack.values.transpose(1, 2, 0), expected, atol=1e-5)


@pytest.mark.parametrize("n_at_once", [1, 3])
def test_probability_lies_in_its_place_and_mirrored_answers_are_averaged(n_at_once):
    grid = grid_of((40, 40, 4), (0.5, 0.5, 5.0))
    image = Volume(np.ones(grid.shape, np.float32), grid)
    stack = extract_patches(image, straight(grid, (20, 20), [0, 1, 2]), patch_shape=(10, 10), zoom_mm=0.5)
    # A network that answers 1 on the patches' first half along i: mirrored and averaged it is 0.5 everywhere.
    half = np.r_[np.ones(5), np.zeros(5)][None, :, None]
    segmenter = FakePredictor(lambda p: np.broadcast_to(half, p.shape), patch_shape=(10, 10))
    probability = ask_network(stack, segmenter).probability
    np.testing.assert_allclose(probability.data, 0.5)
    assert probability.grid.shape == (10, 10, 3)
