"""Bridged slices: one fault is one reason, told by its share; networks and image count in the other slices only."""

import dataclasses
import functools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from benchmarks.suite.broken import BREAKS
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.judge import Evidence, judge_evidence
from bids_deepseg.judge.slices import FAIL_SHARE
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.heatmap import Heatmap
from bids_deepseg.stages.mask import CordMask, clean_mask
from bids_deepseg.stages.metrics import measure_cord
from tests.helpers.phantoms import grid_of, tube

ZOOMS = (0.7, 0.7, 4.0)
N_SLICES = 16
GRID = grid_of((56, 56, N_SLICES), ZOOMS)
LINE = Centerline(np.full((N_SLICES, 2), 27.5), np.arange(N_SLICES), GRID, np.full(N_SLICES, 0.9), 0.0)


@functools.cache
def scene():
    """Return image, true mask, probability, spread and heat of a bright tube in darker fluid."""
    fraction = tube(GRID, radius_mm=5.0, supersample=3).data
    image = 100 * fraction + np.random.default_rng(0).normal(0, 3, GRID.shape)
    probability = ndimage.gaussian_filter(fraction, (0.7, 0.7, 0))
    heat = np.zeros(GRID.shape)
    heat[27, 27] = 0.9
    arrays = (image, probability, 0.02 * probability, heat)
    return (fraction >= 0.5, *(np.asarray(array, np.float32) for array in arrays))


def lost_slices():
    """Draw slices between others, in gaps shorter than 10 mm: at most two of 4 mm in a row."""

    def in_short_gaps(flags):
        lost = []
        for k, is_lost in enumerate(flags, start=1):
            if is_lost and lost[-2:] != [k - 2, k - 1]:
                lost.append(k)
        return lost

    flags = st.lists(st.booleans(), min_size=N_SLICES - 2, max_size=N_SLICES - 2)
    return flags.map(in_short_gaps).filter(bool)


def evidence_of(mask, bridged, *, image=None, probability=None, spread=None, heat=None, at_path=None):
    """Return what is known of a mask of which some slices were bridged."""
    given = (image, probability, spread, heat)
    chosen = (default if one is None else one for one, default in zip(given, scene()[1:], strict=True))
    image, probability, spread, heat = (Volume(np.asarray(array, np.float32), GRID) for array in chosen)
    flags = np.isin(np.arange(N_SLICES), bridged)
    cord = CordMask(Volume(mask.astype(np.uint8), GRID), flags, 0, 0)
    line = LINE if at_path is None else dataclasses.replace(LINE, heat=np.asarray(at_path, float))
    metrics = measure_cord(cord.volume, probability, GRID)
    return Evidence(image, cord, probability, line, metrics, Heatmap(heat), spread, other=probability)


def without_signal(lost):
    """Return the evidence of an image whose slices lost their signal, and of which the method made the best."""
    image, probability, spread, heat = (array.copy() for array in scene()[1:])
    for array in (probability, spread, heat):
        array[..., lost] = 0
    image[..., lost] = np.random.default_rng(1).normal(0, 1, (*GRID.shape[:2], len(lost)))
    at_path = np.where(np.isin(np.arange(N_SLICES), lost), 0, 0.9)
    mask = clean_mask(Volume(probability, GRID), LINE, threshold=0.5)
    assert np.flatnonzero(mask.bridged).tolist() == list(lost)
    seen = {"image": image, "probability": probability, "spread": spread, "heat": heat, "at_path": at_path}
    return evidence_of(mask.volume.data > 0, lost, **seen)


def reasons_of(judgement, *, but=()):
    return {one.code: (one.severity, one.value) for one in judgement.findings if one.code not in but}


@settings(max_examples=20, deadline=None)
@given(lost_slices())
def test_slices_without_signal_that_were_bridged_are_one_reason_and_lower_no_score(lost):
    judgement = judge_evidence(without_signal(lost))
    whole = judge_evidence(evidence_of(scene()[0], []))
    assert whole.findings == ()
    assert [one.code for one in judgement.findings] == ["gap-bridged"]
    assert judgement.score == pytest.approx(whole.score, abs=0.01)


@settings(max_examples=20, deadline=None)
@given(
    lost_slices(),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["right", *BREAKS]),
    st.sampled_from(["noise", "nothing", "sure of all"]),
)
def test_nothing_that_networks_and_image_hold_in_bridged_slices_counts(lost, seed, kind, what):
    truth, *arrays = scene()
    mask = truth if kind == "right" else BREAKS[kind](truth, ZOOMS)
    flagged = [k for k in lost if mask[..., k].any()]
    plain = judge_evidence(evidence_of(mask, flagged))
    names = ("image", "probability", "spread", "heat")
    changed = dict(zip(names, (array.copy() for array in arrays), strict=True))
    rng = np.random.default_rng(seed)
    for array in changed.values():
        shape = (*GRID.shape[:2], len(flagged))
        array[..., flagged] = {"noise": rng.random(shape), "nothing": 0, "sure of all": 1}[what]
    at_path = np.where(np.isin(np.arange(N_SLICES), flagged), rng.random(), 0.9)
    assert judge_evidence(evidence_of(mask, flagged, **changed, at_path=at_path)) == plain


@pytest.mark.parametrize("kind", BREAKS)
def test_a_mask_that_is_wrong_in_the_other_slices_is_flagged_for_it(kind):
    truth = scene()[0]
    broken = BREAKS[kind](truth, ZOOMS)
    lost = [k for k in (3, 8, 12) if broken[..., k].any()]
    probability = scene()[2].copy()
    probability[..., lost] = 0
    judgement = judge_evidence(evidence_of(broken, lost, probability=probability))
    told = reasons_of(judgement, but={"gap-bridged"})
    if 2 * (broken & truth).sum() < 0.8 * (broken.sum() + truth.sum()):
        assert told
        assert judgement.score < judge_evidence(evidence_of(truth, lost, probability=probability)).score


def test_an_unsure_network_is_told_although_slices_were_bridged():
    lost = [3, 8, 12]
    probability = scene()[2] * np.float32(0.62)
    probability[..., lost] = 0
    codes = reasons_of(judge_evidence(evidence_of(scene()[0], lost, probability=probability)))
    assert {"gap-bridged", "network-unsure", "probability-low"} <= set(codes)


@settings(max_examples=20, deadline=None)
@given(lost_slices())
def test_the_share_of_bridged_slices_is_told_and_decides_on_the_severity(lost):
    judgement = judge_evidence(without_signal(lost))
    (told,) = judgement.findings
    assert told.value == len(lost) / N_SLICES
    assert told.value > told.limit
    assert told.severity == judgement.verdict == ("fail" if len(lost) > FAIL_SHARE * N_SLICES else "warn")
    assert f"{len(lost)} of {N_SLICES} slices" in told.message


def test_more_bridged_slices_are_never_less_severe():
    order = [1, 3, 5, 7, 9, 11, 13, 14]
    verdicts = [judge_evidence(without_signal(sorted(order[:n]))).verdict for n in range(1, len(order) + 1)]
    n_warned = verdicts.count("warn")
    assert 0 < n_warned < len(verdicts)
    assert verdicts == ["warn"] * n_warned + ["fail"] * (len(verdicts) - n_warned)


@pytest.mark.parametrize("every", [2, 3, 4, 5, 8])
def test_every_nth_slice_lost_is_flagged_by_its_share(every):
    lost = list(range(every // 2, N_SLICES - 1, every))
    assert judge_evidence(without_signal(lost)).verdict == ("fail" if len(lost) / N_SLICES > 0.25 else "warn")


def test_the_shape_of_what_was_bridged_is_judged_like_that_of_other_slices():
    mask = scene()[0].copy()
    mask[10:13, 10:13, 5] = True
    mask[0, 28, 9] = True
    codes = reasons_of(judge_evidence(evidence_of(mask, [5, 9])))
    assert {"several-objects", "field-border"} <= set(codes)
