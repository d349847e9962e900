"""List what is measured of a result, and from which value on it speaks against it.

One row is one measure with its limits. The limits were set on phantoms and on the participants ``train01``, ``train02``
and ``train06`` (``benchmarks/judge.py``; what they reach on others is in ``docs/judge.md``). They are ratios,
shares and millimetres, so that they do not depend on the units of an image or on one set of networks.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.judge import certainty, shape
from bids_deepseg.judge.evidence import Evidence, Surroundings

#: Takes the evidence and what lies around the mask; returns a number, NaN where the measure does not apply.
Measure = Callable[[Evidence, Surroundings], float]


@dataclass(frozen=True, slots=True)
class Rule:
    """A measure with its limits.

    Attributes
    ----------
    code : str
        Word for programs.
    what : str
        What is measured, for the documentation.
    measure : callable
        The measure.
    warn, fail : float or None
        Values beyond which it is a reason to look, and a reason not to use the result; None for never.
    message : str
        What was observed and what to look at; ``{value}`` and ``{limit}`` stand for the numbers.
    is_upper : bool
        Whether values above the limits speak against the result, or values below.
    counts_bridged : bool
        Whether slices that were bridged are among those around the mask: its shape is measured in all slices, what
        networks and image say only in the others.
    """

    code: str
    what: str
    measure: Measure
    warn: float | None
    fail: float | None
    message: str
    is_upper: bool = True
    counts_bridged: bool = False

    def passed(self, value: float, limit: float | None) -> bool:
        """Return whether a value lies beyond a limit; NaN does not."""
        if limit is None:
            return False
        return value > limit if self.is_upper else value < limit


def rules() -> tuple[Rule, ...]:
    """Return all rules, in the order of their findings."""
    return (*_agreement(), *_certainty(), *_place(), *_form(), *_image())


def _agreement() -> tuple[Rule, ...]:
    """Return the rules that compare the mask with what the networks see."""
    return (
        Rule(
            "network-disagrees",
            "Dice of the mask with the network's own",
            lambda evidence, around: certainty.agreement(around, evidence.threshold),
            *(0.85, 0.70),
            "The mask and that of the network agree only by a Dice of {value:.2f} (expected: {limit:.2f} or more). "
            "Compare the mask with the map of the probability.",
            is_upper=False,
        ),
        Rule(
            "slices-disagree",
            "share of the slices in which that Dice is below 0.7",
            lambda evidence, around: _share_below(certainty.slice_agreement(around, evidence.threshold), 0.7),
            *(0.1, 0.4),
            "In {value:.0%} of the slices the mask and that of the network agree by a Dice of less than 0.7. Look at "
            "slices without mask, and at jumps of the outline.",
        ),
        Rule(
            "denied",
            "share of the mask with a probability below 0.2",
            lambda _, around: certainty.denied_share(around),
            *(0.08, 0.25),
            "{value:.0%} of the mask is not cord according to the network (probability below 0.2). Look for a leak or "
            "a shifted mask.",
        ),
        Rule(
            "missed",
            "voxels outside the mask with a probability above 0.8, relative to the mask",
            lambda _, around: certainty.missed_share(around),
            *(0.08, 0.25),
            "The network is sure of cord beyond the mask, {value:.0%} of its size. Look for missing parts and slices.",
        ),
        Rule(
            "kernels-disagree",
            "Dice of the mask with that of another network (slices and stacks)",
            lambda evidence, _: certainty.other_dice(evidence),
            *(0.85, 0.70),
            "The networks that see slices and stacks of slices agree only by a Dice of {value:.2f}. Look at the mask.",
            is_upper=False,
        ),
    )


def _certainty() -> tuple[Rule, ...]:
    """Return the rules about how sure the networks are."""
    return (
        Rule(
            "network-unsure",
            "expected Dice of the network's own mask, relative to the best possible; median of the slices",
            lambda evidence, around: certainty.certainty(around, evidence.threshold),
            *(0.80, 0.60),
            "The network is unsure of its own mask: its probabilities predict {value:.0%} of the Dice of a sure one "
            "(usual: {limit:.0%} or more). Look at all slices.",
            is_upper=False,
        ),
        Rule(
            "slices-unsure",
            "share of the slices in which that is below 0.7",
            lambda evidence, around: _share_below(certainty.slice_certainty(around, evidence.threshold), 0.7),
            *(0.1, 0.5),
            "In {value:.0%} of the slices the network is unsure of its own mask. Look at the slices with the lowest "
            "probability.",
        ),
        Rule(
            "mirror-disagrees",
            "half of the difference of mirrored answers, relative to the probability; median of the slices",
            lambda evidence, _: certainty.disagreement(evidence),
            *(0.08, 0.25),
            "The network's outputs for the image and for its mirror image differ by {value:.0%}. Look at both sides of "
            "the mask.",
        ),
        Rule(
            "inverted-disagrees",
            "movement of the border in mm when bright and dark are exchanged; median",
            lambda evidence, _: certainty.inverted_mm(evidence),
            *(0.4, 1.5),
            "The border that the network sees moves by {value:.1f} mm when bright and dark are exchanged. Check "
            "whether the border of the cord can be seen.",
        ),
        Rule(
            "heat-low",
            "heat at the path, upper quartile of the slices",
            lambda evidence, _: certainty.path_heat(evidence),
            *(0.7, 0.3),
            "In most slices the detection network is not sure of a cord (heat {value:.2f}, usual: {limit:g} or more). "
            "Look at the centerline.",
            is_upper=False,
        ),
        Rule(
            "rival",
            "largest heat more than 15 mm away, relative to that at the path; median",
            lambda evidence, _: certainty.rival_heat(evidence),
            *(0.5, None),
            "The detection network sees something else that looks like a cord, with {value:.0%} of the heat. "
            "Check that the right structure was outlined.",
        ),
    )


def _place() -> tuple[Rule, ...]:
    """Return the rules about where the mask lies."""
    return (
        Rule(
            "off-centerline",
            "distance of the mask's centre from the centerline in mm; median",
            lambda evidence, _: _median(shape.apart_mm(evidence)),
            *(2.5, 6.0),
            "The mask's centre lies {value:.1f} mm from the centerline (at most {limit:g}). Check that it lies on the "
            "cord.",
        ),
        Rule(
            "centre-jump",
            "distance of a slice's centre from the line through its neighbours' in mm; largest",
            lambda evidence, _: _largest(shape.centre_steps_mm(evidence)),
            *(2.5, None),
            "The mask's centre jumps by {value:.1f} mm from one slice to the next. Look at the course of the cord.",
        ),
        Rule(
            "field-border",
            "share of the slices in which the mask touches the border of the field of view",
            lambda evidence, _: shape.border_share(evidence),
            *(0.0, None),
            "In {value:.0%} of the slices the mask touches the border of the field of view. Check whether the cord is "
            "cut off.",
        ),
        Rule(
            "patch-border",
            "largest distance of the mask from the centerline in mm, along an axis",
            lambda evidence, _: shape.reach_mm(evidence),
            *(15.0, None),
            "The mask reaches {value:.0f} mm from the centerline, to the border of what the network sees. Look for a "
            "leak.",
        ),
        Rule(
            "above-foramen-magnum",
            "area of the uppermost 10 mm relative to the 30 mm below",
            lambda evidence, _: shape.growth_upward(*(evidence.metrics.columns()[c] for c in ("area_mm2", "z_mm"))),
            *(1.6, None),
            "The uppermost 10 mm are {value:.1f} times as large as the cord below. Check whether it goes into the "
            "brain stem.",
        ),
    )


def _form() -> tuple[Rule, ...]:
    """Return the rules about the shape of the mask."""
    return (
        Rule(
            "several-objects",
            "share of the slices with several objects",
            lambda _, around: _share_above(shape.n_objects(around), 1),
            *(0.0, 0.4),
            "In {value:.0%} of the slices the mask has several objects. Only one is the cord.",
            counts_bridged=True,
        ),
        Rule(
            "holes",
            "area of holes relative to the mask",
            lambda _, around: shape.hole_share(around),
            *(0.02, 0.2),
            "Holes make up {value:.0%} of the mask. Fill them.",
            counts_bridged=True,
        ),
        Rule(
            "asymmetric",
            "share of the mask without counterpart on the other side; median",
            lambda _, around: _median(shape.asymmetry(around)),
            *(0.32, None),
            "Left and right halves of the mask differ by {value:.0%}. Check whether one side is missing.",
            counts_bridged=True,
        ),
        Rule(
            "rough",
            "1 - Dice of neighbouring slices, centres aligned; mean",
            lambda _, around: certainty.roughness(around),
            *(0.3, None),
            "Neighbouring slices of the mask differ in shape by {value:.0%}. Look at the outlines.",
            counts_bridged=True,
        ),
    )


def _image() -> tuple[Rule, ...]:
    """Return the rules about what the image shows."""
    return (
        Rule(
            "edge-elsewhere",
            "change of brightness at the border, relative to the strongest within 3 mm",
            lambda _, around: shape.edge_strength(shape.edge_profile(around)),
            *(0.75, None),
            "The image changes less at the mask's border than elsewhere near it ({value:.2f} of the strongest). "
            "Check whether the mask is too large, too small or shifted.",
            is_upper=False,
        ),
        Rule(
            "no-contrast",
            "difference of brightness between mask and ring, in standard deviations; median",
            lambda _, around: shape.ring_contrast(around),
            *(0.4, None),
            "The mask is hardly brighter or darker than its surroundings ({value:.2f} standard deviations). Check "
            "whether a cord can be seen.",
            is_upper=False,
        ),
    )


def _share_below(values: NDArray[np.floating], limit: float) -> float:
    """Return the share of the known values below a limit."""
    known = values[np.isfinite(values)]
    return float((known < limit).mean()) if len(known) else float("nan")


def _share_above(values: NDArray[np.floating], limit: float) -> float:
    """Return the share of the values of at least 1 that lie above a limit."""
    present = values[values > 0]
    return float((present > limit).mean()) if len(present) else float("nan")


def _median(values: NDArray[np.floating]) -> float:
    """Return the median, NaN of nothing."""
    return float(np.median(values)) if len(values) else float("nan")


def _largest(values: NDArray[np.floating]) -> float:
    """Return the largest value, NaN of nothing."""
    return float(values.max()) if len(values) else float("nan")
