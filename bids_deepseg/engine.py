"""State what the app needs of a segmentation method; tests use a simple one in place of the networks."""

import functools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol, Self

from bids_deepseg.options.settings import MethodSettings
from bids_deepseg.stages.guide import Guide

if TYPE_CHECKING:
    from bids_deepseg.geometry.volume import Volume
    from bids_deepseg.methods.loaded import LoadedMethod
    from bids_deepseg.networks.loading import StructureModel
    from bids_deepseg.networks.specs import ModelIdentity
    from bids_deepseg.stages.segmentation import Observer, Segmentation


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

    def load_structure(self, contrast: str | None) -> "StructureModel | None":
        """Load the network of the task beside the cord for images of a contrast; None for the cord alone."""
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
        from bids_deepseg.methods.identities import identify_method  # noqa: PLC0415 - loads numpy

        return identify_method(self.settings, contrast)

    def structure_specs(self, contrast: str | None) -> "tuple[ModelIdentity, ...]":
        """Describe the network of the task without loading TensorFlow, and compare its weights with their checksum."""
        from bids_deepseg.structures.models import identify_structure_models  # noqa: PLC0415 - loads numpy

        return identify_structure_models(self.settings.task, self.settings.weights_dir, contrast)

    def load(self) -> "Callable[[str | None], LoadedMethod]":
        """Load TensorFlow and the networks of all contrasts; those of one contrast are loaded at its first image."""
        from bids_deepseg.methods.alternatives import load_method  # noqa: PLC0415 - loads numpy

        return functools.cache(load_method(self.settings))

    def load_structure(self, contrast: str | None) -> "StructureModel | None":
        """Load the network of the task; imports TensorFlow."""
        from bids_deepseg.structures.models import load_structure_model  # noqa: PLC0415 - loads numpy

        return load_structure_model(self.settings.task, self.settings.weights_dir, contrast)

    def segment(
        self, volume: "Volume", models: "Callable[[str | None], LoadedMethod]", *, guide: Guide, observer: "Observer"
    ) -> "Segmentation":
        """Segment one image."""
        return models(guide.contrast).run(volume, guide, observer)
