"""Segment one image as the reference method does: all steps on one screen [1.5].

The result is brought to the image's own grid, measured and judged.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import EmptyMaskError, UsageError, error_context
from bids_deepseg.geometry.grid import AXIS_IS, Grid
from bids_deepseg.geometry.resample import resample, working_grid
from bids_deepseg.geometry.volume import Volume, to_canonical
from bids_deepseg.judge import Evidence, judge_evidence
from bids_deepseg.judge.slices import judge_uncertain_ends
from bids_deepseg.methods.centerlines import CENTERLINES
from bids_deepseg.methods.sct.centerlines import (
    FoundCourse,
    course_by_scan,
    course_by_svm,
    course_of_mask,
    course_of_points,
    to_centerline,
)
from bids_deepseg.methods.sct.networks import SctNetworks, predict_isotropic, predict_slices, scale_to_byte
from bids_deepseg.methods.sct.postprocess import Cleaned, clean_slices, clean_volume
from bids_deepseg.methods.sct.settings import LONGEST_HOLE_MM, NATIVE_THRESHOLD, SctSettings
from bids_deepseg.networks.batches import predict_blocks
from bids_deepseg.stages.crops import Crops, cut_crops, paste_crops
from bids_deepseg.stages.findings import Finding, Measured
from bids_deepseg.stages.mask import CordMask
from bids_deepseg.stages.metrics import measure_cord
from bids_deepseg.stages.segmentation import Observer, Segmentation, on_native_grid

#: Findings whose limits hold for probabilities of this package's own networks, which are calibrated around 0.5; the
#: published ones have thresholds from 0.01 to 0.89.
_OWN_NETWORK_FINDINGS = frozenset({"probability-low", "network-unsure", "slices-unsure", "denied", "missed"})


def segment_sct(
    volume: Volume,
    networks: SctNetworks,
    settings: SctSettings,
    *,
    given: Volume | NDArray[np.float64] | None = None,
    observer: Observer | None = None,
) -> Segmentation:
    """Segment the spinal cord in one image.

    Parameters
    ----------
    volume : Volume
        float32 image in any orientation.
    networks : SctNetworks
        Networks of the settings' contrast and kernel.
    settings : SctSettings
        Settings.
    given : Volume or (N, 3) float array, optional
        Centerline of the ways ``viewer`` and ``file``: an image that is not zero there, or points in RAS+ mm.
    observer : callable, optional
        As for :func:`bids_deepseg.pipeline.segment`.

    Returns
    -------
    Segmentation
        Result on the grid of the image.

    Raises
    ------
    UsageError
        If a centerline is given to a way that finds its own, or is missing.
    CordNotFoundError
        If no cord is found.
    EmptyMaskError
        If nothing is left after a step.
    """
    notify = observer or (lambda _name, _result: None)
    with error_context(stage="canonical"):
        canonical = to_canonical(volume)
        notify("canonical", canonical)
    with error_context(stage="resampled"):
        working = resample(canonical, working_grid(canonical.grid))
        notify("resampled", working)
    with error_context(stage="centerline"):
        found = _find_course(working, canonical, networks, settings, given)
        notify("centerline", found)
    with error_context(stage="patches"):
        crops = cut_crops(working.data, found.course, tuple(networks.segmenter.patch_shape[:2]))
        notify("patches", crops)
    with error_context(stage="probability"):
        answers = _predict(crops, networks, settings, working.grid.zooms[2])
        probability = _to_native(answers, crops, working, canonical)
        notify("probability", probability)
    with error_context(stage="mask"):
        threshold = settings.threshold_of(networks.segmenter.threshold)
        if settings.soft:
            cleaned = clean_volume(probability.data, canonical.grid.zooms, all_quirks=settings.all_quirks)
            probability = Volume(cleaned.data, canonical.grid)
        else:
            once = _to_native(clean_slices(answers, threshold), crops, working, canonical)
            cleaned = _binarise_and_clean(once, threshold, all_quirks=settings.all_quirks)
        limit = threshold if settings.soft else NATIVE_THRESHOLD
        mask = Volume((cleaned.data > limit).astype(np.uint8), canonical.grid)
        _refuse_empty(mask.data, limit, probability)
        notify("mask", mask)
    with error_context(stage="metrics"):
        metrics = measure_cord(mask, probability, volume.grid)
        line, cord = to_centerline(found), _cord_mask(mask, cleaned)
        evidence = Evidence(canonical, cord, probability, line, metrics, threshold=threshold)
        result = collect(volume.grid, evidence, cleaned, settings)
        notify("metrics", result.metrics)
    return replace(result, findings=(*result.findings, *networks.findings))


def _find_course(
    working: Volume,
    canonical: Volume,
    networks: SctNetworks,
    settings: SctSettings,
    given: Volume | NDArray[np.float64] | None,
) -> FoundCourse:
    """Find the cord in the way that the settings name."""
    way = settings.centerline
    if (given is not None) != (way in ("viewer", "file")):
        raise UsageError(
            f"The centerline method is {way!r}, and a centerline was {'not ' if given is None else ''}given. Give one "
            "for 'file' and 'viewer', and none otherwise."
        )
    if isinstance(given, Volume):
        return course_of_mask(given, canonical.grid, all_quirks=settings.all_quirks)
    if given is not None:
        return course_of_points(given, canonical.grid)
    if way == "cnn":
        if networks.detector is None:
            raise ValueError("The way 'cnn' needs the detection network.")
        return course_by_scan(working, networks.detector, networks.optic, settings)
    if networks.optic is None:
        raise ValueError("The way 'svm' needs the linear detector.")
    return course_by_svm(working, networks.optic)


def _predict(crops: Crops, networks: SctNetworks, settings: SctSettings, slice_mm: float) -> NDArray[np.float32]:
    """Scale the windows and run the network; return probabilities (H, W, K)."""
    network = networks.segmenter
    scaled = scale_to_byte(crops.values)
    if len(network.patch_shape) == 2:
        return predict_slices(scaled, crops, network)
    if settings.all_quirks:
        # Q2: the 3D network was trained on voxels of 0.5 mm, and gets the slices as they are.
        return predict_blocks(scaled, network)
    return predict_isotropic(scaled, network, slice_mm=slice_mm)


def _to_native(values: NDArray[np.float32], crops: Crops, working: Volume, canonical: Volume) -> Volume:
    """Paste windows into the working grid and resample to the voxels of the image."""
    pasted = Volume(paste_crops(values, crops, working.grid.shape), working.grid)
    return Volume(np.clip(resample(pasted, canonical.grid).data, 0, 1), canonical.grid)


def _binarise_and_clean(resampled: Volume, threshold: float, *, all_quirks: bool) -> Cleaned:
    """Threshold the resampled mask and clean it as a whole."""
    _refuse_empty(resampled.data, threshold, resampled)
    mask = (resampled.data > NATIVE_THRESHOLD).astype(np.float32)
    _refuse_empty(mask, NATIVE_THRESHOLD, resampled)
    return clean_volume(mask, resampled.grid.zooms, all_quirks=all_quirks)


def _refuse_empty(data: NDArray[np.generic], threshold: float, values: Volume) -> None:
    """Raise an error if nothing is left."""
    if not data.any():
        largest = Measured(values.data.max(), threshold)
        raise EmptyMaskError(
            f"A cord was found, but nothing of it is left above {threshold:g} (largest value: "
            f"{largest:.2f}). Look at the centerline and the contrast, and try a lower --threshold."
        )


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


def _cord_mask(mask: Volume, cleaned: Cleaned) -> CordMask:
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
