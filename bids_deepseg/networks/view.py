"""Show a network a wider or a narrower part of the image, so that a large or a small cord looks like a usual one.

Cords widened by a cavity or a tumour, those of children, and images whose header states wrong voxel sizes are outside
of what the networks were trained with. Nothing of the image is changed: masks and measures are those of its own voxels.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.networks.loading import Models
from bids_deepseg.networks.predictor import Predictor


@dataclass(frozen=True, slots=True)
class Widened:
    """A network whose patches have pixels of another size than it was made for.

    Attributes
    ----------
    network : Predictor
        The network.
    factor : float
        Size of a pixel relative to that which the network was made for: above 1 the cord looks smaller.
    """

    network: Predictor
    factor: float

    @property
    def patch_shape(self) -> tuple[int, int]:
        """Pixels of a patch along i and j."""
        return self.network.patch_shape

    @property
    def zoom_mm(self) -> float:
        """In-plane pixel size of a patch in mm."""
        return self.network.zoom_mm * self.factor

    @property
    def threshold(self) -> float:
        """Probability from which a pixel counts as cord."""
        return self.network.threshold

    def predict(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map standardised patches (N, H, W) to probabilities (N, H, W)."""
        return self.network.predict(patches)


def with_view(models: Models, factor: float) -> Models:
    """Show each network a view that is wider by ``factor``."""
    detector = None if models.detector is None else Widened(models.detector, factor)
    return replace(models, detector=detector, segmenter=Widened(models.segmenter, factor))
