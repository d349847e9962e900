"""Bring the result to the image's own grid, measure and judge it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import AXIS_IS, Grid
from bids_deepseg.geometry.volume import Volume, reorient_onto
from bids_deepseg.methods.sct.postprocess import Cleaned
from bids_deepseg.methods.sct.settings import LONGEST_HOLE_MM, SctSettings
from bids_deepseg.stages.centerline import Centerline, centerline_mask
from bids_deepseg.stages.coverage import judge_uncertain_ends
from bids_deepseg.stages.findings import Finding, judge
from bids_deepseg.stages.mask import CordMask
from bids_deepseg.stages.metrics import CordMetrics, measure_cord

#: Findings whose limits were measured on this package's own network and say nothing about others.
_OWN_NETWORK_FINDINGS = frozenset({"probability-low"})


@dataclass(frozen=True, slots=True, eq=False)
class SctResult:
    """The result for one image, on its native grid, with the fields of :class:`bids_deepseg.pipeline.Segmentation`.

    Attributes
    ----------
    probability : Volume
        float32 probability of cord in [0, 1], 0 outside of the windows; not cleaned unless the result is soft.
    mask : Volume
        uint8, 1 in the cord.
    centerline : Centerline
        Course of the cord on the grid of about 0.5 mm.
    centerline_mask : Volume
        uint8, one voxel per slice of the centerline.
    metrics : CordMetrics
        Measures per slice.
    findings : tuple of Finding
        What speaks against the result.
    """

    probability: Volume
    mask: Volume
    centerline: Centerline
    centerline_mask: Volume
    metrics: CordMetrics
    findings: tuple[Finding, ...]

    def with_findings(self, findings: tuple[Finding, ...]) -> "SctResult":
        """Return the result with further findings."""
        return replace(self, findings=(*self.findings, *findings))


def collect(
    native: Grid, probability: Volume, mask: Volume, cleaned: Cleaned, line: Centerline, settings: SctSettings
) -> SctResult:
    """Measure, judge and turn everything back.

    Parameters
    ----------
    native : Grid
        Grid of the image.
    probability, mask : Volume
        float32 and uint8 on canonical axes.
    cleaned : Cleaned
        What was done to the mask.
    line : Centerline
        Course of the cord.
    settings : SctSettings
        Settings.
    """
    metrics = measure_cord(mask, probability, native)
    cord = CordMask(mask, cleaned.filled, _count_gaps(mask), 0)
    # OptiC's path through all slices cannot say where the cord ends.
    course, notes = judge_uncertain_ends(line, cord) if settings.centerline == "svm" else (line, ())
    found = (*notes, *judge(course, cord, metrics), *_own_findings(cleaned, settings))
    return SctResult(
        reorient_onto(probability, native),
        reorient_onto(mask, native),
        course,
        reorient_onto(centerline_mask(course, mask.grid), native),
        metrics,
        tuple(finding for finding in found if finding.code not in _OWN_NETWORK_FINDINGS),
    )


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
