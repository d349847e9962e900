"""Find the published networks of the default method in the folder that the user filled."""

from pathlib import Path

from bids_deepseg.errors import NetworkError
from bids_deepseg.networks.predictor import Predictor
from bids_deepseg.networks.published.specs import PublishedSpec, find_file, published_spec
from bids_deepseg.networks.specs import ModelIdentity
from bids_deepseg.options.method import MethodSettings


def need_published(settings: MethodSettings, contrast: str | None, kind: str) -> tuple[Path, PublishedSpec]:
    """Return the folder of the published networks, and the one of a contrast; ``kind`` is ``ctr`` or ``sc``."""
    if settings.weights_dir is None or contrast is None:
        raise NetworkError("The published networks are made for one contrast each. State the folder and the contrast.")
    return settings.weights_dir, published_spec(f"{contrast}_{kind}")


def identify_published(settings: MethodSettings, contrast: str | None, kind: str) -> ModelIdentity:
    """Describe a published network, after its identity was compared."""
    folder, spec = need_published(settings, contrast, kind)
    found = find_file(folder, spec)
    if found.path is None or found.state != "present":
        said = f"{found.path} is another file: {found.reason}" if found.path else f"it is not in {folder}"
        raise NetworkError(
            f"--weights sct needs the published network {spec.name} for images of the contrast {spec.contrast}, and "
            f"{said}. Expected is {spec.filenames[0]} of the release; see 'bids_deepseg weights check'."
        )
    return found.identity()


def load_scaled(settings: MethodSettings, contrast: str | None, kind: str) -> tuple[Predictor, tuple[float, float]]:
    """Load a published network, with mean and standard deviation of the values that it expects."""
    from bids_deepseg.networks.published.predictor import load_published  # noqa: PLC0415 - loads h5py

    folder, spec = need_published(settings, contrast, kind)
    if spec.mean is None or spec.std is None:
        raise ValueError(f"{spec.name} is not a cord network.")
    return load_published(folder, spec.name), (spec.mean, spec.std)
