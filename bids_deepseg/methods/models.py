"""Choose the models of the default method for the settings of a run: which ones, by their checksums, and loaded."""

from collections.abc import Callable
from dataclasses import replace

from bids_deepseg.errors import NetworkError
from bids_deepseg.methods.centerlines import CENTERLINES, identify_published, load_scaled, need_published
from bids_deepseg.networks.predictor import Models, load_own
from bids_deepseg.networks.published.specs import find_file
from bids_deepseg.networks.specs import ModelIdentity, checked_spec, read_spec
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
    found = CENTERLINES[settings.centerline].identify(settings, contrast)
    if _has_published_segmenter(settings, contrast):
        return (*found, identify_published(settings, contrast, "sc"))
    return (*found, checked_spec(_segmenter_name(settings)))


def load_all(settings: MethodSettings) -> Callable[[str | None], Models]:
    """Load the models that every image needs, and return a function that completes them for a contrast.

    Raises
    ------
    NetworkError
        If a model is missing or changed.
    """
    name = _segmenter_name(settings)
    own = Models(None, load_own(name), knows_inverted=True, odds_exponent=read_spec(name).odds_exponent)
    add_centerline = CENTERLINES[settings.centerline].load(settings)

    def models_of(contrast: str | None) -> Models:
        models = add_centerline(own, contrast)
        if not _has_published_segmenter(settings, contrast):
            return models
        segmenter, scale = load_scaled(settings, contrast, "sc")
        return replace(models, segmenter=segmenter, segmenter_scale=scale, knows_inverted=False, odds_exponent=1.0)

    return models_of


def _has_published_segmenter(settings: MethodSettings, contrast: str | None) -> bool:
    """Return whether the folder of published networks holds a 2D segmentation network of the contrast."""
    if settings.weights == "own":
        return False
    return find_file(*need_published(settings, contrast, "sc")).state != "missing"


def _segmenter_name(settings: MethodSettings) -> str:
    """Return the name of the package's segmentation network."""
    name = _SEGMENTERS[settings.kernel]
    if settings.kernel == "3d":
        try:
            read_spec(name)
        except NetworkError as error:
            raise NetworkError(
                f"--kernel 3d needs the network {name!r}, which this installation does not have. Use --kernel 2d."
            ) from error
    return name
