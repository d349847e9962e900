"""State what the app needs of a segmentation method; tests use a simple one in place of the networks."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from bids_deepseg.settings import Guide, MethodSettings

if TYPE_CHECKING:
    from bids_deepseg.geometry.volume import Volume
    from bids_deepseg.networks.loading import Models
    from bids_deepseg.networks.specs import ModelIdentity
    from bids_deepseg.pipeline import Observer, Segmentation


class Engine(Protocol):
    """A segmentation method; hashable, and it survives pickling, since each process loads its own models."""

    @property
    def settings(self) -> MethodSettings:
        """How images are segmented."""
        ...

    def configured(self, settings: MethodSettings) -> Self:
        """Return the same engine with other settings."""
        ...

    def specs(self, contrast: str | None) -> "tuple[ModelIdentity, ...]":
        """Describe the networks for images of a contrast, in the order of their use, without loading them."""
        ...

    def structure_specs(self, contrast: str | None) -> "tuple[ModelIdentity, ...]":
        """Describe the networks of the task beside the cord for images of a contrast; empty for the cord alone."""
        ...

    def load(self) -> Any:
        """Load the models."""
        ...

    def segment(self, volume: "Volume", models: Any, *, guide: Guide, observer: "Observer") -> "Segmentation":
        """Segment one image with what :meth:`load` returned."""
        ...


@dataclass(frozen=True, slots=True)
class NetworkEngine:
    """The method of this package with its networks, or with published ones."""

    settings: MethodSettings = field(default_factory=MethodSettings)

    def configured(self, settings: MethodSettings) -> Self:
        """Return an engine with other settings."""
        return replace(self, settings=settings)

    def specs(self, contrast: str | None) -> "tuple[ModelIdentity, ...]":
        """Describe the networks without loading TensorFlow, and compare their weights with their checksums."""
        from bids_deepseg.app.models import identify_models  # noqa: PLC0415 - loads numpy

        return identify_models(self.settings, contrast)

    def structure_specs(self, contrast: str | None) -> "tuple[ModelIdentity, ...]":
        """Describe the network of the task without loading TensorFlow, and compare its weights with their checksum."""
        from bids_deepseg.app.structure_models import identify_structure_models  # noqa: PLC0415 - loads numpy

        return identify_structure_models(self.settings, contrast)

    def load(self) -> "Callable[[str | None], Models]":
        """Load TensorFlow and the networks of all contrasts; those of one contrast are loaded at its first image."""
        from bids_deepseg.app.models import load_all  # noqa: PLC0415 - loads numpy

        return functools.cache(load_all(self.settings))

    def segment(
        self, volume: "Volume", models: "Callable[[str | None], Models]", *, guide: Guide, observer: "Observer"
    ) -> "Segmentation":
        """Segment one image."""
        from bids_deepseg.pipeline import add_structure, segment  # noqa: PLC0415 - loads scipy

        loaded = models(guide.contrast)
        cord = segment(volume, loaded, settings=self.settings, guide=guide, observer=observer)
        return add_structure(volume, cord, loaded, self.settings.task, observer=observer)
