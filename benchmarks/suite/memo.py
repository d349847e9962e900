"""Remember what the networks said, so that a benchmark runs again in minutes."""

import functools
import hashlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.app.engine import NetworkEngine
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.networks.loading import Models
from bids_deepseg.networks.predictor import Predictor
from bids_deepseg.pipeline import Segmentation
from bids_deepseg.settings import Guide, MethodSettings


@dataclass(frozen=True)
class Remembering:
    """A network whose answers are kept in a folder, under the checksums of the network and of the patches."""

    network: Predictor
    folder: Path
    checksum: str

    @property
    def patch_shape(self) -> tuple[int, int]:
        """Pixels of a patch."""
        return self.network.patch_shape

    @property
    def zoom_mm(self) -> float:
        """Pixel size."""
        return self.network.zoom_mm

    @property
    def threshold(self) -> float:
        """Probability from which a pixel counts as cord."""
        return self.network.threshold

    def predict(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map patches to probabilities; to a thousandth, as half precision holds them."""
        digest = hashlib.blake2b(np.ascontiguousarray(patches).tobytes(), digest_size=16)
        digest.update(self.checksum.encode() + str(patches.shape).encode())
        path = self.folder / digest.hexdigest()[:2] / f"{digest.hexdigest()}.npz"
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            answer = np.round(self.network.predict(patches), 3).astype(np.float16)
            partial = path.with_name(f"{path.stem}.part.npz")
            np.savez_compressed(partial, answer)
            partial.rename(path)
        return np.asarray(np.load(path)["arr_0"], np.float32)


def remembering(models: Models, folder: Path | None) -> Models:
    """Return the networks with a memory; without a folder as they are."""
    if folder is None:
        return models
    detector = models.detector and Remembering(models.detector, folder, _checksum(models.detector))
    return replace(
        models, detector=detector, segmenter=Remembering(models.segmenter, folder, _checksum(models.segmenter))
    )


def _checksum(network: Any) -> str:
    """Return what tells a network from all others."""
    return str(network.spec.sha256)


@dataclass(frozen=True)
class RememberingEngine:
    """The app's engine, whose networks remember what they said in a folder (or do not, without one)."""

    folder: Path | None
    inner: NetworkEngine = field(default_factory=NetworkEngine)

    @property
    def settings(self) -> MethodSettings:
        """How images are segmented."""
        return self.inner.settings

    def configured(self, settings: MethodSettings) -> "RememberingEngine":
        """Return the same engine with other settings."""
        return RememberingEngine(self.folder, self.inner.configured(settings))

    def specs(self, contrast: str | None) -> Any:
        """Describe the networks."""
        return self.inner.specs(contrast)

    def load(self) -> Any:
        """Load the networks; those of a contrast at its first image."""
        models_of = self.inner.load()

        @functools.cache
        def models(contrast: str | None) -> Models:
            return remembering(models_of(contrast), self.folder)

        return models

    def segment(self, volume: Volume, models: Any, *, guide: Guide, observer: Any) -> Segmentation:
        """Segment one image."""
        return self.inner.segment(volume, models, guide=guide, observer=observer)
