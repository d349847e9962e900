"""Ask a network in another way than it was made for: several times about changed patches, or about a wider view.

Cords widened by a cavity or a tumour, those of children, and images whose header states wrong voxel sizes are outside
of what the networks were trained with; a wider or a narrower view lets a large or a small cord look like a usual one.
Nothing of the image is changed: masks and measures are those of its own voxels.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.networks.predictor import Models, Predictor

#: Exponent that bends the brightness of standardised patches.
_EXPONENT = 0.6

#: Enlargement of the patch's middle, by which a cord looks larger or smaller.
_SCALES = (1.2, 0.85)


@dataclass(frozen=True, slots=True)
class Variant:
    """A network that is asked as it is; the variants change one thing.

    Attributes
    ----------
    network : Predictor
        The network.
    """

    network: Predictor

    @property
    def patch_shape(self) -> tuple[int, int]:
        """Pixels of a patch along i and j."""
        return self.network.patch_shape

    @property
    def zoom_mm(self) -> float:
        """In-plane pixel size of a patch in mm."""
        return self.network.zoom_mm

    @property
    def threshold(self) -> float:
        """Probability from which a pixel counts as cord."""
        return self.network.threshold

    def predict(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map standardised patches (N, H, W) to probabilities (N, H, W)."""
        return self.network.predict(patches)


@dataclass(frozen=True, slots=True)
class Ensemble(Variant):
    """A network that is asked about a patch as it is, bent in brightness, enlarged, and made smaller.

    What a network answers to all four hangs less on one appearance of the tissues than a single answer. Mirror images
    and patches with bright and dark exchanged are not among them: the judge asks about these to see whether a network
    contradicts itself.
    """

    def predict(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map standardised patches (N, H, W) to the mean of four answers (N, H, W)."""
        answers = [
            self.network.predict(patches),
            self.network.predict(np.sign(patches) * np.abs(patches) ** np.float32(_EXPONENT)),
            *(_resized(self.network.predict(_resized(patches, scale)), 1 / scale) for scale in _SCALES),
        ]
        return np.asarray(np.mean(answers, axis=0), np.float32)


@dataclass(frozen=True, slots=True)
class Widened(Variant):
    """A network whose patches have pixels of another size than it was made for.

    Attributes
    ----------
    factor : float
        Size of a pixel relative to that which the network was made for: above 1 the cord looks smaller.
    """

    factor: float

    @property
    def zoom_mm(self) -> float:
        """In-plane pixel size of a patch in mm."""
        return self.network.zoom_mm * self.factor


def with_variants(models: Models, *, ensemble: bool = False, view: float = 1.0) -> Models:
    """Let each network be asked several times, or show it a view that is wider by the factor ``view``, or both."""
    if ensemble:
        models = _each(models, Ensemble)
    return models if view == 1 else _each(models, lambda network: Widened(network, view))


def _each(models: Models, vary: Callable[[Predictor], Predictor]) -> Models:
    """Change both networks in one way."""
    detector = None if models.detector is None else vary(models.detector)
    return replace(models, detector=detector, segmenter=vary(models.segmenter))


def _resized(patches: NDArray[np.float32], scale: float) -> NDArray[np.float32]:
    """Enlarge patches about their middle, linearly; what comes in from outside is 0."""
    middle = (np.array(patches.shape[1:]) - 1) / 2
    steps = np.array([1.0, 1 / scale, 1 / scale])
    offset = np.array([0.0, *(middle - middle / scale)])
    moved: NDArray[np.float32] = ndimage.affine_transform(patches, steps, offset, order=1, output=np.float32)
    return moved
