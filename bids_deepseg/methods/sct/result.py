"""Bring the result to the image's own grid, measure and judge it."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import AXIS_IS, Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.judge import Evidence, judge_evidence
from bids_deepseg.judge.coverage import judge_uncertain_ends
from bids_deepseg.methods.centerlines import CENTERLINES
from bids_deepseg.methods.sct.postprocess import Cleaned
from bids_deepseg.methods.sct.settings import LONGEST_HOLE_MM, SctSettings
from bids_deepseg.stages.findings import Finding
from bids_deepseg.stages.mask import CordMask
from bids_deepseg.stages.segmentation import Segmentation, on_native_grid

#: Findings whose limits hold for probabilities of this package's own networks, which are calibrated around 0.5; the
#: published ones have thresholds from 0.01 to 0.89.
_OWN_NETWORK_FINDINGS = frozenset({"probability-low", "network-unsure", "slices-unsure", "denied", "missed"})


def collect(native: Grid, evidence: Evidence, cleaned: Cleaned, settings: SctSettings) -> Segmentation:
    """Judge the result and turn everything back to the image's own axes.

    Parameters
    ----------
    native : Grid
        Grid of the image.
    evidence : Evidence
        The result on canonical axes.
    cleaned : Cleaned
        What was done to the mask.
    settings : SctSettings
        Settings.
    """
    notes: tuple[Finding, ...] = ()
    course = evidence.centerline
    if not CENTERLINES[settings.centerline].knows_ends:
        course, notes = judge_uncertain_ends(evidence.centerline, evidence.mask)
    judged = judge_evidence(replace(evidence, centerline=course))
    found = (*notes, *judged.findings, *_own_findings(cleaned, settings))
    return on_native_grid(
        *(native, evidence.probability, evidence.mask.volume),
        centerline=course,
        metrics=evidence.metrics,
        findings=(finding for finding in found if finding.code not in _OWN_NETWORK_FINDINGS),
        score=judged.score,
    )


def cord_mask(mask: Volume, cleaned: Cleaned) -> CordMask:
    """Return the mask and what was done to it in the words of the judge."""
    return CordMask(mask, cleaned.filled, _count_gaps(mask), 0)


def _own_findings(cleaned: Cleaned, settings: SctSettings) -> Iterator[Finding]:
    """Report what the steps of the reference did, and what was not as asked for."""
    if cleaned.removed.any():
        yield Finding(
            "ends-removed",
            "info",
            f"{int(cleaned.removed.sum())} slices at the ends, with a small area or small objects only, were removed.",
        )
    if settings.kernel != settings.used_kernel:
        yield Finding(
            "kernel-2d",
            "warn",
            "There is no 3D network for dwi: the 2D one was used, as in the reference. Give --kernel 2d.",
        )


def _count_gaps(mask: Volume) -> int:
    """Return the number of runs of empty slices between others that are too long to be filled."""
    present = np.flatnonzero(mask.data.any((0, 1)))
    lengths: NDArray[np.intp] = np.diff(present) - 1
    return int(((lengths > 0) & ((lengths + 1) * mask.grid.zooms[AXIS_IS] >= LONGEST_HOLE_MM)).sum())
