"""Segment one image: the whole method on one screen."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bids_deepseg.errors import UsageError, error_context
from bids_deepseg.geometry.volume import Volume, reorient_onto
from bids_deepseg.judge import Evidence, judge_evidence
from bids_deepseg.judge.coverage import judge_uncertain_ends
from bids_deepseg.methods.optic.centerline import svm_centerline
from bids_deepseg.networks.ensemble import with_ensemble
from bids_deepseg.networks.loading import Models, StructureModel
from bids_deepseg.networks.specs import ModelIdentity
from bids_deepseg.networks.view import with_view
from bids_deepseg.options.settings import Guide, MethodSettings
from bids_deepseg.rescue.search import Try
from bids_deepseg.stages.border import find_border, move
from bids_deepseg.stages.canonical import to_canonical
from bids_deepseg.stages.centerline import DEFAULT_SMOOTHNESS, Centerline, centerline_mask, trace_centerline
from bids_deepseg.stages.findings import Finding, Verdict, verdict_of
from bids_deepseg.stages.given_centerline import centerline_from_points
from bids_deepseg.stages.heatmap import Heatmap, detect_cord
from bids_deepseg.stages.intensity import standardiser
from bids_deepseg.stages.mask import CordMask, clean_mask, probability_on, raw_mask
from bids_deepseg.stages.metrics import CordMetrics, measure_cord
from bids_deepseg.stages.patches import extract_patches
from bids_deepseg.stages.probability import ask_network, sharpen
from bids_deepseg.stages.structure import Structure
from bids_deepseg.structures.find import find_structure

_DEFAULT = MethodSettings()
_UNGUIDED = Guide()

#: Receives the name and the result of each stage.
Observer = Callable[[str, Any], None]

__all__ = ["Guide", "MethodSettings", "Models", "Segmentation", "Try", "segment"]


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """The result for one image, on its native grid.

    Attributes
    ----------
    probability : Volume
        float32 probability of cord in [0, 1], calibrated.
    mask : Volume
        uint8, 1 in the cord.
    centerline : Centerline
        Course of the cord; its coordinates in mm are ``centerline.xyz``.
    centerline_mask : Volume
        uint8, one voxel per slice of the centerline.
    metrics : CordMetrics
        Measures per slice.
    findings : tuple of Finding
        What speaks against the result, that of the structure included.
    structure : Structure or None
        What the task found inside of the cord.
    score : float
        How much speaks for the result by the judge, in [0, 1]: the order among results of the same verdict.
    tries : tuple of Try
        Methods that were tried, where the first one was not content to the judge; empty if none but it.
    models : tuple of ModelIdentity
        Models of the result, where they are others than the settings ask for; empty if they are these.
    """

    probability: Volume
    mask: Volume
    centerline: Centerline
    centerline_mask: Volume
    metrics: CordMetrics
    findings: tuple[Finding, ...]
    structure: Structure | None = None
    score: float = 1.0
    tries: tuple[Try, ...] = ()
    models: tuple[ModelIdentity, ...] = ()

    def __post_init__(self) -> None:
        grids = (self.probability.grid, self.mask.grid, self.centerline_mask.grid)
        if any(grid is not grids[0] for grid in grids):
            raise ValueError("Probability, mask and centerline must share the native grid.")
        if self.mask.data.max() > 1 or self.probability.data.min() < 0 or self.probability.data.max() > 1:
            raise ValueError("The mask must hold 0 and 1 and the probability values in [0, 1].")

    @property
    def verdict(self) -> Verdict:
        """Worst severity of the findings: pass, warn or fail."""
        return verdict_of(self.findings)


def segment(
    volume: Volume,
    models: Models,
    *,
    settings: MethodSettings = _DEFAULT,
    guide: Guide = _UNGUIDED,
    observer: Observer | None = None,
) -> Segmentation:
    """Segment the spinal cord in one image.

    Parameters
    ----------
    volume : Volume
        float32 image, any orientation, pixel size and number of slices.
    models : Models
        The models that the settings ask for.
    settings : MethodSettings, optional
        How the image is segmented.
    guide : Guide, optional
        What is known of the image beside its voxels.
    observer : callable, optional
        Called as ``observer(stage_name, result)`` after each stage.

    Returns
    -------
    Segmentation
        Results on the grid of ``volume``.

    Raises
    ------
    CordNotFoundError
        If no slice shows a cord.
    EmptyMaskError
        If a cord was found but no voxel reaches the threshold.
    UsageError
        If the settings ask for a centerline from a file and none was given.
    """
    notify = observer or (lambda _name, _result: None)
    if settings.ensemble:
        models = with_ensemble(models)
    if settings.view != 1:
        models = with_view(models, settings.view)
    spec = models.segmenter
    with error_context(stage="canonical"):
        canonical = to_canonical(volume)
        notify("canonical", canonical)
    centerline, heatmap = find_centerline(canonical, models, settings=settings, guide=guide, notify=notify)
    with error_context(stage="patches"):
        patches = extract_patches(canonical, centerline, patch_shape=spec.patch_shape, zoom_mm=spec.zoom_mm)
        notify("patches", patches)
    with error_context(stage="probability"):
        scale = standardiser(patches.values[patches.valid], models.segmenter_scale)
        answers = ask_network(
            patches, spec, standardise=scale, look_twice=models.knows_inverted, in_stacks=settings.kernel == "3d"
        )
        fraction = probability_on(answers.probability, canonical.grid)
        spread = probability_on(answers.spread, canonical.grid)
        notify("probability", fraction)
    with error_context(stage="mask"):
        mask = make_mask(fraction, centerline, models, settings)
        if settings.border == "image":
            shift = find_border(canonical, fraction, mask.volume, threshold=spec.threshold)
            notify("border", shift)
            fraction, spread = move(fraction, shift), move(spread, shift)
            mask = make_mask(fraction, centerline, models, settings)
        notify("mask", mask)
    with error_context(stage="metrics"):
        metrics = measure_cord(mask.volume, fraction, volume.grid)
        notify("metrics", metrics)
    # A method without a rule for slices without cord cannot say where the cord ends.
    course, notes = judge_uncertain_ends(centerline, mask) if settings.centerline == "svm" else (centerline, ())
    evidence = Evidence(
        *(canonical, mask, fraction, course, metrics, heatmap, spread),
        inverted=answers.inverted,
        threshold=fraction_threshold(models, settings),
    )
    judgement = judge_evidence(evidence)
    return Segmentation(
        probability=reorient_onto(calibrated(fraction, models), volume.grid),
        mask=reorient_onto(mask.volume, volume.grid),
        centerline=course,
        centerline_mask=reorient_onto(centerline_mask(course, canonical.grid), volume.grid),
        metrics=metrics,
        findings=(*notes, *judgement.findings),
        score=judgement.score,
    )


def find_centerline(
    canonical: Volume, models: Models, *, settings: MethodSettings, guide: Guide, notify: Observer
) -> tuple[Centerline, Heatmap | None]:
    """Find the centerline in the way that the settings ask for; parameters and errors as for :func:`segment`.

    Returns
    -------
    centerline : Centerline
        The course of the cord.
    heatmap : Heatmap or None
        What the detection network saw, if it was asked.
    """
    heatmap: Heatmap | None = None
    if settings.centerline == "svm":
        with error_context(stage="centerline"):
            if models.linear is None:
                raise ValueError("The models hold no linear detector.")
            centerline = svm_centerline(canonical, models.linear)
    elif settings.centerline in ("file", "viewer"):
        with error_context(stage="centerline"):
            if guide.points_mm is None:
                raise UsageError("No centerline was given. Give its file with --centerline-file.")
            centerline = centerline_from_points(guide.points_mm, canonical.grid)
    else:
        with error_context(stage="heatmap"):
            if models.detector is None:
                raise ValueError("The models hold no detection network.")
            scale = standardiser(canonical.data, models.detector_scale)
            heatmap = detect_cord(canonical, models.detector, standardise=scale)
            notify("heatmap", heatmap)
        with error_context(stage="centerline"):
            smoothness = DEFAULT_SMOOTHNESS if settings.smoothness is None else settings.smoothness
            centerline = trace_centerline(heatmap, smoothness=smoothness, only_cord=settings.brain == "no")
    notify("centerline", centerline)
    return centerline, heatmap


def make_mask(fraction: Volume, centerline: Centerline, models: Models, settings: MethodSettings) -> CordMask:
    """Threshold the network's answer, and clean the mask up unless the settings ask for a soft result."""
    threshold = fraction_threshold(models, settings)
    if settings.is_soft:
        return raw_mask(fraction, threshold=threshold)
    return clean_mask(fraction, centerline, threshold=threshold)


def fraction_threshold(models: Models, settings: MethodSettings) -> float:
    """Return the answer of the network whose calibrated probability is the threshold that the settings ask for."""
    if not isinstance(settings.threshold, float):
        return models.segmenter.threshold
    return float(sharpen(np.array(settings.threshold), 1 / models.odds_exponent))


def calibrated(fraction: Volume, models: Models) -> Volume:
    """Turn the network's answer, the fraction of cord in a voxel, into the probability that a rater marks it."""
    return Volume(sharpen(fraction.data, models.odds_exponent), fraction.grid)


def add_structure(
    volume: Volume,
    segmentation: Segmentation,
    model: StructureModel,
    task: str,
    *,
    observer: Observer | None = None,
) -> Segmentation:
    """Find what a task asks for inside of the cord that was segmented, by whatever method.

    Parameters
    ----------
    volume : Volume
        float32 image.
    segmentation : Segmentation
        Its cord.
    model : StructureModel
        Network of the task.
    task : str
        Key of :data:`bids_deepseg.structures.tasks.TASKS`.
    observer : callable, optional
        Called as for :func:`segment`.

    Returns
    -------
    Segmentation
        The same one with the structure, whose findings count in the verdict.
    """
    with error_context(stage="structure"):
        structure = find_structure(task, volume, segmentation.mask, segmentation.metrics, model)
        if observer is not None:
            observer("structure", structure)
    return replace(segmentation, structure=structure, findings=(*segmentation.findings, *structure.findings))
