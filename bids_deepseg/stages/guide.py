"""Hold what is known of one image beside its voxels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """What is known of one image beside its voxels.

    Attributes
    ----------
    contrast : str or None
        t1, t2, t2s or dwi; None if unknown. Only methods with models per contrast need it.
    points_mm : (N, 3) float array or None
        Points of a given centerline in RAS+ mm.
    """

    contrast: str | None = None
    points_mm: NDArray[np.float64] | None = None
