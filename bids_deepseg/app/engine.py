"""State what the app needs of a segmentation method; tests use a simple one in place of the networks."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from bids_deepseg.geometry.volume import Volume
    from bids_deepseg.networks.specs import ModelSpec
    from bids_deepseg.pipeline import Observer, Segmentation


class Engine(Protocol):
    """A segmentation method; hashable, and it survives pickling, since each process loads its own models."""

    def specs(self) -> "tuple[ModelSpec, ...]":
        """Describe the networks without loading them."""
        ...

    def load(self) -> Any:
        """Load the models."""
        ...

    def segment(self, volume: "Volume", models: Any, *, observer: "Observer") -> "Segmentation":
        """Segment one image with what :meth:`load` returned."""
        ...


@dataclass(frozen=True, slots=True)
class NetworkEngine:
    """The method of this package with its networks."""

    def specs(self) -> "tuple[ModelSpec, ...]":
        """Describe the networks without loading TensorFlow, and compare their weights with their checksums."""
        from bids_deepseg.networks.specs import check_weights, model_specs  # noqa: PLC0415 - loads numpy

        specs = model_specs()
        for spec in specs:
            check_weights(spec)
        return specs

    def load(self) -> Any:
        """Load TensorFlow and the networks."""
        from bids_deepseg.networks import load_models  # noqa: PLC0415 - loads numpy

        return load_models()

    def segment(self, volume: "Volume", models: Any, *, observer: "Observer") -> "Segmentation":
        """Segment one image."""
        from bids_deepseg.pipeline import segment  # noqa: PLC0415 - loads scipy

        return segment(volume, models, observer=observer)
