"""Segment one image: the whole method on one screen."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bids_deepseg.errors import error_context
from bids_deepseg.geometry.volume import Volume, reorient_onto
from bids_deepseg.networks.loading import Models
from bids_deepseg.stages.canonical import to_canonical
from bids_deepseg.stages.centerline import Centerline, centerline_mask, trace_centerline
from bids_deepseg.stages.findings import Finding, Verdict, judge, verdict_of
from bids_deepseg.stages.heatmap import detect_cord
from bids_deepseg.stages.mask import clean_mask, probability_on
from bids_deepseg.stages.metrics import CordMetrics, measure_cord
from bids_deepseg.stages.patches import extract_patches
from bids_deepseg.stages.probability import predict_probability

#: Receives the name and the result of each stage.
Observer = Callable[[str, Any], None]

__all__ = ["Models", "Segmentation", "segment"]


@dataclass(frozen=True, slots=True, eq=False)
class Segmentation:
    """The result for one image, on its native grid.

    Attributes
    ----------
    probability : Volume
        float32 probability of cord in [0, 1].
    mask : Volume
        uint8, 1 in the cord.
    centerline : Centerline
        Course of the cord; its coordinates in mm are ``centerline.xyz``.
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


def segment(volume: Volume, models: Models, *, observer: Observer | None = None) -> Segmentation:
    """Segment the spinal cord in one image.

    Parameters
    ----------
    volume : Volume
        float32 image, any orientation, pixel size and number of slices.
    models : Models
        Detection and segmentation network.
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
    """
    notify = observer or (lambda _name, _result: None)
    spec = models.segmenter
    with error_context(stage="canonical"):
        canonical = to_canonical(volume)
        notify("canonical", canonical)
    with error_context(stage="heatmap"):
        heatmap = detect_cord(canonical, models.detector)
        notify("heatmap", heatmap)
    with error_context(stage="centerline"):
        centerline = trace_centerline(heatmap)
        notify("centerline", centerline)
    with error_context(stage="patches"):
        patches = extract_patches(canonical, centerline, patch_shape=spec.patch_shape, zoom_mm=spec.zoom_mm)
        notify("patches", patches)
    with error_context(stage="probability"):
        probability = probability_on(predict_probability(patches, models.segmenter), canonical.grid)
        notify("probability", probability)
    with error_context(stage="mask"):
        mask = clean_mask(probability, centerline, threshold=spec.threshold)
        notify("mask", mask)
    with error_context(stage="metrics"):
        metrics = measure_cord(mask.volume, probability, volume.grid)
        notify("metrics", metrics)
    return Segmentation(
        probability=reorient_onto(probability, volume.grid),
        mask=reorient_onto(mask.volume, volume.grid),
        centerline=centerline,
        centerline_mask=reorient_onto(centerline_mask(centerline, canonical.grid), volume.grid),
        metrics=metrics,
        findings=judge(centerline, mask, metrics),
    )
