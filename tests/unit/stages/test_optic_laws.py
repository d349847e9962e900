"""OptiC: the dynamic programming is the true optimum."""

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.stages.optic import least_cost_path, squared_distance_transform

seeds = st.integers(0, 2**32 - 1)
weights = st.floats(1e-4, 50)


@given(seeds, st.integers(1, 15), weights, st.sampled_from([0.01, 1.0, 100.0]))
def test_distance_transform_equals_brute_force(seed, n, weight, scale):
    values = np.random.default_rng(seed).normal(scale=scale, size=(4, n))
    x = np.arange(n)
    expected = (values[:, None, :] + weight * (x[None, :, None] - x[None, None, :]) ** 2).min(2)
    np.testing.assert_allclose(squared_distance_transform(values, weight), expected, rtol=1e-9, atol=1e-9)


def cost_of(path, cost, w):
    steps = np.diff(np.asarray(path), axis=0)
    return sum(cost[i, j, k] for k, (i, j) in enumerate(path)) + float((steps**2 @ np.array(w)).sum())


@given(seeds, st.tuples(*[st.integers(1, 3)] * 2, st.integers(1, 4)), st.tuples(weights, weights))
def test_path_equals_brute_force(seed, shape, w):
    cost = np.random.default_rng(seed).normal(size=shape)
    ij, total = least_cost_path(cost, w)
    pixels = list(itertools.product(range(shape[0]), range(shape[1])))
    best = min(cost_of(path, cost, w) for path in itertools.product(pixels, repeat=shape[2]))
    np.testing.assert_allclose(total, best, atol=1e-9)
    np.testing.assert_allclose(cost_of(ij.tolist(), cost, w), total, atol=1e-9)


@given(seeds, st.tuples(*[st.integers(1, 3)] * 2, st.integers(1, 4)), st.tuples(weights, weights))
def test_path_with_bounded_steps_equals_brute_force(seed, shape, w):
    cost = np.random.default_rng(seed).normal(size=shape)
    ij, total = least_cost_path(cost, w, (1, 2))
    pixels = list(itertools.product(range(shape[0]), range(shape[1])))
    paths = [np.array(path) for path in itertools.product(pixels, repeat=shape[2])]
    allowed = [path for path in paths if (np.abs(np.diff(path, axis=0)) <= (1, 2)).all()]
    np.testing.assert_allclose(total, min(cost_of(path, cost, w) for path in allowed), atol=1e-9)
    np.testing.assert_allclose(cost_of(ij, cost, w), total, atol=1e-9)
    assert (np.abs(np.diff(ij, axis=0)) <= (1, 2)).all()


def test_a_moved_map_moves_the_path():
    cost = np.zeros((30, 30, 6))
    cost[8:16, 8:16] = -np.random.default_rng(1).random((8, 8, 6))
    ij, total = least_cost_path(cost, (0.1, 0.2))
    moved, moved_total = least_cost_path(np.roll(cost, (5, 7), (0, 1)), (0.1, 0.2))
    np.testing.assert_array_equal(moved, ij + np.array([5, 7]))
    np.testing.assert_allclose(moved_total, total)


def test_a_constant_map_gives_a_straight_path():
    ij, total = least_cost_path(np.full((4, 5, 6), -0.5), (1.0, 1.0))
    assert (ij == ij[0]).all()
    assert total == -3


def test_a_gap_without_evidence_is_crossed_on_a_straight_line():
    cost = np.zeros((20, 20, 11))
    cost[3, 5, 0] = cost[13, 5, 10] = -1000
    ij, _ = least_cost_path(cost, (1.0, 1.0))
    np.testing.assert_array_equal(ij[:, 0], np.arange(3, 14))
    assert (ij[:, 1] == 5).all()
