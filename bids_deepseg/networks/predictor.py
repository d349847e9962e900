"""State what a stage expects of a network; tests use simple functions in its place."""

from dataclasses import dataclass
from functools import cache
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bids_deepseg.networks.specs import read_spec


class Network(Protocol):
    """What is used of a Keras network once it has its weights."""

    def predict_on_batch(self, x: NDArray[np.float32], /) -> ArrayLike:
        """Map a batch ``(N, ..., 1)`` to answers of the same shape."""
        ...


class Predictor(Protocol):
    """A function from standardised patches to probabilities, with the patches' shape and pixel size."""

    @property
    def patch_shape(self) -> tuple[int, int]:
        """Pixels of a patch along i and j."""
        ...

    @property
    def zoom_mm(self) -> float:
        """In-plane pixel size of a patch in mm."""
        ...

    @property
    def threshold(self) -> float:
        """Probability from which a pixel counts as cord."""
        ...

    def predict(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map standardised patches (N, H, W) to probabilities (N, H, W) in [0, 1]."""
        ...


class ScaledPredictor(Protocol):
    """A network that brings values of 0..255 to its own scale; a published network is one."""

    @property
    def patch_shape(self) -> tuple[int, ...]:
        """Voxels of a patch: two numbers, three for a 3D network."""
        ...

    @property
    def threshold(self) -> float:
        """Probability above which the reference keeps a voxel."""
        ...

    def standardise(self, values: NDArray[np.floating]) -> NDArray[np.float32]:
        """Bring values to the scale of the network."""
        ...

    def predict(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map standardised patches (N, ...) to probabilities of the same shape."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class StructureModel:
    """A network that finds a structure inside the cord.

    Attributes
    ----------
    predictor : Predictor
        The network.
    name : str
        Its name.
    is_published : bool
        Whether it is one of the published networks, with their rules of intensity and threshold.
    """

    predictor: Predictor
    name: str = ""
    is_published: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Models:
    """The models of one method.

    Attributes
    ----------
    detector : Predictor or None
        Heatmap of the cord's centre; None where the centerline comes from elsewhere.
    segmenter : Predictor
        Probability of cord.
    line_model : object or None
        What a way to the centerline loaded for itself beside the detection network, such as the linear detector of
        OptiC; only that way knows its type.
    detector_scale, segmenter_scale : (float, float) or None
        Mean and standard deviation of the values from 0 to 255 that a published network expects; None for a network of
        this package, which expects each patch standardised by itself.
    knows_inverted : bool
        Whether the segmentation network was trained for any contrast, so that it should say the same of patches with
        bright and dark exchanged.
    odds_exponent : float
        Power of the odds that turns what the segmentation network answers, a fraction of cord, into a probability.
    """

    detector: Predictor | None
    segmenter: Predictor
    line_model: object | None = None
    detector_scale: tuple[float, float] | None = None
    segmenter_scale: tuple[float, float] | None = None
    knows_inverted: bool = False
    odds_exponent: float = 1.0


def load_models() -> Models:
    """Load the package's networks; imports Keras.

    Raises
    ------
    NetworkError
        If weights are missing or changed.
    """
    exponent = read_spec("segmentation").odds_exponent
    return Models(load_own("detection"), load_own("segmentation"), knows_inverted=True, odds_exponent=exponent)


@cache
def load_own(name: str) -> Predictor:
    """Load one of the package's networks, once in each process; imports Keras.

    The other methods that are tried for a doubtful result run the same networks.

    Raises
    ------
    NetworkError
        If its weights are missing or changed.
    """
    from bids_deepseg.networks.keras_predictor import load_predictor  # noqa: PLC0415 - loads Keras, slow

    return load_predictor(read_spec(name))
