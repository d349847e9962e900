"""Choose the models for the settings of a run: which ones, by their checksums, and loaded."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from bids_deepseg.errors import NetworkError
from bids_deepseg.methods.optic.model import SvmModel, read_own_model, read_published_model
from bids_deepseg.networks.loading import Models, load_own
from bids_deepseg.networks.published.specs import PublishedSpec, find_file, published_spec, read_bounded
from bids_deepseg.networks.specs import KnownModel, ModelIdentity, check_weights, read_spec
from bids_deepseg.options.method import MethodSettings

#: Own networks by the kernel of the segmentation.
_SEGMENTERS = {"2d": "segmentation", "3d": "segmentation3d"}


def identify_models(settings: MethodSettings, contrast: str | None) -> tuple[ModelIdentity, ...]:
    """Describe the models for images of a contrast, without loading them; their files are compared with checksums.

    Parameters
    ----------
    settings : MethodSettings
        Settings of the run.
    contrast : str or None
        t1, t2, t2s or dwi.

    Returns
    -------
    tuple of ModelIdentity
        In the order of their use; the last one is thresholded.

    Raises
    ------
    NetworkError
        If a model is missing or changed.
    """
    found: list[ModelIdentity] = []
    if settings.centerline == "svm":
        model = _linear(settings, contrast)
        found.append(KnownModel("optic-svm", model.contrast, 0.0, model.sha256))
    elif settings.centerline == "cnn":
        found.append(_identify_own("detection") if settings.weights == "own" else _identify(settings, contrast, "ctr"))
    if _has_published_segmenter(settings, contrast):
        found.append(_identify(settings, contrast, "sc"))
    else:
        found.append(_identify_own(_segmenter_name(settings)))
    return tuple(found)


def load_all(settings: MethodSettings) -> Callable[[str | None], Models]:
    """Load the models that every image needs, and return a function that completes them for a contrast.

    Parameters
    ----------
    settings : MethodSettings
        Settings of the run.

    Raises
    ------
    NetworkError
        If a model is missing or changed.
    """
    own_segmenter = load_own(_segmenter_name(settings))
    own_exponent = read_spec(_segmenter_name(settings)).odds_exponent
    own_detector = load_own("detection") if (settings.centerline, settings.weights) == ("cnn", "own") else None

    def models_of(contrast: str | None) -> Models:
        from bids_deepseg.networks.published.predictor import load_published  # noqa: PLC0415 - loads h5py

        linear = _linear(settings, contrast) if settings.centerline == "svm" else None
        detector, detector_scale = own_detector, None
        if settings.centerline == "cnn" and settings.weights == "sct":
            folder, spec = _published(settings, contrast, "ctr")
            detector, detector_scale = load_published(folder, spec.name), _scale(spec)
        segmenter, segmenter_scale, exponent = own_segmenter, None, own_exponent
        if _has_published_segmenter(settings, contrast):
            folder, spec = _published(settings, contrast, "sc")
            segmenter, segmenter_scale, exponent = load_published(folder, spec.name), _scale(spec), 1.0
        inverted = segmenter_scale is None
        return Models(detector, segmenter, linear, detector_scale, segmenter_scale, inverted, exponent)

    return models_of


def _identify_own(name: str) -> ModelIdentity:
    """Describe one of the package's networks, after its checksum was compared."""
    spec = read_spec(name)
    check_weights(spec)
    return spec


def _identify(settings: MethodSettings, contrast: str | None, kind: str) -> ModelIdentity:
    """Describe a published network, after its identity was compared."""
    folder, spec = _published(settings, contrast, kind)
    found = find_file(folder, spec)
    if found.path is None or found.state != "present":
        said = f"{found.path} is another file: {found.reason}" if found.path else f"it is not in {folder}"
        raise NetworkError(
            f"--weights sct needs the published network {spec.name} for images of the contrast {spec.contrast}, and "
            f"{said}. Expected is {spec.filenames[0]} of the release; see 'bids_deepseg weights check'."
        )
    return KnownModel(spec.name, spec.contrast, spec.threshold, hashlib.sha256(read_bounded(found.path)).hexdigest())


def _published(settings: MethodSettings, contrast: str | None, kind: str) -> tuple[Path, PublishedSpec]:
    """Return the folder of the published networks, and the one of a contrast; ``kind`` is ``ctr`` or ``sc``."""
    if settings.weights_dir is None or contrast is None:
        raise NetworkError("The published networks are made for one contrast each. State the folder and the contrast.")
    return settings.weights_dir, published_spec(f"{contrast}_{kind}")


def _has_published_segmenter(settings: MethodSettings, contrast: str | None) -> bool:
    """Tell whether the folder of published networks holds a 2D segmentation network of the contrast."""
    if settings.weights == "own":
        return False
    folder, spec = _published(settings, contrast, "sc")
    return find_file(folder, spec).state != "missing"


def _segmenter_name(settings: MethodSettings) -> str:
    """Return the name of the package's segmentation network.

    Raises
    ------
    NetworkError
        If the package has no 3D network.
    """
    name = _SEGMENTERS[settings.kernel]
    if settings.kernel == "3d":
        try:
            read_spec(name)
        except NetworkError as error:
            raise NetworkError(
                f"--kernel 3d needs the network {name!r}, which this installation does not hold. Use --kernel 2d."
            ) from error
    return name


def _linear(settings: MethodSettings, contrast: str | None) -> SvmModel:
    """Read the linear detector of a contrast."""
    if contrast is None:
        raise NetworkError("--centerline svm has one model for each contrast. State the contrast with --contrast.")
    if settings.weights_dir is not None:
        name = f"{contrast}_model.yml"
        places = (settings.weights_dir / name, settings.weights_dir / "optic" / name)
        return read_published_model(next((path for path in places if path.is_file()), places[0]), contrast=contrast)
    return read_own_model(contrast)


def _scale(spec: PublishedSpec) -> tuple[float, float]:
    """Return mean and standard deviation of the values that a published cord network expects."""
    if spec.mean is None or spec.std is None:
        raise ValueError(f"{spec.name} is no cord network.")
    return spec.mean, spec.std
