"""Do everything for one image inside of one process, so that no array travels between processes."""

import functools
import logging
import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bids_deepseg import logs
from bids_deepseg.app.participant.planning import Stamper
from bids_deepseg.bids.derivatives.provenance import RunStamp
from bids_deepseg.bids.derivatives.saved import SavedResult
from bids_deepseg.bids.derivatives.writer import ImageProducts, withdraw_stale, write_products
from bids_deepseg.bids.naming import PRODUCTS
from bids_deepseg.bids.source.corrections import read_corrected_mask
from bids_deepseg.bids.source.given_centerline import read_centerline
from bids_deepseg.bids.source.given_files import need_centerline_file
from bids_deepseg.bids.source.query import BidsImage
from bids_deepseg.bids.source.reader import LoadedImage, read_image
from bids_deepseg.bids.source.vertebrae import levels_for
from bids_deepseg.engine import Engine
from bids_deepseg.errors import error_context
from bids_deepseg.execution import Job
from bids_deepseg.options.settings import MethodSettings
from bids_deepseg.rescue.run import segment_or_rescue
from bids_deepseg.stages.guide import Guide

if TYPE_CHECKING:
    from bids_deepseg.networks.loading import StructureModel
    from bids_deepseg.stages.segmentation import Segmentation

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ImageResult:
    """What the run tells about a result.

    Attributes
    ----------
    verdict : str
        pass, warn or fail.
    findings : tuple of (str, str, str)
        Code, severity and message of each observation.
    area_mean_mm2 : float
        Mean cross-sectional area, NaN if unknown.
    """

    verdict: str
    findings: tuple[tuple[str, str, str], ...]
    area_mean_mm2: float

    @classmethod
    def of(cls, saved: SavedResult) -> "ImageResult":
        """Read the result of an image from its files."""
        findings = tuple((reason["Code"], reason["Severity"], reason["Message"]) for reason in saved.reasons)
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
    output_dir : Path
        Root of the derivative data set.
    contrast : str
        As asked for.
    log_settings : LogSettings
        How a process of its own sets up its logs.
    products : tuple of str
        What is written, keys of :data:`bids_deepseg.bids.naming.PRODUCTS`.
    links : tuple of (str, str)
        Entries of ``DatasetLinks`` stated by the user.
    volume : str
        What is segmented of an anatomical series.
    derivatives : tuple of (str, Path)
        Names and folders of data sets with labels of vertebral levels.
    """

    engine: Engine
    output_dir: Path
    contrast: str
    log_settings: logs.LogSettings
    products: tuple[str, ...] = tuple(PRODUCTS)
    links: tuple[tuple[str, str], ...] = ()
    volume: str = "auto"
    derivatives: tuple[tuple[str, Path], ...] = ()

    def __call__(self) -> Callable[[Job], ImageResult]:
        """Make this process ready."""
        if multiprocessing.parent_process() is not None:
            logs.configure(self.log_settings, worker=True)
        stamper = Stamper.of(self.engine, self.contrast, self.products, self.volume, self.derivatives)
        load = functools.cache(self._load)
        others: dict[MethodSettings, Any] = {}
        if self.engine.settings.corrections is None:
            # With corrections, there may be no image that needs them.
            load()
        structure_of = functools.cache(self.engine.load_structure)
        return lambda job: self.segment_and_write(job.payload, stamper, load, others, structure_of)

    def _load(self) -> Any:
        """Load the models, and tell how long it took."""
        begin = time.monotonic()
        models = self.engine.load()
        seconds = time.monotonic() - begin
        logger.info("networks loaded in %.1f s", seconds, extra={"stage": "load", "seconds": seconds})
        return models

    def segment_and_write(
        self,
        image: BidsImage,
        stamper: Stamper,
        load: Callable[[], Any],
        others: dict[MethodSettings, Any],
        structure_of: "Callable[[str | None], StructureModel | None]",
    ) -> ImageResult:
        """Read, segment and write one image; the JSON sidecar of the mask is written last.

        ``others`` keeps the models of other methods for later images; ``structure_of`` loads the network of the task
        beside the cord for a contrast.
        """
        stamp = stamper.stamp(image)
        with (
            logs.log_image(image.key),
            error_context(image=image.key),
            self._withdrawing_stale(image, stamp),
        ):
            clock = _StageClock(time.monotonic())
            with error_context(stage="read"):
                loaded = read_image(image, self.volume)
            clock.observe("read", None)
            segmentation = self._segment(image, loaded, stamper, (load, others), clock)
            structure = structure_of(stamper.contrast_of(image))
            if structure is not None:
                segmentation = self._with_structure(segmentation, loaded, structure, clock)
            with error_context(stage="write"):
                levels, notes = levels_for(image, segmentation.mask, self.derivatives)
                loaded = replace(loaded, notes=(*loaded.notes, *notes))
                products = ImageProducts(image, loaded, segmentation, stamp, dict(self.links), levels)
                write_products(products, self.output_dir)
            clock.observe("write", None)
            area = segmentation.metrics.columns()["area_mm2"]
            area = area[np.isfinite(area)]
            findings = [(found.code, found.severity, found.message) for found in segmentation.findings]
            findings += [(code, "info", message) for code, message in loaded.notes]
            return ImageResult(segmentation.verdict, tuple(findings), float(area.mean()) if len(area) else float("nan"))

    def _segment(
        self,
        image: BidsImage,
        loaded: LoadedImage,
        stamper: Stamper,
        models: tuple[Callable[[], Any], dict[MethodSettings, Any]],
        clock: "_StageClock",
    ) -> "Segmentation":
        """Return the result of an image: that of the method, unless a person drew the mask."""
        load, others = models
        correction, engine = stamper.correction_of(image), self.engine
        with error_context(stage="read"):
            if correction is not None and correction.kind == "mask":
                from bids_deepseg.methods.manual import result_of_mask  # noqa: PLC0415 - loads scipy

                return result_of_mask(read_corrected_mask(correction, loaded.volume.grid), correction.facts())
            path = None
            if correction is not None:
                # Models know their settings, so that those along a given centerline are others; loaded once for all.
                engine, path = engine.configured(engine.settings.along(Path())), correction.path
                load = functools.partial(_load_once, engine, others)
            elif engine.settings.centerline_file is not None:
                path = need_centerline_file(image, engine.settings.centerline_file)
            points = None if path is None else read_centerline(path, loaded.volume.grid)
        guide = Guide(stamper.contrast_of(image), points)
        return segment_or_rescue(engine, loaded.volume, load(), guide=guide, observer=clock.observe, loaded=others)

    def _with_structure(
        self, segmentation: "Segmentation", loaded: LoadedImage, model: "StructureModel", clock: "_StageClock"
    ) -> "Segmentation":
        """Add what the task asks for inside of the cord, by whatever way the cord was found."""
        from bids_deepseg.pipeline import add_structure  # noqa: PLC0415 - loads scipy

        task = self.engine.settings.task
        return add_structure(loaded.volume, segmentation, model, task, observer=clock.observe)

    @contextmanager
    def _withdrawing_stale(self, image: BidsImage, stamp: RunStamp) -> Iterator[None]:
        """Remove the result of an earlier state of the image when the image fails now."""
        try:
            yield
        except Exception:
            if withdraw_stale(image, self.output_dir, stamp):
                logger.warning("The result of an earlier run was removed: it does not describe the image as it is now.")
            raise


def _load_once(engine: Engine, others: dict[MethodSettings, Any]) -> Any:
    """Return the models of an engine, loaded if they are not among the ``others``, to which they are added."""
    if engine.settings not in others:
        others[engine.settings] = engine.load()
    return others[engine.settings]


@dataclass(slots=True)
class _StageClock:
    """Measures the time between the ends of stages."""

    last: float

    def observe(self, stage: str, _result: Any) -> None:
        """Log the time since the last call."""
        now = time.monotonic()
        seconds, self.last = now - self.last, now
        logger.info("%s %.2f s", stage, seconds, extra={"stage": stage, "seconds": seconds})
