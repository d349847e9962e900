"""Say which slices to look at and why, by the limits that also decide the verdict."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.judge.slices import AREA_RANGE_MM2, JUMP_MM_PER_5MM, LOW_PROBABILITY, diameters_mm


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
        diameter = diameters_mm(area)
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
