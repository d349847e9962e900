"""Look up in the heat of the detection network what it saw at the voxels of an image."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class Heat:
    """What the detection network saw.

    Attributes
    ----------
    values : (I, J, K) float32 array
        Heat in [0, 1] on a grid of its own.
    from_voxel : (4, 4) float array
        Brings voxels of the image, on canonical axes, to that grid.
    """

    values: NDArray[np.float32]
    from_voxel: NDArray[np.float64]

    @classmethod
    def on(cls, heat: Volume, canonical: Grid) -> Self:
        """Return the heat for an image on this grid."""
        return cls(heat.data, np.linalg.inv(heat.grid.affine) @ canonical.affine)

    def at(self, i: NDArray[np.floating], j: NDArray[np.floating], k: int) -> NDArray[np.float32]:
        """Return the heat (rows, columns) at columns ``i`` and rows ``j`` of slice ``k``; 0 beyond its grid."""
        voxels = np.stack(np.broadcast_arrays(i[None, :], j[:, None], float(k), 1.0)).reshape(4, -1)
        places = (self.from_voxel @ voxels)[:3]
        # A slice whose place is rounded out of the grid is still there.
        found = ndimage.map_coordinates(self.values, places, np.float32, order=1, mode="grid-constant")
        return np.asarray(found.reshape(len(j), len(i)), np.float32)
