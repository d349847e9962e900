"""The judge: good masks pass, broken masks are flagged for what is wrong with them, and measures obey laws."""

import dataclasses
import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from benchmarks.suite.broken import BREAKS
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.judge import Evidence, certainty, judge_evidence, judge_kernels, shape
from bids_deepseg.judge.evidence import Surroundings, distance_mm, look_around
from bids_deepseg.judge.judging import MANY_DOUBTS
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.heatmap import Heatmap
from bids_deepseg.stages.mask import CordMask
from bids_deepseg.stages.metrics import measure_cord
from tests.helpers.phantoms import grid_of, tube

ZOOMS = (0.5, 0.5, 4.0)
GRID = grid_of((76, 76, 12), ZOOMS)


@functools.cache
def scene():
    """Return image, truth and probability of a bright tube in darker fluid, sure but for its border."""
    fraction = tube(GRID, radius_mm=5.0, slope=(0.05, 0.0), supersample=3)
    rng = np.random.default_rng(0)
    image = 100 * fraction.data + rng.normal(0, 3, GRID.shape)
    probability = ndimage.gaussian_filter(fraction.data, (0.7, 0.7, 0))
    return image.astype(np.float32), fraction.data >= 0.5, probability.astype(np.float32)


def evidence_of(mask, image=None, probability=None, **changes):
    default_image, _, default_probability = scene()
    probability = Volume(default_probability if probability is None else probability, GRID)
    cord = CordMask(Volume(mask.astype(np.uint8), GRID), np.zeros(GRID.shape[2], bool), 0, 0)
    points = np.array([np.argwhere(scene()[1][..., k]).mean(0) for k in range(GRID.shape[2])])
    line = Centerline(points, np.arange(GRID.shape[2]), GRID, np.full(GRID.shape[2], 0.9), 0.0)
    heat = np.zeros(GRID.shape, np.float32)
    heat[(*np.rint(points).astype(int).T, np.arange(GRID.shape[2]))] = 0.9
    image = Volume(default_image if image is None else image, GRID)
    given = Evidence(
        image, cord, probability, line, measure_cord(cord.volume, probability, GRID), Heatmap(Volume(heat, GRID))
    )
    return dataclasses.replace(given, **changes)


def codes_of(evidence):
    return {found.code for found in judge_evidence(evidence).findings}


def test_the_true_mask_passes_with_a_high_score():
    judgement = judge_evidence(evidence_of(scene()[1]))
    assert judgement.findings == ()
    assert judgement.verdict == "pass"
    assert judgement.score > 0.9


def test_a_finding_states_value_and_limit_on_the_wrong_side_of_each_other():
    found = judge_evidence(evidence_of(np.roll(scene()[1], 8, 0))).findings
    disagree = next(one for one in found if one.code == "network-disagrees")
    assert disagree.value < disagree.limit
    assert f"{disagree.value:.2f}" in disagree.message
    apart = next(one for one in found if one.code == "off-centerline")
    assert apart.value == pytest.approx(4.0, abs=0.3)
    assert apart.value > apart.limit


@pytest.mark.parametrize("kind", BREAKS)
def test_broken_masks_are_flagged_where_their_dice_is_low(kind):
    truth = scene()[1]
    broken = BREAKS[kind](truth, ZOOMS)
    judgement = judge_evidence(evidence_of(broken))
    if certainty.dice(broken, truth) < 0.8:
        assert judgement.verdict in ("warn", "fail")
        assert judgement.score < judge_evidence(evidence_of(truth)).score


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("shifted 8 mm", "off-centerline"),
        ("eroded 2 mm", "missed"),
        ("dilated 2 mm", "denied"),
        ("leaked a lot", "network-disagrees"),
        ("truncated by half", "coverage-low"),
        ("brain", "above-foramen-magnum"),
        ("swapped", "centre-jump"),
        ("holes", "holes"),
    ],
)
def test_the_reason_names_what_is_broken(kind, code):
    assert code in codes_of(evidence_of(BREAKS[kind](scene()[1], ZOOMS)))


def test_unsure_networks_are_told_whatever_the_mask():
    assert "network-unsure" in codes_of(evidence_of(scene()[1], probability=scene()[2] * np.float32(0.62)))


def test_mirrored_answers_that_differ_are_told():
    spread = Volume(scene()[2] * np.float32(0.3), GRID)
    assert "mirror-disagrees" in codes_of(evidence_of(scene()[1], spread=spread))


def test_another_network_that_differs_is_told():
    other = Volume(np.roll(scene()[2], 8, 1), GRID)
    assert "kernels-disagree" in codes_of(evidence_of(scene()[1], other=other))
    assert "kernels-disagree" not in codes_of(evidence_of(scene()[1], other=Volume(scene()[2], GRID)))


def test_a_mask_at_the_border_of_the_field_of_view_is_told():
    touching = scene()[1].copy()
    touching[0, 38, 5] = True
    assert "field-border" in codes_of(evidence_of(touching))


def test_several_objects_are_told():
    two = scene()[1].copy()
    two[18:22, 18:22] = True
    assert "several-objects" in codes_of(evidence_of(two))


@settings(max_examples=5)
@given(st.floats(0.01, 1000), st.floats(-500, 500))
def test_the_scale_of_brightness_changes_nothing(scale, shift):
    image = scene()[0]
    before = shape.edge_profile(look_around(evidence_of(scene()[1])))
    after = shape.edge_profile(look_around(evidence_of(scene()[1], image=(image * scale + shift).astype(np.float32))))
    np.testing.assert_allclose(after, before, rtol=0.02)


def test_the_image_has_its_edge_where_the_mask_has_it_and_not_where_a_broken_one_has():
    truth = scene()[1]
    strengths = [
        shape.edge_strength(shape.edge_profile(look_around(evidence_of(mask))))
        for mask in (truth, BREAKS["eroded 2 mm"](truth, ZOOMS), BREAKS["dilated 2 mm"](truth, ZOOMS))
    ]
    assert strengths[0] == 1
    assert max(strengths[1:]) < 0.5


@given(st.integers(0, 2**32 - 1))
def test_agreement_and_expected_dice_are_dice_where_the_probability_is_0_or_1(seed):
    rng = np.random.default_rng(seed)
    mask, seen = rng.random((2, 8, 8, 3)) < 0.4
    around = Surroundings(
        mask, seen.astype(np.float32), seen.astype(np.float32), np.zeros((8, 8, 3)), (1, 1, 1), np.zeros(3, bool)
    )
    n_both = sum(1 for a, b in zip(mask.flat, seen.flat, strict=True) if a and b)
    expected = 2 * n_both / (mask.sum() + seen.sum())
    assert certainty.agreement(around) == pytest.approx(expected)
    assert certainty.whole_expected_dice(around) == pytest.approx(expected)
    assert certainty.certainty(around) == 1


def test_distances_are_those_of_a_slow_search():
    mask = np.zeros((12, 14), bool)
    mask[4:8, 5:10] = True
    found = distance_mm(mask, (1.0, 1.0))
    points = np.argwhere(mask)
    for point in np.ndindex(mask.shape):
        others = np.argwhere(~mask) if mask[point] else points
        nearest = np.linalg.norm(others - point, axis=1).min()
        assert found[point] == pytest.approx(0.5 - nearest if mask[point] else nearest - 0.5)


def test_a_mirrored_mask_is_as_asymmetric():
    left = scene()[1].copy()
    left[38:] = False
    both = [shape.asymmetry(look_around(evidence_of(mask))) for mask in (left, left[::-1])]
    assert both[0].mean() > 0.05
    np.testing.assert_allclose(np.sort(both[0]), np.sort(both[1]), atol=0.15)


def test_a_network_that_says_something_else_of_the_inverted_image_is_told():
    assert "inverted-disagrees" in codes_of(evidence_of(scene()[1], inverted=0.2))
    assert "inverted-disagrees" not in codes_of(evidence_of(scene()[1], inverted=0.03))


def test_many_doubts_together_fail_and_a_few_do_not():
    _, truth, probability = scene()
    noise = np.random.default_rng(1).normal(0, 1, GRID.shape).astype(np.float32)
    unsure = probability * np.float32(0.66)
    few = judge_evidence(evidence_of(truth, image=noise, probability=unsure))
    assert len(few.findings) < MANY_DOUBTS
    assert few.verdict == "warn"
    spread = Volume(unsure * np.float32(0.12), GRID)
    unsure[..., :3] *= np.float32(0.8)
    many = judge_evidence(evidence_of(truth, image=noise, probability=unsure, spread=spread, inverted=0.2))
    assert many.verdict == "fail"
    doubts = [found for found in many.findings if found.severity == "warn"]
    (told,) = (found for found in many.findings if found.severity == "fail")
    assert (told.code, told.value) == ("many-doubts", len(doubts))


def test_masks_of_two_kernels_are_compared():
    truth = scene()[1]
    masks = [Volume(mask.astype(np.uint8), GRID) for mask in (truth, np.roll(truth, 6, 0), np.roll(truth, 30, 0))]
    assert judge_kernels(masks[0], masks[0]) is None
    severities = [judge_kernels(masks[0], other).severity for other in masks[1:]]
    assert severities[1] == "fail"
    assert judge_kernels(masks[0], masks[1]).value == pytest.approx(
        certainty.dice(truth, np.roll(truth, 6, 0)), abs=1e-4
    )


@pytest.mark.parametrize(("share", "far_mm", "is_told"), [(0.6, 17.0, True), (0.4, 17.0, False), (1.0, 12.0, False)])
def test_a_second_place_with_more_than_half_of_the_heat_is_told_if_it_is_far_from_the_cord(share, far_mm, is_told):
    evidence = evidence_of(scene()[1])
    heat = evidence.heatmap.volume.data.copy()
    for (i, j), k in zip(np.rint(evidence.centerline.ij).astype(int), evidence.centerline.k, strict=True):
        heat[i, j + round(far_mm / ZOOMS[1]), k] = 0.9 * share
    told = codes_of(dataclasses.replace(evidence, heatmap=Heatmap(Volume(heat, GRID))))
    assert told == ({"rival"} if is_told else set())
