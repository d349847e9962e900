"""Run PropSeg on the images of the app, and have its tubes judged by the segmentation network."""

import hashlib
from collections.abc import Callable

from bids_deepseg.errors import UsageError, error_context
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.judge import Evidence, judge_evidence
from bids_deepseg.methods.method import Method, Segmenter
from bids_deepseg.methods.propseg.parameters import PropsegParameters
from bids_deepseg.methods.propseg.segment import PropsegResult, segment_propseg
from bids_deepseg.networks.loading import load_own
from bids_deepseg.networks.predictor import Predictor
from bids_deepseg.networks.specs import KnownModel, ModelIdentity, checked_spec
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.stages.canonical import to_canonical
from bids_deepseg.stages.given_centerline import centerline_from_points
from bids_deepseg.stages.guide import Guide
from bids_deepseg.stages.mask import CordMask, make_mask, probability_on
from bids_deepseg.stages.metrics import measure_cord
from bids_deepseg.stages.patches import extract_patches
from bids_deepseg.stages.probability import predict_with_spread
from bids_deepseg.stages.segmentation import Observer, Segmentation, on_native_grid

#: Share of a voxel inside the tube from which it is cord.
_HALF = 0.5

#: Contrasts in which the fluid is brighter than the cord (spec of the reference method, 5.1).
_BRIGHT_FLUID = {"t1": False, "t2": True, "t2s": True, "dwi": False}


def identify_propseg(_settings: MethodSettings, _contrast: str | None) -> tuple[ModelIdentity, ...]:
    """Describe the network that judges, and the parameters of the tube, whose share of a voxel is thresholded."""
    judge = checked_spec("segmentation")
    parameters = hashlib.sha256(repr(PropsegParameters()).encode()).hexdigest()
    return judge, KnownModel("propseg", "any", _HALF, parameters)


def load_propseg(settings: MethodSettings) -> Callable[[str | None], Segmenter]:
    """Load the network that judges, whatever the contrast; imports TensorFlow."""
    network = load_own("segmentation")
    return lambda _contrast: lambda volume, guide, observer: run_propseg(volume, network, settings, guide, observer)


def run_propseg(
    volume: Volume, network: Predictor, settings: MethodSettings, guide: Guide, observer: Observer
) -> Segmentation:
    """Segment one image with a tube, along a given centerline if there is one.

    Parameters
    ----------
    volume : Volume
        float32 image.
    network : Predictor
        Segmentation network, which judges the tube.
    settings : MethodSettings
        Threshold of the share of a voxel, and whether the mask is left as it is.
    guide : Guide
        Contrast, and points of a given centerline.
    observer : callable
        Called after each stage.

    Raises
    ------
    UsageError
        If the contrast is unknown.
    CordNotFoundError
        If no tube grows.
    """
    if guide.contrast is None:
        raise UsageError("--method propseg must know whether the fluid is bright. State the contrast with --contrast.")
    with error_context(stage="canonical"):
        canonical = to_canonical(volume)
        observer("canonical", canonical)
    with error_context(stage="propseg"):
        given = None if guide.points_mm is None else centerline_from_points(guide.points_mm, canonical.grid)
        tube = segment_propseg(canonical, bright_fluid=_BRIGHT_FLUID[guide.contrast], centerline=given)
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
        observer("judge", judgement)
    return on_native_grid(
        *(volume.grid, tube.coverage, mask.volume),
        centerline=tube.centerline,
        metrics=metrics,
        findings=judgement.findings,
        score=judgement.score,
    )


def _seen_by_network(
    volume: Volume, canonical: Volume, tube: PropsegResult, mask: CordMask, network: Predictor
) -> Evidence:
    """Return what the network sees along the tube: a tube is always sure of itself, and cannot be its own judge."""
    patches = extract_patches(canonical, tube.centerline, patch_shape=network.patch_shape, zoom_mm=network.zoom_mm)
    probability, spread = (probability_on(each, canonical.grid) for each in predict_with_spread(patches, network))
    metrics = measure_cord(mask.volume, probability, volume.grid)
    return Evidence(canonical, mask, probability, tube.centerline, metrics, spread=spread, threshold=network.threshold)


#: Entry in the table of methods.
METHOD = Method(identify_propseg, load_propseg)
