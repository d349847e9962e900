"""Tell where the tube is cord: from the best place outwards, until something speaks against it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.methods.propseg.parameters import PropsegParameters
from bids_deepseg.methods.propseg.stack import smooth_along

Array = NDArray[np.float64]

#: Evidence is smoothed along the cord, so that single slices decide nothing.
_EDGE_SIGMA_MM, _SCORE_SIGMA_MM = 3.0, 6.0
#: Weight of a detector's score, bounded to -1 to 1, against the edge when the best place is chosen.
_SCORE_WEIGHT = 0.1
#: Length over which a place is judged.
_PLACE_MM = 20.0
#: A detector's score that ends the cord: 0, or this far below the scores of most slices where all are low.
_SCORE_DROP = 1.2
#: Stretch behind a slice with which its area is compared, and what lies between: growth that is slow counts, too.
_COMPARED_MM, _BETWEEN_MM = 30.0, 10.0


@dataclass(frozen=True, slots=True, eq=False)
class SliceEvidence:
    """What is known of the tube in each of K slices.

    Attributes
    ----------
    edge : (K,) array
        Mean bounded gradient across the border, 1 at most.
    area_mm2 : (K,) array
        Cross-section.
    scores : (K,) array or None
        How sure a detector is of a cord there, positive for yes; None where the course has a beginning and an end.
    """

    edge: Array
    area_mm2: Array
    scores: Array | None


@dataclass(frozen=True, slots=True)
class Span:
    """Part of the slices.

    Attributes
    ----------
    first, last : int
        First and last slice, counted from the first of the course.
    stops : (str, str)
        Why the tube ends at the lower and at the upper end: ``course-end``, ``contrast``, ``area``, ``collapse`` or
        ``detector``.
    """

    first: int
    last: int
    stops: tuple[str, str]


def cord_span(evidence: SliceEvidence, slice_mm: float, parameters: PropsegParameters) -> Span | None:
    """Find the part of the slices in which the tube is cord.

    Parameters
    ----------
    evidence : SliceEvidence
        What is known of each slice.
    slice_mm : float
        Distance of the slices.
    parameters : PropsegParameters
        Limits.

    Returns
    -------
    Span or None
        None if no slice is good.
    """
    edge = smooth_along(evidence.edge, _EDGE_SIGMA_MM, slice_mm)
    broken = _broken_rules(edge, evidence, slice_mm, parameters)
    bad = np.any(list(broken.values()), axis=0)
    if bad.all():
        return None
    bad = _without_short_runs(bad, parameters.bridged_mm / slice_mm)
    worth = np.where(bad, 0.0, edge)
    if evidence.scores is not None:
        worth = np.where(bad, 0.0, worth + _SCORE_WEIGHT * np.clip(evidence.scores, -1, 1))
    seed = int(np.argmax(np.where(bad, -np.inf, smooth_along(worth, _PLACE_MM / 2, slice_mm))))
    last, upper = _walk(seed, bad, broken, evidence.area_mm2, slice_mm, parameters)
    n = len(bad)
    turned = {name: flags[::-1] for name, flags in broken.items()}
    first, lower = _walk(n - 1 - seed, bad[::-1], turned, evidence.area_mm2[::-1], slice_mm, parameters)
    return Span(n - 1 - first, last, (lower, upper))


def _broken_rules(
    edge: Array, evidence: SliceEvidence, slice_mm: float, parameters: PropsegParameters
) -> dict[str, NDArray[np.bool_]]:
    """Return for each rule the slices that break it."""
    area = evidence.area_mm2
    broken = {"area": area >= 1.2 * parameters.max_area_mm2, "collapse": area < parameters.min_area_mm2}
    if evidence.scores is not None:
        scores = smooth_along(evidence.scores, _SCORE_SIGMA_MM, slice_mm)
        broken["detector"] = scores < min(0.0, float(np.percentile(scores, 75)) - _SCORE_DROP)
    usual = ~np.any(list(broken.values()), axis=0)
    reference = float(np.percentile(edge[usual], 75)) if usual.any() else 1.0
    return {"contrast": edge < max(parameters.min_edge, parameters.lost_part * reference), **broken}


def _without_short_runs(bad: NDArray[np.bool_], length: float) -> NDArray[np.bool_]:
    """Forgive runs of bad slices between good ones: one slice, or up to a length (in slices)."""
    changes = np.flatnonzero(np.diff(np.concatenate([[0], bad.astype(np.int8), [0]]))).reshape(-1, 2)
    forgiven = bad.copy()
    for start, end in changes:
        if start > 0 and end < len(bad) and end - start <= max(1.0, length):
            forgiven[start:end] = False
    return forgiven


def _walk(
    seed: int,
    bad: NDArray[np.bool_],
    broken: dict[str, NDArray[np.bool_]],
    area: Array,
    slice_mm: float,
    parameters: PropsegParameters,
) -> tuple[int, str]:
    """Go upwards from a slice; return the last good one, and why it is the last."""
    n_compared, n_between = max(2, round(_COMPARED_MM / slice_mm)), round(_BETWEEN_MM / slice_mm)
    for k in range(seed + 1, len(bad)):
        if bad[k]:
            return k - 1, next(name for name, flags in broken.items() if flags[k])
        end = max(1, k - n_between)
        before = area[max(0, end - n_compared) : end]
        if area[k] > parameters.max_growth * np.median(before) and area[k] > parameters.grown_area_mm2:
            return k - 1, "area"
    return len(bad) - 1, "course-end"
