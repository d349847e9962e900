"""The HOG of all windows against one window at a time, written down from the definition."""

import math

import numpy as np
import pytest

from bids_deepseg.methods.optic.hog import N_FEATURES, block_descriptors, describe_windows, score_map


def mirrored(index, n):
    """Return the pixel that a mirror at the centre of the border pixels shows at ``index``."""
    if n == 1:
        return 0
    period = 2 * (n - 1)
    index %= period
    return min(index, period - index)


def gradient(image, i, j):
    """Return magnitude and angle of the square root's gradient, by central differences without a half."""

    def root(a, b):
        return math.sqrt(image[mirrored(a, image.shape[0]), mirrored(b, image.shape[1])])

    dx, dy = root(i + 1, j) - root(i - 1, j), root(i, j + 1) - root(i, j - 1)
    return math.hypot(dx, dy), math.atan2(dy, dx) % (2 * math.pi)


def block_by_hand(image, first_i, first_j):
    """Return the 36 values of one block: cells x outer, y inner, then nine directions."""
    values = np.zeros((2, 2, 9))
    for i in range(8):
        for j in range(8):
            magnitude, angle = gradient(image, first_i + i, first_j + j)
            magnitude *= math.exp(-((i - 4) ** 2 + (j - 4) ** 2) / (2 * 2**2))
            position = angle * 9 / (2 * math.pi) - 0.5
            lower = math.floor(position)
            cell_x, cell_y = (i + 0.5) / 4 - 0.5, (j + 0.5) / 4 - 0.5
            for x in (math.floor(cell_x), math.floor(cell_x) + 1):
                for y in (math.floor(cell_y), math.floor(cell_y) + 1):
                    if x not in (0, 1) or y not in (0, 1):
                        continue
                    share = (1 - abs(cell_x - x)) * (1 - abs(cell_y - y))
                    values[x, y, lower % 9] += magnitude * share * (1 - (position - lower))
                    values[x, y, (lower + 1) % 9] += magnitude * share * (position - lower)
    values = values.ravel()
    values = np.minimum(values / (np.linalg.norm(values) + 3.6), 0.2)
    return values / (np.linalg.norm(values) + 0.001)


def window_by_hand(image, i, j):
    """Return the 576 values of the window from -16 to +15 around a pixel."""
    starts = (-16, -8, 0, 8)
    return np.concatenate([block_by_hand(image, i + x, j + y) for x in starts for y in starts])


def images():
    rng = np.random.default_rng(3)
    i, j = np.indices((30, 37))
    yield "noise", np.floor(rng.uniform(0, 256, (30, 37)))
    yield "disc", 200.0 * (np.hypot(i - 14, j - 20) < 6) + 20
    yield "ramp", 3.0 * i + 2.0 * j
    yield "smaller than the padding", np.floor(rng.uniform(0, 256, (9, 12)))
    yield "one row", np.floor(rng.uniform(0, 256, (1, 12)))
    yield "constant", np.full((20, 20), 7.0)


@pytest.mark.parametrize(("name", "image"), list(images()), ids=lambda value: value if isinstance(value, str) else "")
def test_scores_equal_those_of_each_window_by_hand(name, image, rng):
    # Weights as large as those of the published detectors.
    weights, bias = rng.normal(0, 0.07, N_FEATURES), -1.2
    score = score_map(image, weights, bias)
    assert score.shape == image.shape
    n_i, n_j = image.shape
    for i, j in {(0, 0), (n_i - 1, n_j - 1), (n_i // 2, n_j // 2), (n_i // 3, n_j - 1)}:
        assert score[i, j] == pytest.approx(window_by_hand(image, i, j) @ weights + bias, abs=1e-4)


def test_described_windows_are_those_that_are_scored(rng):
    image, weights = rng.uniform(0, 255, (21, 40)), rng.normal(0, 0.07, N_FEATURES)
    pixels = np.array([[0, 0], [20, 39], [3, 17]])
    windows = describe_windows(image, pixels)
    assert windows.shape == (3, N_FEATURES)
    np.testing.assert_allclose(windows @ weights - 0.5, score_map(image, weights, -0.5)[tuple(pixels.T)], atol=1e-5)
    np.testing.assert_allclose(windows[2], window_by_hand(image, 3, 17), atol=1e-5)


def test_a_moved_image_has_a_moved_score(rng):
    image, weights = rng.uniform(0, 255, (70, 64)), rng.normal(0, 0.07, N_FEATURES)
    whole, part = score_map(image, weights, 0.0), score_map(image[3:, 5:], weights, 0.0)
    np.testing.assert_allclose(part[17:-17, 17:-17], whole[20:-17, 22:-17], atol=1e-5)


def test_blocks_have_at_most_unit_length_and_a_flat_image_has_none(rng):
    blocks = block_descriptors(rng.uniform(0, 255, (30, 20)))
    assert blocks.shape == (36, 54, 44)
    assert (blocks >= 0).all()
    assert np.linalg.norm(blocks, axis=0).max() <= 1
    assert not block_descriptors(np.full((30, 20), 9.0)).any()


def test_the_input_is_not_changed(rng):
    image, weights = rng.uniform(0, 255, (20, 20)), np.ones(N_FEATURES)
    before = image.copy()
    score_map(image, weights, 0.0)
    np.testing.assert_array_equal(image, before)
