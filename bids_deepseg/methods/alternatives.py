"""Choose the method: the default one, PropSeg, or the reference method as it runs (``--profile sct``)."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import cast

from bids_deepseg.errors import NetworkError, UsageError
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.loaded import LoadedMethod
from bids_deepseg.methods.propseg.method import load_propseg
from bids_deepseg.methods.sct.networks import load_optic, load_sct_networks, needs_optic, network_names
from bids_deepseg.methods.sct.segment import segment_sct
from bids_deepseg.methods.sct.settings import Contrast, Kernel, Quirks, SctSettings, Way
from bids_deepseg.networks.loading import Models
from bids_deepseg.networks.published.specs import find_file, published_spec, read_bounded
from bids_deepseg.networks.specs import KnownModel, ModelIdentity
from bids_deepseg.options.settings import MethodSettings
from bids_deepseg.pipeline import segment
from bids_deepseg.stages.findings import Finding
from bids_deepseg.stages.guide import Guide
from bids_deepseg.stages.segmentation import Observer, Segmentation

_BRAINS = {"auto": None, "yes": True, "no": False}


def deepseg(settings: MethodSettings, models: Models) -> LoadedMethod:
    """Return the default method."""

    def run(volume: Volume, guide: Guide, observer: Observer) -> Segmentation:
        found = segment(volume, models, settings=settings, guide=guide, observer=observer)
        if settings.weights == "own" or models.segmenter_scale is not None:
            return found
        message = (
            "The folder of published networks has no 2D segmentation network of this contrast, so that of this package "
            "gave the probability."
        )
        return replace(found, findings=(*found.findings, Finding("segmentation-own", "info", message)))

    return LoadedMethod(run)


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
    for each in found:
        sha256 = hashlib.sha256(read_bounded(each.path)).hexdigest() if each.path else ""
        threshold = asked.threshold_of(each.spec.threshold)
        models.append(KnownModel(each.spec.name, each.spec.contrast, threshold, sha256))
    return tuple(models)


def load_sct(settings: MethodSettings, contrast: str | None) -> LoadedMethod:
    """Load the networks of the reference method for a contrast; imports TensorFlow."""
    asked = sct_settings(settings, contrast)
    if settings.weights_dir is None:
        raise ValueError("The sct profile was allowed without a folder of networks.")
    networks = load_sct_networks(settings.weights_dir, asked)

    def run(volume: Volume, guide: Guide, observer: Observer) -> Segmentation:
        given = guide.points_mm if asked.centerline in ("file", "viewer") else None
        found = segment_sct(volume, networks, asked, given=given, observer=observer)
        return Segmentation(
            probability=found.probability,
            mask=found.mask,
            centerline=found.centerline,
            centerline_mask=found.centerline_mask,
            metrics=found.metrics,
            findings=found.findings,
            score=found.score,
        )

    return LoadedMethod(run)


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


def load_method(settings: MethodSettings) -> Callable[[str | None], LoadedMethod]:
    """Load what the method needs for every image; the function that is returned completes it for a contrast."""
    if settings.profile == "sct":
        return partial(load_sct, settings)
    if settings.method == "propseg":
        propseg = load_propseg(settings)
        return lambda _contrast: propseg
    from bids_deepseg.methods.models import load_all  # noqa: PLC0415 - the other branch does without

    models_of = load_all(settings)
    return lambda contrast: deepseg(settings, models_of(contrast))
