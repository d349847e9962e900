"""Stacks of slices: every slice is answered for once, with neighbours on both sides where there are any."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.networks.architectures import build_stack_unet, build_unet
from bids_deepseg.networks.batches import cut_stacks, join_stacks, plan_stacks
from bids_deepseg.training.fit import copy_weights


@given(n=st.integers(1, 300), depth=st.integers(1, 40))
def test_each_slice_is_kept_once_and_never_near_a_cut_end(n, depth):
    plan = plan_stacks(n, depth)
    kept = [k for first, end in plan.kept for k in range(first, end)]
    assert kept == list(range(n))
    margin = depth // 6
    for start, (first, end) in zip(plan.starts, plan.kept, strict=True):
        assert first >= start
        assert end <= max(start + depth, n if len(plan.starts) == 1 else 0)
        assert first == 0 or first - start >= margin
        assert end == n or start + depth - end >= margin


@given(n=st.integers(1, 60), depth=st.integers(1, 20))
def test_joining_what_was_cut_gives_the_series(n, depth):
    series = np.arange(n * 6, dtype=np.float32).reshape(n, 2, 3)
    stacks, plan = cut_stacks(series, depth)
    assert stacks.shape[1:] == (depth, 2, 3)
    np.testing.assert_array_equal(join_stacks(stacks, plan), series)


def test_a_local_mean_over_neighbours_is_that_of_the_whole_series(rng):
    series = rng.normal(size=(50, 2, 2)).astype(np.float32)

    def mean_of_three(stack):
        padded = np.concatenate([stack[:1], stack, stack[-1:]])
        return (padded[:-2] + padded[1:-1] + padded[2:]) / 3

    stacks, plan = cut_stacks(series, 12)
    answers = np.stack([mean_of_three(stack) for stack in stacks])
    np.testing.assert_allclose(join_stacks(answers, plan), mean_of_three(series), atol=1e-6)


def test_a_short_series_is_filled_up_with_its_last_slice():
    stacks, _plan = cut_stacks(np.arange(2, dtype=np.float32).reshape(2, 1, 1), 4)
    assert stacks.ravel().tolist() == [0, 1, 1, 1]


@pytest.fixture(scope="module")
def networks():
    flat = build_unet((16, 16), base_filters=2, depth=2)
    stack = build_stack_unet((16, 16), base_filters=2, depth=2, n_slices=5)
    copy_weights(flat, stack)
    return flat, stack


def test_the_stack_network_starts_as_the_two_dimensional_one(networks, rng):
    flat, stack = networks
    patches = rng.normal(size=(2, 5, 16, 16, 1)).astype(np.float32)
    expected = flat.predict_on_batch(patches.reshape(-1, 16, 16, 1)).reshape(patches.shape)
    np.testing.assert_allclose(stack.predict_on_batch(patches), expected, atol=1e-5)


def test_slices_exchange_features_with_their_neighbours_only_where_asked(networks, rng):
    _flat, stack = networks
    layer = stack.get_layer("down1_exchange")
    before = layer.get_weights()
    layer.set_weights([rng.normal(size=w.shape).astype(np.float32) for w in before])
    try:
        patches = rng.normal(size=(1, 5, 16, 16, 1)).astype(np.float32)
        changed = patches.copy()
        changed[0, 4] += 1
        difference = np.abs(stack.predict_on_batch(changed) - stack.predict_on_batch(patches)).max((0, 2, 3, 4))
    finally:
        layer.set_weights(before)
    assert (difference[3:] > 1e-6).all()
    assert (difference[:3] < 1e-6).all()


def test_the_depth_of_the_stack_does_not_change_the_weights():
    shapes = [
        [w.shape for w in build_stack_unet((16, 16), base_filters=2, depth=2, n_slices=n).get_weights()] for n in (3, 9)
    ]
    assert shapes[0] == shapes[1]
