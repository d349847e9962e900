"""The best certainty is that of exact fractions, and grows with the number of voxels in a cord."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.judge.certainty import best_certainty


def disc(radius_mm, zooms, *, points=40):
    """Return the exact fraction of a disc in each pixel."""
    n = 24
    within = (np.arange(points) + 0.5) / points - 0.5
    x, y = ((np.arange(n)[:, None] - (n - 1) / 2 + within).ravel() * zoom for zoom in zooms)
    inside = x[:, None] ** 2 + y[None] ** 2 <= radius_mm**2
    return inside.reshape(n, points, n, points).mean((1, 3))


@pytest.mark.parametrize("zooms", [(0.4, 0.4), (0.5, 1.0), (1.0, 1.0), (2.0, 0.5)])
@pytest.mark.parametrize("radius_mm", [4.0, 5.0])
def test_it_is_that_of_the_exact_fractions_of_a_disc(radius_mm, zooms):
    fraction = disc(radius_mm, zooms)
    own = fraction >= 0.5
    exact = 2 * fraction[own].sum() / (own.sum() + fraction.sum())
    dice, mean = best_certainty(own, zooms)
    assert dice == pytest.approx(exact, abs=0.04)
    assert mean == pytest.approx(fraction[own].mean(), abs=0.05)


def test_coarser_pixels_allow_less():
    values = [best_certainty(disc(5.0, (z, z)) >= 0.5, (z, z))[0] for z in (0.5, 1.0, 2.0)]
    assert values == sorted(values, reverse=True)


@given(st.integers(0, 2**32 - 1))
def test_it_is_between_0_and_1_for_any_mask(seed):
    rng = np.random.default_rng(seed)
    mask = rng.random((6, 7)) < rng.random()
    mask[rng.integers(6), rng.integers(7)] = True
    for value in best_certainty(mask, tuple(rng.uniform(0.3, 6, 2))):
        assert np.isnan(value) or 0 <= value <= 1
