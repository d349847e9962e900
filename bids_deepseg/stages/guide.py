"""Hold what is known of one image besides its voxels."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.heatmap import Heatmap


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
