"""List the ways to the centerline of the default method: what each needs, and how it finds the cord.

A published network, of the centerline or of the segmentation, is found in the folder that the user filled.

A new way is an entry in :data:`CENTERLINES`, and its word among the choices of ``--centerline``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from bids_deepseg.errors import NetworkError, UsageError, error_context
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.optic.centerline import svm_centerline
from bids_deepseg.methods.optic.model import SvmModel, published_place, read_own_model, read_published_model
from bids_deepseg.networks.predictor import Models, Predictor, load_own
from bids_deepseg.networks.published.specs import PublishedSpec, find_file, published_spec
from bids_deepseg.networks.specs import KnownModel, ModelIdentity, checked_spec
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.stages.centerline import DEFAULT_SMOOTHNESS, SURE_HEAT, Centerline, trace_centerline
from bids_deepseg.stages.given_centerline import centerline_from_points
from bids_deepseg.stages.heatmap import Heatmap, detect_cord
from bids_deepseg.stages.intensity import standardiser
from bids_deepseg.stages.segmentation import Guide, Observer


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


#: Adds to the models of the segmentation those of the centerline for a contrast.
AddModels = Callable[[Models, str | None], Models]

#: The course of the cord, and what the detection network saw, if it was asked.
Found = tuple[Centerline, Heatmap | None]


@dataclass(frozen=True, slots=True)
class CenterlineMethod:
    """A way to the centerline.

    Attributes
    ----------
    find : callable
        Finds the centerline in an image on canonical axes, with the models, settings and guide of
        :func:`bids_deepseg.pipeline.segment`; each stage is passed to the observer.
    identify : callable
        Describes its models for images of a contrast, after comparison with their checksums.
    load : callable
        Loads the models that every image needs, and returns a function that adds them and those of a contrast.
    knows_ends : bool
        Whether it knows where the cord ends; otherwise it runs through all slices, and the mask decides.
    has_heatmap : bool
        Whether it asks the detection network where the cord is.
    """

    find: Callable[[Volume, Models, MethodSettings, Guide, Observer], Found]
    identify: Callable[[MethodSettings, str | None], tuple[ModelIdentity, ...]] = lambda _settings, _contrast: ()
    load: Callable[[MethodSettings], AddModels] = lambda _settings: lambda models, _contrast: models
    knows_ends: bool = True
    has_heatmap: bool = False


def _identify_network(settings: MethodSettings, contrast: str | None) -> tuple[ModelIdentity, ...]:
    """Describe the detection network."""
    own = settings.weights == "own"
    return (checked_spec("detection") if own else identify_published(settings, contrast, "ctr"),)


def _load_network(settings: MethodSettings) -> AddModels:
    """Load the detection network."""
    if settings.weights == "own":
        own = load_own("detection")
        return lambda models, _contrast: replace(models, detector=own)

    def add(models: Models, contrast: str | None) -> Models:
        detector, scale = load_scaled(settings, contrast, "ctr")
        return replace(models, detector=detector, detector_scale=scale)

    return add


def _detect(canonical: Volume, models: Models) -> Heatmap:
    """Ask the detection network."""
    if models.detector is None:
        raise ValueError("The models hold no detection network.")
    scale = standardiser(canonical.data, models.detector_scale)
    return detect_cord(canonical, models.detector, standardise=scale)


def _find_by_network(
    canonical: Volume, models: Models, settings: MethodSettings, guide: Guide, observer: Observer
) -> Found:
    """Trace the heatmap of the detection network."""
    with error_context(stage="heatmap"):
        heatmap = guide.heatmap or _detect(canonical, models)
        observer("heatmap", heatmap)
    with error_context(stage="centerline"):
        smoothness = DEFAULT_SMOOTHNESS if settings.smoothness is None else settings.smoothness
        # Published networks have other heats.
        sure_heat = SURE_HEAT if settings.weights == "own" else 0.0
        only_cord = settings.brain == "no"
        return trace_centerline(heatmap, smoothness=smoothness, only_cord=only_cord, sure_heat=sure_heat), heatmap


def _read_linear(settings: MethodSettings, contrast: str | None) -> SvmModel:
    """Read the linear detector of a contrast."""
    if contrast is None:
        raise NetworkError("--centerline svm has one model for each contrast. State the contrast with --contrast.")
    if settings.weights_dir is None:
        return read_own_model(contrast)
    return read_published_model(published_place(settings.weights_dir, contrast), contrast=contrast)


def _identify_linear(settings: MethodSettings, contrast: str | None) -> tuple[ModelIdentity, ...]:
    """Describe the linear detector."""
    model = _read_linear(settings, contrast)
    return (KnownModel("optic-svm", model.contrast, 0.0, model.sha256),)


def _load_linear(settings: MethodSettings) -> AddModels:
    """Load the linear detector, which is one of a contrast."""
    return lambda models, contrast: replace(models, line_model=_read_linear(settings, contrast))


def _find_by_gradients(
    canonical: Volume, models: Models, _settings: MethodSettings, _guide: Guide, _observer: Observer
) -> Found:
    """Run OptiC with its linear detector."""
    with error_context(stage="centerline"):
        if not isinstance(models.line_model, SvmModel):
            raise TypeError("The models hold no linear detector.")
        return svm_centerline(canonical, models.line_model), None


def _take_given(
    canonical: Volume, _models: Models, _settings: MethodSettings, guide: Guide, _observer: Observer
) -> Found:
    """Take the centerline that a person gave."""
    with error_context(stage="centerline"):
        if guide.points_mm is None:
            raise UsageError("No centerline was given. Give its file with --centerline-file.")
        return centerline_from_points(guide.points_mm, canonical.grid), None


#: All ways, by the word of ``--centerline``.
CENTERLINES: Mapping[str, CenterlineMethod] = MappingProxyType(
    {
        "cnn": CenterlineMethod(_find_by_network, _identify_network, _load_network, has_heatmap=True),
        "svm": CenterlineMethod(_find_by_gradients, _identify_linear, _load_linear, knows_ends=False),
        "file": CenterlineMethod(_take_given),
        "viewer": CenterlineMethod(_take_given),
    }
)
