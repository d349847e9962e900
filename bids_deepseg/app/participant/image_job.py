"""Do everything for one image inside one process, so that no array travels between processes."""

import json
import logging
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from bids_deepseg import logs
from bids_deepseg.app.participant.known import KnownImage
from bids_deepseg.bids.derivatives.layout import ResultFiles
from bids_deepseg.bids.derivatives.provenance import CacheKey
from bids_deepseg.bids.derivatives.saved import SavedResult, read_saved
from bids_deepseg.bids.derivatives.writer import ImageProducts, withdraw_stale, write_products
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.source.reader import LoadedImage, changed_input, check_unchanged, read_steadily
from bids_deepseg.bids.source.vertebrae import levels_for
from bids_deepseg.engine import Engine, ModelStore
from bids_deepseg.errors import ClusterError, ImageError, error_context
from bids_deepseg.execution import Job, Outcome
from bids_deepseg.execution.remote import DRIVE_PATIENCE_S, wait_for
from bids_deepseg.judge.shape import share_without_numbers
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.pipeline import add_structure
from bids_deepseg.rescue.run import segment_or_rescue
from bids_deepseg.stages.findings import Measured
from bids_deepseg.stages.segmentation import Guide, Observer, Segmentation

logger = logging.getLogger(__name__)

#: Share of the cord's surroundings without numbers up to which a result is kept.
_MOST_REPLACED = 0.5


@dataclass(frozen=True, slots=True)
class ImageResult:
    """What the run reports about a result.

    Attributes
    ----------
    verdict : str
        pass, warn or fail.
    findings : tuple of (str, str, str)
        Code, severity and message of each observation.
    area_mean_mm2 : float
        Mean cross-sectional area, NaN if unknown.
    identity : str
        What tells the result from an earlier one of the same image, empty for one that was read.
    """

    verdict: str
    findings: tuple[tuple[str, str, str], ...]
    area_mean_mm2: float
    identity: str = ""

    @classmethod
    def of(cls, saved: SavedResult) -> "ImageResult":
        """Read the result of an image from its files."""
        findings = tuple((reason.code, reason.severity, reason.message) for reason in saved.reasons)
        return cls(saved.verdict, findings, saved.csa_mean)

    @property
    def reasons(self) -> str:
        """Messages that speak against the result, in one line."""
        return " ".join(message for _code, severity, message in self.findings if severity != "info")


@dataclass(frozen=True, slots=True)
class ImageWork:
    """The work on the images of a run; calling it loads the networks and returns the function for one image.

    Attributes
    ----------
    engine : Engine
        Method.
    files_of : callable
        Tells where the files of the result of an image are.
    log_settings : LogSettings
        How a process of its own sets up its logs.
    links : tuple of (str, str)
        Entries of ``DatasetLinks`` stated by the user.
    """

    engine: Engine
    files_of: Callable[[BidsImage], ResultFiles]
    log_settings: logs.LogSettings
    links: tuple[tuple[str, str], ...] = ()

    def __call__(self) -> Callable[[Job], ImageResult]:
        """Make this process ready."""
        if not logs.is_configured() or multiprocessing.parent_process() is not None:
            logs.configure(self.log_settings, worker=True)
        models = ModelStore(self.engine)
        if self.engine.settings.corrections is None:
            # With corrections, there may be no image that needs them.
            models.segmenter(self.engine.settings)
        return lambda job: self.segment_and_write(job.payload, models)

    def segment_and_write(self, known: KnownImage, models: ModelStore) -> ImageResult:
        """Read, segment and write one image; the JSON sidecar of the mask is written last."""
        image, key = known.image, known.cache_key(models)
        with (
            logs.log_image(image.key),
            error_context(image=image.key),
            self._withdrawing_stale(image, key),
        ):
            clock = _StageClock(time.monotonic())
            with error_context(stage="read"):
                loaded, fingerprint = read_steadily(image, known.volume)
            clock.observe("read", None)
            segmentation = self._segment(known, loaded, models, clock)
            with error_context(stage="write"):
                levels, notes = levels_for(known.levels, segmentation.mask)
                loaded = replace(loaded, notes=(*loaded.notes, *notes))
                check_unchanged(image, fingerprint)
                if known.cache_key(models).config_hash != key.config_hash:
                    raise changed_input(image)
                products = ImageProducts(image, loaded, segmentation, key, dict(self.links), levels, fingerprint)
                products = replace(products, backend=_backend_of(known, models))
                write_products(products, self.files_of(image))
            clock.observe("write", None)
            area = segmentation.metrics.columns()["area_mm2"]
            area = area[np.isfinite(area)]
            findings = [(found.code, found.severity, found.message) for found in segmentation.findings]
            findings += [(code, "info", message) for code, message in loaded.notes]
            mean_area = float(area.mean()) if len(area) else float("nan")
            identity = identity_of(key.config_hash, fingerprint)
            return ImageResult(segmentation.verdict, tuple(findings), mean_area, identity)

    @staticmethod
    def _segment(known: KnownImage, loaded: LoadedImage, models: ModelStore, clock: "_StageClock") -> Segmentation:
        """Return the result of an image, with what the task asks for inside the cord."""
        with error_context(stage="read"):
            guide = known.read_guide(loaded.volume.grid)
        return segment_loaded(loaded, models, known.settings, guide=guide, observer=clock.observe)

    @contextmanager
    def _withdrawing_stale(self, image: BidsImage, key: CacheKey) -> Iterator[None]:
        """Remove the result of an earlier state of the image when the image fails now."""
        try:
            yield
        except Exception:
            if withdraw_stale(image, self.files_of(image), key):
                logger.warning("The result of an earlier run was removed: it does not describe the image as it is now.")
            raise


def _backend_of(known: KnownImage, models: ModelStore) -> str:
    """Return what computed the networks of an image; nothing if a person drew its mask and none looked inside it."""
    return "" if known.is_drawn and models.structure(known.contrast) is None else models.backend


def segment_loaded(
    loaded: LoadedImage, models: ModelStore, settings: MethodSettings, *, guide: Guide, observer: Observer
) -> Segmentation:
    """Segment an image in memory, with what the task asks for inside the cord.

    Raises
    ------
    ImageError
        If there are hardly any numbers where the cord was found.
    SegmentationError
        If no method gave a result.
    """
    found = segment_or_rescue(models, settings, loaded.volume, guide=guide, observer=observer)
    _check_surroundings(loaded, found)
    # What is doubtful about the file is doubtful about its result, whoever made that.
    found = replace(found, findings=(*found.findings, *loaded.doubts))
    structure = models.structure(guide.contrast)
    if structure is None:
        return found
    return add_structure(loaded.volume, found, structure, settings.task, observer=observer)


def _check_surroundings(loaded: LoadedImage, segmentation: Segmentation) -> None:
    """Refuse a result in a part of the image that holds hardly any numbers."""
    if loaded.replaced is None:
        return
    points = segmentation.centerline.xyz
    share = Measured(share_without_numbers(points, loaded.replaced, loaded.volume.grid), _MOST_REPLACED)
    if share > _MOST_REPLACED:
        raise ImageError(
            f"{share:.0%} of the voxels around the detected cord are NaN or infinite. Numbers are expected in at "
            f"least {1 - _MOST_REPLACED:.0%} of them. Look at the file."
        )


@dataclass(slots=True)
class _StageClock:
    """Measures the time between the ends of stages."""

    last: float

    def observe(self, stage: str, _result: object) -> None:
        """Log the time since the last call."""
        now = time.monotonic()
        seconds, self.last = now - self.last, now
        logger.info("%s %.2f s", stage, seconds, extra={"stage": stage, "seconds": seconds})


def identity_of(config_hash: object, fingerprint: object) -> str:
    """Return what tells a result from an earlier one of the same image."""
    return json.dumps([config_hash, fingerprint], sort_keys=True, default=dict)


def await_result(output_dir: Path, outcome: Outcome, *, patience_s: float = DRIVE_PATIENCE_S) -> None:
    """Wait until this machine sees a result: the page and the tables are made from it.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set.
    outcome : Outcome
        As another machine tells it; a failed one has nothing to wait for.
    patience_s : float, optional
        How long.

    Raises
    ------
    ClusterError
        If it does not see it within that time.
    """
    if outcome.error is not None:
        return
    image, identity = outcome.job.payload.image, outcome.product.identity
    if not wait_for(lambda: _seen(image, output_dir) == identity, patience_s):
        raise ClusterError(
            f"The result of {image.key} is complete on a worker of the cluster, but this machine does not see it in "
            f"{output_dir}. The same drive is expected on all machines. Mount it, and run the same command again."
        )


def _seen(image: BidsImage, output_dir: Path) -> str | None:
    """Return the identity of the complete result that this machine sees."""
    saved = read_saved(image, output_dir)
    if saved is None:
        return None
    return identity_of(saved.sidecar.get("ConfigHash"), saved.sidecar.get("SourceFingerprint"))
