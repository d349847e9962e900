"""Apply all rules to a result."""

from dataclasses import dataclass
from math import isnan

import numpy as np

from bids_deepseg.geometry.volume import Volume
from bids_deepseg.judge.certainty import dice, disagreement, whole_expected_dice
from bids_deepseg.judge.evidence import Evidence, Surroundings, look_around
from bids_deepseg.judge.rules import Rule, rules
from bids_deepseg.judge.slices import judge
from bids_deepseg.stages.findings import Finding, Measured, Verdict, verdict_of

#: Number of ``warn`` findings that together are ``fail``: of 26 such masks of degraded phantoms and people none had a
#: Dice above 0.9 and 17 had less than 0.8 (docs/judge.md); those found in thighs without a cord have five to nine.
MANY_DOUBTS = 6


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the judge says of a result.

    Attributes
    ----------
    findings : tuple of Finding
        What speaks against it.
    score : float
        How much speaks for it, in [0, 1]: the order among results of the same verdict.
    """

    findings: tuple[Finding, ...]
    score: float

    @property
    def verdict(self) -> Verdict:
        """Worst severity of the findings."""
        return verdict_of(self.findings)


def judge_evidence(evidence: Evidence) -> Judgement:
    """Judge a result.

    Parameters
    ----------
    evidence : Evidence
        The result and what is known of it.

    Returns
    -------
    Judgement
        All findings of :func:`bids_deepseg.judge.slices.judge` and of the rules, and the score.
    """
    around = look_around(evidence)
    seen = look_around(evidence, with_bridged=False) if evidence.mask.bridged.any() else around
    found = [
        finding
        for rule in rules()
        if (finding := _apply(rule, evidence, around if rule.counts_bridged else seen)) is not None
    ]
    findings = (*judge(evidence.centerline, evidence.mask, evidence.metrics), *found)
    return Judgement((*findings, *judge_doubts(findings)), _score(evidence, seen))


def judge_doubts(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return a finding that fails a result if too many others ask for a look at it, unless it is among them."""
    if any(finding.code == "many-doubts" for finding in findings):
        return ()
    doubts = sum(finding.severity == "warn" for finding in findings)
    if doubts < MANY_DOUBTS:
        return ()
    message = (
        f"{doubts} of the checks found a problem with this mask. Is there a cord in the image? Correct it before use."
    )
    return (Finding("many-doubts", "fail", message, doubts, MANY_DOUBTS - 1),)


def judge_kernels(flat: Volume, stacked: Volume) -> Finding | None:
    """Compare the masks of the networks that see slices and stacks of slices.

    Parameters
    ----------
    flat, stacked : Volume
        uint8 masks on one grid.

    Returns
    -------
    Finding or None
        ``kernels-disagree`` if they differ by more than its limits allow.
    """
    rule = next(rule for rule in rules() if rule.code == "kernels-disagree")
    return _compare(rule, dice(flat.data > 0, stacked.data > 0))


def _apply(rule: Rule, evidence: Evidence, around: Surroundings) -> Finding | None:
    """Measure, and compare with the limits."""
    return _compare(rule, rule.measure(evidence, around))


def _compare(rule: Rule, value: float) -> Finding | None:
    """Compare a value with the limits of its rule."""
    if isnan(value):
        return None
    for severity, limit in (("fail", rule.fail), ("warn", rule.warn)):
        if rule.passed(value, limit):
            message = rule.message.format(value=value if limit is None else Measured(value, limit), limit=limit)
            return Finding(rule.code, "fail" if severity == "fail" else "warn", message, round(value, 4), limit)
    return None


def _score(evidence: Evidence, around: Surroundings) -> float:
    """Return the expected Dice, lowered by what mirrored and inverted patches put in doubt and by slices without mask.

    A product, so that no strength makes up for a weakness. Slices that were bridged are not ``around``; they have a
    mask, and their number counts in the verdict.
    """
    present = np.asarray(evidence.mask.volume.data.any((0, 1)))
    cover = float(present[evidence.centerline.k].mean())
    sure = 1.0
    for doubt in (disagreement(evidence), evidence.inverted):
        sure *= 1.0 if isnan(doubt) else 1 - doubt
    return float(np.clip(whole_expected_dice(around) * sure * cover, 0, 1))
