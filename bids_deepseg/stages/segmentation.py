"""Hold what is known of one image and the result for it, which is assembled on the native grid."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume, reorient_onto
from bids_deepseg.networks.specs import ModelIdentity
from bids_deepseg.stages.centerline import Centerline, centerline_mask
from bids_deepseg.stages.extent import Extent
from bids_deepseg.stages.findings import Finding, Verdict, verdict_of
from bids_deepseg.stages.heatmap import Heatmap
from bids_deepseg.stages.metrics import CordMetrics
from bids_deepseg.stages.structure import Structure


@dataclass(frozen=True, slots=True, eq=False)
class DrawnMask:
    """A mask of the cord that a person drew.

    Attributes
    ----------
    mask : Volume
        uint8 mask on the native grid of the image.
    facts : mapping of str to str
        ``File``, and ``Author`` and ``Date`` as far as they are known.
    """

    mask: Volume
    facts: Mapping[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """What is known of one image besides its voxels.

    Attributes
    ----------
    contrast : str or None
        t1, t2, t2s or dwi; None if unknown. Only methods with models per contrast need it.
    points_mm : (N, 3) float array or None
        Points of a given centerline in RAS+ mm.
    drawn : DrawnMask or None
        Mask that a person drew of this image; nothing else is to be its result then.
    heatmap : Heatmap or None
        What the detection network answered to this image before; it is not asked again.
    """

    contrast: str | None = None
    points_mm: NDArray[np.float64] | None = None
    drawn: DrawnMask | None = None
    heatmap: Heatmap | None = None


#: Receives the name and the result of each stage.
Observer = Callable[[str, object], None]


@dataclass(frozen=True, slots=True)
class Try:
    """One method and what came of it.

    Attributes
    ----------
    name : str
        The method.
    verdict : str
        pass, warn or fail, or the status of the error that ended it, such as ``cord-not-found``.
    score : float or None
        That of the judge; None without result.
    reasons : tuple of str
        Codes of what spoke against it, or the message of the error.
    kept : bool
        Whether this is the result.
    extent : Extent
        How far its mask reached, for a small picture; empty without a mask.
    """

    name: str
    verdict: str
    score: float | None
    reasons: tuple[str, ...]
    kept: bool = False
    extent: Extent = ()


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
        What the task found inside the cord.
    score : float
        How much speaks for the result by the judge, in [0, 1]: the order among results of the same verdict.
    tries : tuple of Try
        Methods that were tried, where the first one was not content to the judge; empty if none but it.
    models : tuple of ModelIdentity
        Models of the result, where they are others than the settings ask for; empty if they are these.
    heatmap : Heatmap or None
        What the detection network saw; None where it was not asked for the centerline.
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
    heatmap: Heatmap | None = None

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


def on_native_grid(
    native: Grid,
    probability: Volume,
    mask: Volume,
    *,
    centerline: Centerline,
    metrics: CordMetrics,
    findings: Iterable[Finding],
    score: float = 1.0,
) -> Segmentation:
    """Turn what a method found, on the image's voxels with canonical axes, back to the axes of the image.

    Parameters
    ----------
    native : Grid
        Grid of the image.
    probability, mask, centerline, metrics, findings, score
        As in :class:`Segmentation`; the first two on canonical axes, the centerline on a grid with the same slices.
    """
    line = reorient_onto(centerline_mask(centerline, mask.grid), native)
    probability, mask = reorient_onto(probability, native), reorient_onto(mask, native)
    return Segmentation(probability, mask, centerline, line, metrics, tuple(findings), score=score)
