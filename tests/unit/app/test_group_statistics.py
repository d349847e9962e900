"""Outliers and repetitions against answers that are known."""

import math
from pathlib import Path

import numpy as np
import pytest

from bids_deepseg.app.group.statistics import (
    find_references,
    find_repetitions,
    is_outlier,
    within_variation,
)
from bids_deepseg.bids.derivatives.layout import ResultFiles
from bids_deepseg.bids.derivatives.saved import SavedResult
from bids_deepseg.bids.naming import parse_name


def result(area, name="sub-01_space-orig_label-SC_desc-T2w_mask", verdict="pass"):
    entities = dict(pair.split("-") for pair in name.split("_")[:-1])
    sidecar = {
        "Sources": [f"bids:raw:{name}.nii.gz"],
        "QC": {"Verdict": verdict, "Reasons": []},
        "Measures": {"MeanArea_mm2": area, "Slices": 3},
    }
    return SavedResult(ResultFiles.of_mask(Path(f"sub/anat/{name}.nii.gz")), entities, sidecar)


def reference(areas, **more):
    return find_references([result(area, **more) for area in areas])["T2w"]


def test_the_score_is_the_one_of_the_definition():
    # Median 70, absolute deviations 10 5 0 5 10 30, median of them 7.5.
    found = reference([60, 65, 70, 70, 75, 80, 100])
    assert found.median_mm2 == 70
    assert found.score(100) == pytest.approx(0.6745 * 30 / 5)


def test_scores_of_normal_values_are_those_of_the_standard_deviation(rng):
    values = rng.normal(75, 6, 5000)
    found = reference(values)
    assert found.spread_mm2 == pytest.approx(6, rel=0.05)
    assert np.mean([is_outlier(found.score(value)) for value in values]) < 0.002


def test_one_wrong_mask_does_not_hide_itself():
    areas = [70, 72, 74, 76, 78, 300]
    assert [area for area in areas if is_outlier(reference(areas).score(area))] == [300]


def test_units_do_not_matter():
    areas = np.array([60, 64, 70, 73, 75, 81, 120.0])
    once, twice = reference(areas), reference(areas * 7)
    assert [twice.score(area * 7) for area in areas] == pytest.approx([once.score(area) for area in areas])


def test_where_most_values_are_the_same_the_mean_deviation_counts():
    found = reference([70] * 9 + [80])
    assert found.score(80) == pytest.approx(0.7979 * 10 / 1)
    assert found.score(70) == 0


@pytest.mark.parametrize("areas", [[70, 80, 90, 100], [70] * 8, [None] * 6])
def test_too_few_or_equal_values_have_no_score(areas):
    found = reference(areas)
    assert math.isnan(found.score(70))
    assert not is_outlier(found.score(70))


def test_bad_results_do_not_move_the_median_but_have_a_score():
    good = [result(area) for area in (70, 71, 72, 73, 74)]
    bad = [result(200, verdict="fail")] * 4
    found = find_references([*good, *bad])["T2w"]
    assert (found.n_images, found.median_mm2) == (5, 72)
    assert is_outlier(found.score(200))


def test_kinds_are_compared_apart():
    other = result(500, "sub-01_space-orig_label-SC_desc-T1w_mask")
    found = find_references([*(result(area) for area in (70, 71, 72, 73, 74)), other])
    assert list(found) == ["T1w", "T2w"]
    assert found["T2w"].median_mm2 == 72


def name(subject="01", kind="T2w", **more):
    return "_".join(
        [f"sub-{subject}", *(f"{key}-{value}" for key, value in more.items()), f"space-orig_label-SC_desc-{kind}_mask"]
    )


def described(pairs):
    def place(source):
        entities = parse_name(source).entities
        return entities.get("ses"), entities.get("run")

    return [(p.between, *place(p.first), *place(p.second)) for p in pairs]


def test_pairs_differ_in_the_run_alone_or_in_the_session_alone():
    names = [name(ses=session, run=run) for session in ("a", "b") for run in ("1", "2")]
    pairs = find_repetitions([result(70, each) for each in names])
    assert sorted(described(pairs)) == [
        ("run", "a", "1", "a", "2"),
        ("run", "b", "1", "b", "2"),
        ("session", "a", "1", "b", "1"),
        ("session", "a", "2", "b", "2"),
    ]


def test_runs_are_in_the_order_of_their_numbers():
    pairs = find_repetitions([result(70, name(run=run)) for run in ("10", "9")])
    assert described(pairs) == [("run", None, "9", None, "10")]


@pytest.mark.parametrize(
    "others",
    [
        [name("02", run="2")],
        [name(kind="T1w", run="2")],
        [name(acq="ax", run="2")],
        [],
    ],
)
def test_different_participants_and_images_are_no_pairs(others):
    assert find_repetitions([result(70, each) for each in (name(run="1"), *others)]) == []


def test_results_that_must_not_be_used_are_no_pairs():
    names = [name(run=run) for run in "123"]
    results = [result(70, names[0]), result(70, names[1], verdict="fail"), result(None, names[2])]
    assert find_repetitions(results) == []


def test_the_difference_is_in_percent_of_the_mean_with_its_sign():
    (pair,) = find_repetitions([result(90, name(run="1")), result(110, name(run="2"))])
    assert pair.percent == pytest.approx(20)


def test_the_variation_within_participants_is_recovered(rng):
    true = rng.normal(75, 8, 2000)
    measured = true + rng.normal(0, 1.5, (2, 2000))
    pairs = [find_repetitions([result(one, name(run="1")), result(two, name(run="2"))])[0] for one, two in measured.T]
    expected = 100 * np.sqrt(np.mean((1.5 / true) ** 2))
    assert within_variation(pairs) == pytest.approx(expected, rel=0.05)
    assert math.isnan(within_variation([]))
