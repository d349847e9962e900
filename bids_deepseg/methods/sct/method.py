"""Enter the reference method (``--profile sct``) into the table of methods: its networks and its settings."""

from functools import partial
from typing import cast

from bids_deepseg.errors import NetworkError, UsageError
from bids_deepseg.methods.method import Method, Segmenter
from bids_deepseg.methods.sct.networks import load_optic, load_sct_networks, needs_optic, network_names
from bids_deepseg.methods.sct.segment import segment_sct
from bids_deepseg.methods.sct.settings import Contrast, Kernel, Quirks, SctSettings, Way
from bids_deepseg.networks.published.specs import find_file, published_spec
from bids_deepseg.networks.specs import KnownModel, ModelIdentity
from bids_deepseg.options.method import MethodSettings

_BRAINS = {"auto": None, "yes": True, "no": False}


def identify_sct(settings: MethodSettings, contrast: str | None) -> tuple[ModelIdentity, ...]:
    """Describe the published networks of the reference method, the segmentation network last.

    Raises
    ------
    NetworkError
        If one is missing or another file; all of them are named.
    """
    asked = sct_settings(settings, contrast)
    folder = settings.weights_dir
    if folder is None:
        raise ValueError("The sct profile was allowed without a folder of networks.")
    found = [find_file(folder, published_spec(name)) for name in reversed(network_names(asked))]
    bad = [f"{each.spec.filenames[0]} ({each.state})" for each in found if each.state != "present"]
    if bad:
        raise NetworkError(
            f"--profile sct needs for images of the contrast {contrast} the published networks {', '.join(bad)} in "
            f"{folder}. They are not part of this package. See 'bids_deepseg weights'."
        )
    models: list[ModelIdentity] = []
    if needs_optic(asked):
        detector, _ = load_optic(folder, asked)
        models.append(KnownModel("optic-svm", detector.contrast, 0.0, detector.sha256))
    return (*models, *(each.identity(asked.threshold_of(each.spec.threshold)) for each in found))


def load_sct(settings: MethodSettings, contrast: str | None) -> Segmenter:
    """Load the networks of the reference method for a contrast; imports Keras."""
    asked = sct_settings(settings, contrast)
    if settings.weights_dir is None:
        raise ValueError("The sct profile was allowed without a folder of networks.")
    networks, is_given = load_sct_networks(settings.weights_dir, asked), asked.centerline in ("file", "viewer")
    return lambda volume, guide, observer: segment_sct(
        volume, networks, asked, given=guide.points_mm if is_given else None, observer=observer
    )


def sct_settings(settings: MethodSettings, contrast: str | None) -> SctSettings:
    """Return the settings in the words of the reference method.

    Raises
    ------
    UsageError
        If the contrast is unknown: each has networks and constants of its own.
    """
    if contrast is None:
        raise UsageError("--profile sct has networks for each contrast. State that of the image with --contrast.")
    return SctSettings(
        contrast=cast("Contrast", contrast),
        centerline=cast("Way", settings.centerline),
        kernel=cast("Kernel", settings.kernel),
        threshold=settings.threshold if isinstance(settings.threshold, float) else None,
        soft=settings.is_soft,
        brain=_BRAINS[settings.brain],
        quirks=cast("Quirks", settings.sct_quirks),
    )


#: Entry in the table of methods; each contrast has networks of its own. Who asks for the reference's result gets that.
METHOD = Method(identify_sct, lambda settings: partial(load_sct, settings), is_rescued=False)
