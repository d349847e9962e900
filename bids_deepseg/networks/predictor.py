"""State what a stage expects of a network; tests use simple functions in its place."""

from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray


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
