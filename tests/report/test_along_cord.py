"""The band of the area along the cord holds what it says."""

import re

import numpy as np
import pytest

from bids_deepseg.report.along_cord import HEIGHT, LEAST_IMAGES, WIDTH, Profile, plot_band


def profiles(areas, styles=None):
    return [
        Profile(f"image {n}", tuple(row), (styles or {}).get(n, "plain")) for n, row in enumerate(np.asarray(areas))
    ]


def points(path):
    return np.array([[float(x), float(y)] for x, y in re.findall(r"[ML]([-\d.]+) ([-\d.]+)", path)])


def areas_of(plot, path):
    return plot.high - points(path)[:, 1] / HEIGHT * (plot.high - plot.low)


def test_median_and_band_lie_at_the_percentiles(rng):
    areas = rng.normal(70, 5, (200, 20))
    plot = plot_band("T2w", profiles(areas))
    low, median, high = np.percentile(areas, (5, 50, 95), axis=0)
    assert np.allclose(areas_of(plot, plot.median), median, atol=0.05 * (plot.high - plot.low) / 10)
    band = areas_of(plot, plot.band)
    assert np.allclose(band[:20], high, atol=0.1)
    assert np.allclose(band[20:][::-1], low, atol=0.1)
    assert not plot.by_level


def test_levels_are_named_at_their_places(rng):
    plot = plot_band("T2w", profiles(rng.normal(70, 5, (9, 3))), ("C2", "C3", "C4"))
    assert plot.by_level
    assert [text for _, text in plot.columns] == ["C2", "C3", "C4"]
    assert np.allclose([at for at, _ in plot.columns], points(plot.median)[:, 0], atol=0.06)


def test_the_band_has_a_gap_where_too_few_images_are_known(rng):
    areas = rng.normal(70, 5, (10, 8))
    areas[: 10 - LEAST_IMAGES + 1, 3] = np.nan
    plot = plot_band("T2w", profiles(areas))
    assert plot.band.count("M") == 2
    assert plot.median.count("M") == 2


def test_a_place_alone_is_still_seen(rng):
    plot = plot_band("T2w", profiles(rng.normal(70, 5, (10, 1))), ("C3",))
    assert np.ptp(points(plot.band)[:, 0]) == pytest.approx(WIDTH)


def test_only_the_first_outliers_are_drawn_and_all_lies_in_the_plot(rng):
    areas = rng.normal(70, 2, (50, 20))
    areas[:20] -= 45
    plot = plot_band("T2w", profiles(areas, dict.fromkeys(range(20), "outlier")))
    assert [text for _, text in plot.curves] == [f"image {n}" for n in range(8)]
    for path in (plot.band, plot.median, *(curve for curve, _ in plot.curves)):
        assert (points(path) >= 0).all()
        assert (points(path) <= [WIDTH, HEIGHT]).all()


@pytest.mark.parametrize("count", [0, 1, LEAST_IMAGES - 1])
def test_few_images_make_no_band(rng, count):
    assert plot_band("T2w", profiles(rng.normal(70, 5, (count, 20)))) is None


def test_images_that_share_no_place_make_no_band(rng):
    areas = np.full((6, 6), np.nan)
    np.fill_diagonal(areas, 70.0)
    assert plot_band("T2w", profiles(areas)) is None
