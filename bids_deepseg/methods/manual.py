"""Make the result of an image from a mask that a person drew: measured and judged, never changed."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

import numpy as np

from bids_deepseg.errors import error_context
from bids_deepseg.geometry.volume import Volume, to_canonical
from bids_deepseg.judge.slices import judge
from bids_deepseg.methods.method import Method
from bids_deepseg.stages.findings import Finding
from bids_deepseg.stages.given_centerline import centerline_from_points
from bids_deepseg.stages.mask import raw_mask
from bids_deepseg.stages.metrics import CordMetrics, measure_cord
from bids_deepseg.stages.segmentation import Guide, Observer, Segmentation, on_native_grid


def result_of_mask(mask: Volume, facts: Mapping[str, str]) -> Segmentation:
    """Measure and judge a mask that was drawn by hand.

    The centerline runs through the centres of mass of the slices. There is no probability: the column
    ``probability_mean`` is empty, and the probability of the result is that of the mask, 0 or 1. What the judge finds
    is reported, but the verdict is ``warn`` at worst, since a person has corrected the mask already.

    Parameters
    ----------
    mask : Volume
        uint8 mask on the native grid of the image.
    facts : mapping of str to str
        From :meth:`bids_deepseg.bids.source.corrections.Correction.facts`.
    """
    canonical = to_canonical(mask)
    certain = Volume(canonical.data.astype(np.float32), canonical.grid)
    with error_context(stage="mask"):
        cord = raw_mask(certain, threshold=0.5)
        present = np.flatnonzero(canonical.data.any((0, 1)))
        centres = [[*np.argwhere(canonical.data[..., k]).mean(0), k] for k in present]
        course = centerline_from_points(canonical.grid.voxel_to_world(centres), canonical.grid)
    with error_context(stage="metrics"):
        measured = measure_cord(cord.volume, certain, mask.grid).columns()
        unknown = np.full(len(measured["slice"]), np.nan)
        metrics = CordMetrics(MappingProxyType(measured | {"probability_mean": unknown}))
    found = (replace(one, severity="warn") if one.severity == "fail" else one for one in judge(course, cord, metrics))
    findings = (Finding("manual", "info", _who(facts)), *found)
    return on_native_grid(mask.grid, certain, cord.volume, centerline=course, metrics=metrics, findings=findings)


def _who(facts: Mapping[str, str]) -> str:
    """Tell who drew the mask and when, as far as it is known."""
    author = f" by {facts['Author']}" if "Author" in facts else ""
    date = f" ({facts['Date']})" if "Date" in facts else ""
    return f"The mask was corrected by hand{author}{date}: {facts['File']}."


def _take_drawn(_volume: Volume, guide: Guide, _observer: Observer) -> Segmentation:
    """Return the result of the mask that the guide holds."""
    if guide.drawn is None:
        raise ValueError("There is no mask that was drawn by hand.")
    return result_of_mask(guide.drawn.mask, guide.drawn.facts)


#: Entry in the table of methods, chosen for an image by a mask that a person drew of it.
METHOD = Method(
    identify=lambda _settings, _contrast: (),
    load=lambda _settings: lambda _contrast: _take_drawn,
    is_rescued=False,
    has_probability=False,
)
