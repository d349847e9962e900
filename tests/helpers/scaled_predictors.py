"""Stand-ins for published networks: a function, and a scale of its own."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ScaledFake:
    """A published network made of a function of the standardised patches (N, ...)."""

    function: object
    patch_shape: tuple[int, ...] = (64, 64)
    threshold: float = 0.5
    mean: float = 0.0
    std: float = 1.0

    def standardise(self, values):
        return ((values - self.mean) / self.std).astype(np.float32)

    def predict(self, patches):
        assert patches.shape[1:] == self.patch_shape
        return np.asarray(self.function(patches), np.float32)
