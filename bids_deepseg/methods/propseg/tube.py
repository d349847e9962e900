"""Hold the tube: one ring per slice."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Tube:
    """The border of the cord in K slices.

    Attributes
    ----------
    slices : (K,) int array
        Slices of the image, consecutive.
    centres_mm : (K, 2) array
        Origin of the rays, voxel index times voxel size.
    radii : (K, N_RAYS) array
        Distance of the border from it in mm (:mod:`.rings`).
    edge : (K,) array
        Mean bounded gradient across the border, 1 at most.
    agreement : (K,) array
        Share of the rays on which it has the right sign.
    """

    slices: NDArray[np.intp]
    centres_mm: Array
    radii: Array
    edge: Array
    agreement: Array

    def part(self, first: int, last: int) -> "Tube":
        """Return the rings from the first to the last, both included."""
        kept = slice(first, last + 1)
        return Tube(self.slices[kept], self.centres_mm[kept], self.radii[kept], self.edge[kept], self.agreement[kept])
