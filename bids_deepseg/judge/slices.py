"""Judge a result by the measures of its slices, so that nothing bad passes silently."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bids_deepseg.geometry.grid import AXIS_IS
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.judge.certainty import best_certainty
from bids_deepseg.judge.evidence import lower_end
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.findings import Finding, Measured
from bids_deepseg.stages.mask import BRIDGED_GAP_MM, CordMask
from bids_deepseg.stages.metrics import CordMetrics

#: Areas of human cords lie between about 20 mm² (close to the conus, strong atrophy) and 130 mm² (cervical
#: enlargement of large people); beyond these limits a mask is more likely wrong than the cord unusual.
AREA_RANGE_MM2 = (15.0, 150.0)

#: Share of the slices with an unusual measure from which the whole result is not to be used.
FAIL_SHARE = 0.25

#: Length of found cord without mask that is worth a look; thinner slices end a little early or late without harm.
MISSING_LENGTH_MM = 3.0

#: Length of the lower end in which the network is unsure, from which this is told.
UNSURE_END_MM = 10.0

#: Mean answer of the network (fraction of cord) in the mask of a slice, lower than in most slices of right masks: on
#: the images of the training data it is 0.82 to 0.94 in three slices of four. Relative to what the exact fraction of
#: cord would be, it is 0.84 or more.
LOW_PROBABILITY, LOW_RELATIVE_PROBABILITY = 0.8, 0.84

#: Change of the diameter over 5 mm along the cord that anatomy does not show: that of a cord of 80 mm² which grows by a
#: half. The border of a thin cord is as many millimetres off as that of a thick one.
JUMP_MM_PER_5MM = 2.25


def judge(centerline: Centerline, mask: CordMask, metrics: CordMetrics) -> tuple[Finding, ...]:
    """Collect all findings about a result.

    Parameters
    ----------
    centerline : Centerline
        Course of the cord.
    mask : CordMask
        The mask and what was done to it.
    metrics : CordMetrics
        Measures of the mask.

    Returns
    -------
    tuple of Finding
        Empty when there is nothing to say.
    """
    return (*_judge_coverage(centerline, mask), *_judge_measures(metrics, mask))


def _judge_coverage(centerline: Centerline, mask: CordMask) -> Iterator[Finding]:
    """Report gaps, dropped pieces and slices where a cord was found but not segmented."""
    present = np.asarray(mask.volume.data.any((0, 1)))
    if mask.bridged.any():
        yield _judge_bridged(int(mask.bridged.sum()), int(present.sum()))
    if mask.n_gaps:
        message = f"The mask has {mask.n_gaps} gaps of {BRIDGED_GAP_MM:g} mm or more. Look at them."
        yield Finding("gap", "warn", message, mask.n_gaps, 0)
    if mask.n_dropped:
        message = f"{mask.n_dropped} slices far from the rest of the mask were removed."
        yield Finding("piece-dropped", "warn", message, mask.n_dropped, 0)
    share = float(present[centerline.k].mean())
    missing = int((~present[centerline.k]).sum())
    message = f"{missing} of {len(centerline.k)} slices in which a cord was found have no mask."
    if share < 1 - FAIL_SHARE:
        yield Finding("coverage-low", "fail", message, 1 - share, FAIL_SHARE)
    elif missing * mask.volume.grid.zooms[AXIS_IS] >= MISSING_LENGTH_MM:
        yield Finding("coverage", "warn", message, missing * mask.volume.grid.zooms[AXIS_IS], MISSING_LENGTH_MM)


def _judge_bridged(slices: int, of_slices: int) -> Finding:
    """Report that slices were interpolated: the only reason that they are; so it says how many of the mask they are."""
    share = slices / of_slices
    limit = FAIL_SHARE if share > FAIL_SHARE else 0.0
    message = (
        f"{slices} of {of_slices} slices of the mask were interpolated between their neighbours, since nothing was "
        f"segmented there (gaps shorter than {BRIDGED_GAP_MM:g} mm). Look at these slices."
    )
    return Finding("gap-bridged", "fail" if limit else "warn", message, share, limit)


def _judge_measures(metrics: CordMetrics, mask: CordMask) -> Iterator[Finding]:
    """Report areas outside the human range, jumps of the area, and low probability where the mask was not bridged."""
    area, probability, is_end = _upwards(metrics, mask.volume)
    is_segmented = ~mask.bridged[mask.volume.data.any((0, 1))]
    # A cord that tapers ends with an area of 0.
    odd = ((area < AREA_RANGE_MM2[0]) & ~is_end) | (area > AREA_RANGE_MM2[1])
    if odd.any():
        too_large = bool(area.max() > AREA_RANGE_MM2[1])
        yield Finding(
            "area-range",
            "fail" if odd.mean() > FAIL_SHARE else "warn",
            f"{int(odd.sum())} of {len(area)} slices have an area outside {AREA_RANGE_MM2[0]:g} to "
            f"{AREA_RANGE_MM2[1]:g} mm² (smallest {Measured(area.min(), AREA_RANGE_MM2[0]):.0f}, "
            f"largest {Measured(area.max(), AREA_RANGE_MM2[1]):.0f}).",
            value=float(area.max() if too_large else area.min()),
            limit=AREA_RANGE_MM2[int(too_large)],
        )
    step = max(1, round(5.0 / mask.volume.grid.zooms[AXIS_IS]))
    if len(area) > step:
        change = np.diff(_diameters_mm([area[:-step], area[step:]]), axis=0)[0]
        change[(change > 0) & is_end[:-step]] = 0
        largest = int(np.abs(change).argmax())
        if np.abs(change[largest]) > JUMP_MM_PER_5MM:
            yield Finding(
                "area-jump",
                "warn",
                f"The area changes from {area[largest]:.0f} to {area[largest + step]:.0f} mm² within {step} "
                f"slice{'s' if step > 1 else ''}. Look at the mask there.",
                value=float(np.abs(change[largest])),
                limit=JUMP_MM_PER_5MM,
            )
    yield from _judge_probability(probability[is_segmented], is_end[is_segmented], mask.volume.grid.zooms[AXIS_IS])


def _judge_probability(
    probability: NDArray[np.float64], is_end: NDArray[np.bool_], thickness_mm: float
) -> Iterator[Finding]:
    """Report low probability; at the lower end of the cord only that its tip is not known well."""
    unsure = probability < LOW_RELATIVE_PROBABILITY
    low = unsure[~is_end]
    if low.mean() > FAIL_SHARE:
        yield Finding(
            "probability-low",
            "warn",
            f"In {int(low.sum())} of {len(low)} slices the network is unsure (mean of its output inside the mask "
            f"below {LOW_RELATIVE_PROBABILITY:g} of the fraction of cord there). Look at the mask.",
            value=float(low.mean()),
            limit=FAIL_SHARE,
        )
    unsure_mm = float(unsure[is_end].sum() * thickness_mm)
    if unsure_mm >= UNSURE_END_MM:
        message = (
            f"Where the cord tapers, the network is unsure in {Measured(unsure_mm, UNSURE_END_MM):.0f} mm. The mask "
            "may go on into the roots below the conus: look at its lower end before you use it."
        )
        yield Finding("end-unsure", "info", message, unsure_mm, UNSURE_END_MM)


def _diameters_mm(area_mm2: ArrayLike) -> NDArray[np.float64]:
    """Return the diameters of discs."""
    return np.asarray(2 * np.sqrt(np.asarray(area_mm2, np.float64) / np.pi))


def _upwards(metrics: CordMetrics, mask: Volume) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return area, probability relative to the best possible, and whether the cord tapers, upwards over its slices."""
    columns = metrics.columns()
    present = np.isfinite(columns["area_mm2"])
    rows = np.flatnonzero(present)
    if columns["z_mm"][rows[0]] > columns["z_mm"][rows[-1]]:
        rows = rows[::-1]
    slices = np.flatnonzero(mask.data.any((0, 1)))
    best = [best_certainty(mask.data[..., k] > 0, mask.grid.zooms)[1] for k in slices]
    probability = columns["probability_mean"][rows] / np.array(best)
    return columns["area_mm2"][rows], probability, lower_end(mask)[slices]


def judge_uncertain_ends(centerline: Centerline, mask: CordMask) -> tuple[Centerline, tuple[Finding, ...]]:
    """Cut a centerline, which runs through slices with and without cord, to the slices between which there is mask.

    Parameters
    ----------
    centerline : Centerline
        Course through all slices.
    mask : CordMask
        A mask that is not empty.

    Returns
    -------
    centerline : Centerline
        Its part between the first and the last slice with mask.
    findings : tuple of Finding
        ``ends-unknown`` if enough slices were cut: whether they show a cord, the tracing cannot tell.
    """
    present = np.flatnonzero(mask.volume.data.any((0, 1)))
    keep = (centerline.k >= present[0]) & (centerline.k <= present[-1])
    n_cut = int((~keep).sum())
    cut = replace(centerline, ij=centerline.ij[keep], k=centerline.k[keep], heat=centerline.heat[keep])
    if n_cut * mask.volume.grid.zooms[AXIS_IS] < MISSING_LENGTH_MM:
        return cut, ()
    message = (
        f"{n_cut} of {len(keep)} slices at the ends have no mask, and a centerline without detection network cannot "
        "tell whether they show a cord. Look at where the mask begins and ends."
    )
    return cut, (Finding("ends-unknown", "warn", message),)


def slices_to_look_at(morph: Mapping[str, NDArray[np.float64]], thickness_mm: float) -> dict[int, str]:
    """Return the slices with an unusual measure and the reason.

    Parameters
    ----------
    morph : mapping of str to (K,) array
        Measures per slice, NaN without mask; columns that are absent are not judged.
    thickness_mm : float
        Distance of the slices.

    Returns
    -------
    dict of int to str
        Slice number and a few words.
    """
    if "slice" not in morph or "area_mm2" not in morph:
        return {}
    slices, area = morph["slice"].astype(int), morph["area_mm2"]
    reasons: dict[int, list[str]] = {}

    def note(chosen: NDArray[np.bool_], words: str) -> None:
        for number in slices[chosen]:
            reasons.setdefault(int(number), []).append(words)

    with np.errstate(invalid="ignore"):
        note(area < AREA_RANGE_MM2[0], "small area")
        note(area > AREA_RANGE_MM2[1], "large area")
        note(_jumps(area, max(1, round(5.0 / thickness_mm))), "area jumps")
        if "probability_mean" in morph:
            note(morph["probability_mean"] < LOW_PROBABILITY, "network unsure")
    note(_holes(area), "no mask")
    return {number: ", ".join(words) for number, words in reasons.items()}


def _jumps(area: NDArray[np.float64], step: int) -> NDArray[np.bool_]:
    """Tell, for each slice, whether the area changes too much from it over ``step`` slices."""
    jumps = np.zeros(len(area), bool)
    if len(area) > step:
        diameter = _diameters_mm(area)
        change = np.abs(diameter[step:] - diameter[:-step]) > JUMP_MM_PER_5MM
        jumps[step:] |= change
        jumps[:-step] |= change
    return jumps


def _holes(area: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which slices without mask lie between slices with one."""
    present = np.flatnonzero(np.isfinite(area))
    holes = np.zeros(len(area), bool)
    if len(present):
        holes[present[0] : present[-1]] = True
        holes[present] = False
    return holes
