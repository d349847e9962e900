"""Remember what the networks said, so that a benchmark runs again in minutes."""

import functools
import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.engine import NetworkEngine
from bids_deepseg.methods.method import Segmenter
from bids_deepseg.methods.optic.model import read_own_model
from bids_deepseg.networks.keras_predictor import load_predictor
from bids_deepseg.networks.predictor import Models
from bids_deepseg.networks.specs import ModelSpec, read_spec
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.pipeline import with_models


class NotRememberedError(Exception):
    """Answers that would have to be asked for, where only remembered ones are wanted."""


@dataclass(frozen=True)
class Remembering:
    """A network whose answers are kept in a folder, under the checksums of the network and of the patches.

    The network itself is loaded when it is asked something new.
    """

    spec: ModelSpec
    folder: Path | None
    may_ask: bool = True

    @property
    def patch_shape(self) -> tuple[int, int]:
        """Pixels of a patch."""
        return self.spec.patch_shape

    @property
    def zoom_mm(self) -> float:
        """Pixel size."""
        return self.spec.zoom_mm

    @property
    def threshold(self) -> float:
        """Probability from which a pixel counts as cord."""
        return self.spec.threshold

    def predict(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map patches to probabilities; to a thousandth, as half precision holds them."""
        if self.folder is None:
            return _loaded(self.spec.name).predict(patches)
        digest = hashlib.blake2b(np.ascontiguousarray(patches).tobytes(), digest_size=16)
        digest.update(self.spec.sha256.encode() + str(patches.shape).encode())
        path = self.folder / digest.hexdigest()[:2] / f"{digest.hexdigest()}.npz"
        if not path.is_file():
            if not self.may_ask:
                raise NotRememberedError
            path.parent.mkdir(parents=True, exist_ok=True)
            answer = np.round(_loaded(self.spec.name).predict(patches), 3).astype(np.float16)
            partial = path.with_name(f"{path.stem}.part.npz")
            np.savez_compressed(partial, answer)
            partial.rename(path)
        return np.asarray(np.load(path)["arr_0"], np.float32)


@functools.cache
def _loaded(name: str) -> Any:
    """Load a network once."""
    return load_predictor(read_spec(name))


def remembering(folder: Path | None, *, may_ask: bool = True) -> Models:
    """Return the networks of the default method with a memory."""
    detector, segmenter = (Remembering(read_spec(name), folder, may_ask) for name in ("detection", "segmentation"))
    return Models(detector, segmenter, knows_inverted=True)


@dataclass(frozen=True)
class RememberingEngine:
    """The app's engine, whose networks remember what they said in a folder (or do not, without one)."""

    folder: Path | None
    may_ask: bool = True
    inner: NetworkEngine = field(default_factory=NetworkEngine)

    @property
    def settings(self) -> MethodSettings:
        """How images are segmented."""
        return self.inner.settings

    @property
    def backend(self) -> str:
        """Library that computes the networks."""
        return self.inner.backend

    def configured(self, settings: MethodSettings) -> "RememberingEngine":
        """Return the same engine with other settings."""
        return RememberingEngine(self.folder, self.may_ask, self.inner.configured(settings))

    def specs(self, contrast: str | None) -> Any:
        """Describe the networks."""
        return self.inner.specs(contrast)

    def structure_specs(self, contrast: str | None) -> Any:
        """Describe the network of the task."""
        return self.inner.structure_specs(contrast)

    def load_structure(self, contrast: str | None) -> Any:
        """Load the network of the task."""
        return self.inner.load_structure(contrast)

    def load(self) -> Segmenter:
        """Return the method with its models; only the networks that see single slices have a memory."""
        if (self.settings.kernel, self.settings.method) != ("2d", "deepseg"):
            return self.inner.load()
        models = remembering(self.folder, may_ask=self.may_ask)
        svm = self.settings.centerline == "svm"

        def of_contrast(contrast: str | None) -> Segmenter:
            linear = read_own_model(contrast or "t2") if svm else None
            return with_models(self.settings, replace(models, line_model=linear))

        return lambda volume, guide, observer: of_contrast(guide.contrast)(volume, guide, observer)
