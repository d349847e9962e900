"""Run PropSeg on the images of the app, and have its tubes judged by the segmentation network."""

import hashlib
from collections.abc import Callable

from bids_deepseg.errors import UsageError, error_context
from bids_deepseg.geometry.volume import Volume, to_canonical
from bids_deepseg.judge import Evidence, judge_evidence
from bids_deepseg.methods.method import Method, Segmenter
from bids_deepseg.methods.optic.model import CONTRASTS, read_own_model
from bids_deepseg.methods.propseg.checks import doubts_of_detector
from bids_deepseg.methods.propseg.course import (
    Course,
    centerline_on,
    course_along,
    course_by_circles,
    course_by_gradients,
)
from bids_deepseg.methods.propseg.parameters import PropsegParameters
from bids_deepseg.methods.propseg.segment import PropsegResult, segment_propseg
from bids_deepseg.networks.predictor import Predictor, load_own
from bids_deepseg.networks.specs import KnownModel, ModelIdentity, checked_spec
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.stages.centerline import trace_centerline
from bids_deepseg.stages.given_centerline import centerline_from_points
from bids_deepseg.stages.heatmap import detect_cord
from bids_deepseg.stages.mask import CordMask, make_mask, probability_on
from bids_deepseg.stages.metrics import measure_cord
from bids_deepseg.stages.patches import extract_patches
from bids_deepseg.stages.probability import ask_network
from bids_deepseg.stages.segmentation import Guide, Observer, Segmentation, on_native_grid

#: Share of a voxel inside the tube from which it is cord.
_HALF = 0.5


def identify_propseg(settings: MethodSettings, _contrast: str | None) -> tuple[ModelIdentity, ...]:
    """Describe what finds the course, the networks that judge, and the tube, whose share of a voxel is thresholded."""
    found: list[ModelIdentity] = []
    if settings.propseg_init == "optic" and settings.centerline == "svm":
        sums = "".join(read_own_model(contrast).sha256 for contrast in CONTRASTS)
        found.append(KnownModel("optic-svm", "any", 0.0, hashlib.sha256(sums.encode()).hexdigest()))
    found += map(checked_spec, ("detection", "segmentation"))
    parameters = hashlib.sha256(repr(PropsegParameters()).encode()).hexdigest()
    return *found, KnownModel("propseg", "any", _HALF, parameters)


def _load_propseg(settings: MethodSettings) -> Callable[[str | None], Segmenter]:
    """Load the networks that judge, whatever the contrast; imports Keras."""
    network, detector = load_own("segmentation"), load_own("detection")
    return lambda _contrast: (
        lambda volume, guide, observer: run_propseg(volume, network, settings, guide, observer, detector)
    )


def run_propseg(
    volume: Volume,
    network: Predictor,
    settings: MethodSettings,
    guide: Guide,
    observer: Observer,
    detector: Predictor | None = None,
) -> Segmentation:
    """Segment one image with a tube, along a given centerline if there is one.

    Parameters
    ----------
    volume : Volume
        float32 image.
    network : Predictor
        Segmentation network, which judges the tube.
    settings : MethodSettings
        Where the course comes from, threshold of the share of a voxel, and whether the mask is left as it is.
    guide : Guide
        Contrast, and points of a given centerline.
    observer : callable
        Called after each stage.
    detector : Predictor, optional
        Detection network, which says whether there is a cord at the tube, and finds the course if it is asked to.

    Raises
    ------
    UsageError
        If the contrast is unknown, or no centerline was given though the settings ask for one.
    CordNotFoundError
        If no tube is found.
    """
    if guide.contrast is None:
        raise UsageError("--method propseg must know whether the fluid is bright. State the contrast with --contrast.")
    with error_context(stage="canonical"):
        canonical = to_canonical(volume)
        observer("canonical", canonical)
    with error_context(stage="centerline"):
        course = _find_course(canonical, settings, guide, detector)
        observer("centerline", course.centerline)
    with error_context(stage="propseg"):
        tube = segment_propseg(canonical, course)
        observer("propseg", tube)
    with error_context(stage="mask"):
        limit = settings.threshold if isinstance(settings.threshold, float) else _HALF
        mask = make_mask(tube.coverage, tube.centerline, threshold=limit, is_soft=settings.is_soft)
        observer("mask", mask)
    with error_context(stage="metrics"):
        # The share of each voxel inside the tube is its probability.
        metrics = measure_cord(mask.volume, tube.coverage, volume.grid)
        observer("metrics", metrics)
    with error_context(stage="judge"):
        evidence = _seen_by_network(volume, canonical, tube, mask, network)
        judgement = judge_evidence(evidence)
        denied = () if detector is None else doubts_of_detector(canonical, tube.centerline, detector)
        observer("judge", judgement)
    return on_native_grid(
        *(volume.grid, tube.coverage, mask.volume),
        centerline=tube.centerline,
        metrics=metrics,
        findings=(*tube.findings, *denied, *judgement.findings),
        score=judgement.score,
    )


def _find_course(canonical: Volume, settings: MethodSettings, guide: Guide, detector: Predictor | None) -> Course:
    """Find the course in the way that the settings ask for."""
    linear = {name: read_own_model(name) for name in CONTRASTS}
    if guide.points_mm is not None:
        given = centerline_from_points(guide.points_mm, canonical.grid)
        return course_along(canonical, given, linear, guide.contrast)
    if settings.centerline in ("file", "viewer"):
        raise UsageError("No centerline was given. Give its file with --centerline-file.")
    if settings.propseg_init == "hough":
        return course_by_circles(canonical, guide.contrast, PropsegParameters())
    if settings.centerline == "cnn":
        if detector is None:
            raise ValueError("--centerline cnn needs the detection network.")
        traced = trace_centerline(detect_cord(canonical, detector))
        return course_along(canonical, centerline_on(traced, canonical.grid), linear, guide.contrast)
    return course_by_gradients(canonical, linear, guide.contrast)


def _seen_by_network(
    volume: Volume, canonical: Volume, tube: PropsegResult, mask: CordMask, network: Predictor
) -> Evidence:
    """Return what the network sees along the tube: a tube is always sure of itself, and cannot be its own judge."""
    patches = extract_patches(canonical, tube.centerline, patch_shape=network.patch_shape, zoom_mm=network.zoom_mm)
    answers = ask_network(patches, network)
    probability, spread = (probability_on(each, canonical.grid) for each in (answers.probability, answers.spread))
    metrics = measure_cord(mask.volume, probability, volume.grid)
    return Evidence(canonical, mask, probability, tube.centerline, metrics, spread=spread, threshold=network.threshold)


#: Entry in the table of methods.
METHOD = Method(identify_propseg, _load_propseg)
