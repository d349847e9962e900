"""Segment one image: the whole method on one screen."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from bids_deepseg.errors import error_context
from bids_deepseg.geometry.volume import Volume, to_canonical
from bids_deepseg.judge import Evidence, judge_evidence
from bids_deepseg.judge.slices import judge_uncertain_ends
from bids_deepseg.methods.centerlines import CENTERLINES
from bids_deepseg.methods.method import Method, Segmenter
from bids_deepseg.methods.models import identify_models, load_all
from bids_deepseg.networks.predictor import Models, StructureModel
from bids_deepseg.networks.variants import with_variants
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.stages.border import find_border, move
from bids_deepseg.stages.findings import Finding
from bids_deepseg.stages.intensity import standardiser
from bids_deepseg.stages.mask import clean_mask, make_mask, probability_on
from bids_deepseg.stages.metrics import measure_cord
from bids_deepseg.stages.patches import extract_patches
from bids_deepseg.stages.probability import ask_network, sharpen
from bids_deepseg.stages.segmentation import Guide, Observer, Segmentation, on_native_grid
from bids_deepseg.structures.find import find_structure

_DEFAULT = MethodSettings()
_UNGUIDED = Guide()


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
        What is known of the image besides its voxels.
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
    models = with_variants(models, ensemble=settings.ensemble, view=settings.view)
    spec = models.segmenter
    with error_context(stage="canonical"):
        canonical = to_canonical(volume)
        notify("canonical", canonical)
    way = CENTERLINES[settings.centerline]
    centerline, heatmap = way.find(canonical, models, settings, guide, notify)
    notify("centerline", centerline)
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
        threshold = _fraction_threshold(models, settings)
        if settings.border == "image":
            # The cord by the network's own threshold: the border does not depend on what the settings make of the map.
            cord = clean_mask(fraction, centerline, threshold=spec.threshold)
            shift = find_border(canonical, fraction, cord.volume, threshold=spec.threshold)
            notify("border", shift)
            fraction, spread = move(fraction, shift), move(spread, shift)
        mask = make_mask(fraction, centerline, threshold=threshold, is_soft=settings.is_soft)
        notify("mask", mask)
    with error_context(stage="metrics"):
        metrics = measure_cord(mask.volume, fraction, volume.grid)
        notify("metrics", metrics)
    course, notes = (centerline, ()) if way.knows_ends else judge_uncertain_ends(centerline, mask)
    evidence = Evidence(
        *(canonical, mask, fraction, course, metrics, heatmap, spread),
        inverted=answers.inverted,
        threshold=threshold,
    )
    judgement = judge_evidence(evidence)
    found = on_native_grid(
        *(volume.grid, calibrated(fraction, models), mask.volume),
        centerline=course,
        metrics=metrics,
        findings=(*notes, *judgement.findings),
        score=judgement.score,
    )
    return replace(found, heatmap=heatmap)


def _fraction_threshold(models: Models, settings: MethodSettings) -> float:
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
    """Find what a task asks for inside the cord that was segmented, by any method.

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


def with_models(settings: MethodSettings, models: Models) -> Segmenter:
    """Return the default method with its models."""

    def run(volume: Volume, guide: Guide, observer: Observer) -> Segmentation:
        found = segment(volume, models, settings=settings, guide=guide, observer=observer)
        if settings.weights == "own" or models.segmenter_scale is not None:
            return found
        message = (
            "The folder of published networks has no 2D segmentation network of this contrast, so that of this package "
            "gave the probability."
        )
        return replace(found, findings=(*found.findings, Finding("segmentation-own", "info", message)))

    return run


def _load(settings: MethodSettings) -> Callable[[str | None], Segmenter]:
    """Load the models of all contrasts; imports Keras."""
    models_of = load_all(settings)
    return lambda contrast: with_models(settings, models_of(contrast))


#: Entry in the table of methods.
METHOD = Method(identify_models, _load, has_heatmap=True)
