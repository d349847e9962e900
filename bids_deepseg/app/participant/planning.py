"""Plan the images of a run: which have a result already, which are segmented, which would need too much memory.

Terms: an image is *missing* when it has no result, *failed* when an earlier run recorded that or judged the result as
``fail``, *changed* when its result is of another source, network, version or option.
"""

import functools
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from bids_deepseg import __version__
from bids_deepseg.app.participant.cost import expect_cost
from bids_deepseg.bids.derivatives.failures import read_failures
from bids_deepseg.bids.derivatives.provenance import RunStamp
from bids_deepseg.bids.derivatives.saved import is_current, read_saved
from bids_deepseg.bids.naming import PRODUCTS, choose_products
from bids_deepseg.bids.source.corrections import Correction, find_correction
from bids_deepseg.bids.source.given_files import centerline_sha256
from bids_deepseg.bids.source.header import read_size
from bids_deepseg.bids.source.query import BidsImage
from bids_deepseg.bids.source.vertebrae import find_level_file
from bids_deepseg.bids.source.volumes import is_series, volume_rule
from bids_deepseg.engine import Engine
from bids_deepseg.errors import ImageError, MemoryBudgetError
from bids_deepseg.execution.outcome import Job, Outcome, describe_failure
from bids_deepseg.execution.plan import Plan, plan_jobs
from bids_deepseg.networks.specs import ModelIdentity, contrast_of_suffix
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.options.run import RunOptions
from bids_deepseg.structures.tasks import task_of

logger = logging.getLogger(__name__)


def wanted_products(options: RunOptions) -> tuple[str, ...]:
    """Return the products that are written, keys of :data:`bids_deepseg.bids.naming.ALL_PRODUCTS`."""
    return choose_products(task_of(options.settings.task), probseg=options.probseg, centerline=options.centerline)


@dataclass(frozen=True, slots=True, eq=False)
class Stamper:
    """States what decides on the results of images beside the images.

    Attributes
    ----------
    specs_of, structure_specs_of : callable
        Return the models of a contrast: of the cord, and of the task beside it.
    specs_along : callable
        Returns the models of the cord where a person corrected the centerline.
    settings : MethodSettings
        How images are segmented.
    contrast : str
        As asked for; ``auto`` becomes the contrast of the image's suffix.
    products : tuple of str
        What is written.
    volume : str
        What is segmented of an anatomical series; recorded for a series only.
    derivatives : tuple of (str, Path)
        Names and folders of data sets with labels of vertebral levels.
    """

    specs_of: Callable[[str | None], tuple[ModelIdentity, ...]]
    structure_specs_of: Callable[[str | None], tuple[ModelIdentity, ...]]
    specs_along: Callable[[str | None], tuple[ModelIdentity, ...]]
    settings: MethodSettings
    contrast: str = "auto"
    products: tuple[str, ...] = tuple(PRODUCTS)
    volume: str = "auto"
    derivatives: tuple[tuple[str, Path], ...] = ()

    @classmethod
    def of(
        cls,
        engine: Engine,
        contrast: str,
        products: tuple[str, ...] = tuple(PRODUCTS),
        volume: str = "auto",
        derivatives: tuple[tuple[str, Path], ...] = (),
    ) -> "Stamper":
        """Return the stamper of an engine, which compares the models of a contrast with their checksums once."""
        specs, structure_specs = functools.cache(engine.specs), functools.cache(engine.structure_specs)
        along = functools.cache(engine.configured(engine.settings.along(Path())).specs)
        return cls(specs, structure_specs, along, engine.settings, contrast, products, volume, derivatives)

    def correction_of(self, image: BidsImage) -> Correction | None:
        """Return what a person corrected in an image."""
        return find_correction(image, self.settings.corrections) if self.settings.corrections else None

    def is_drawn(self, image: BidsImage) -> bool:
        """Tell whether a person drew the mask of an image, so that no network is run."""
        correction = self.correction_of(image)
        return correction is not None and correction.kind == "mask"

    def contrast_of(self, image: BidsImage) -> str | None:
        """Return the contrast of an image."""
        return recorded_contrast(self.contrast, image)

    def stamp(self, image: BidsImage) -> RunStamp:
        """Return the stamp of one image."""
        contrast = self.contrast_of(image)
        recorded: dict[str, str | float | None] = {"contrast": contrast}
        recorded |= {"volume": volume_rule(image, self.volume)} if is_series(image) else {}
        correction = self.correction_of(image)
        corrected = {} if correction is None else correction.facts()
        if correction is not None and correction.kind == "mask":
            # No network has a part in it, and there is no probability; the task works inside of what was drawn.
            products = tuple(product for product in self.products if product != "probseg")
            recorded |= {name: value for name, value in self.settings.facts().items() if name == "task"}
            inner = self.structure_specs_of(contrast)
            return RunStamp(__version__, (), recorded, products, self._levels(image), inner, corrected)
        settings = self.settings if correction is None else self.settings.along(correction.paths[0])
        recorded |= settings.facts()
        given = settings.centerline_file
        inputs = self._levels(image)
        inputs |= {} if given is None else {"Centerline": centerline_sha256(image, given)}
        models = (self.specs_of if correction is None else self.specs_along)(contrast)
        structure_models = self.structure_specs_of(contrast)
        return RunStamp(__version__, models, recorded, self.products, inputs, structure_models, corrected)

    def _levels(self, image: BidsImage) -> dict[str, str]:
        """Return the checksum of the labels of the levels of an image, nothing if there are none."""
        file = find_level_file(image, self.derivatives)
        return {} if file is None else {"VertebralLevels": file.sha256()}


def recorded_contrast(contrast: str, image: BidsImage) -> str | None:
    """Return the contrast that is recorded with the result of an image; ``auto`` becomes that of its suffix."""
    return contrast_of_suffix(image.suffix) if contrast == "auto" else contrast


def plan_images(options: RunOptions, engine: Engine, images: Iterable[BidsImage]) -> Plan:
    """Separate the images that are segmented from those that need not be.

    Parameters
    ----------
    options : RunOptions
        What the user asked for.
    engine : Engine
        Segmentation method; its models are compared with their checksums.
    images : iterable of BidsImage
        Selected images.

    Raises
    ------
    NetworkError
        If a model for one of the images is missing or changed.
    """
    failed = {failure.source for failure in read_failures(options.output_dir)}
    stamper = Stamper.of(engine, options.contrast, wanted_products(options), options.volume, options.derivatives)
    images = tuple(images)
    # A missing network is told before the first image is begun.
    for contrast in dict.fromkeys(stamper.contrast_of(image) for image in images if not stamper.is_drawn(image)):
        stamper.specs_of(contrast)
        stamper.structure_specs_of(contrast)
    # One look at the folder is quicker than one for each image that has no result.
    begun = {path.name for path in options.output_dir.glob("sub-*")}

    def states_of(job: Job) -> frozenset[str]:
        image: BidsImage = job.payload
        saved = read_saved(image, options.output_dir) if f"sub-{image.subject}" in begun else None
        if saved is None:
            return frozenset({"missing", "failed"} if job.name in failed else {"missing"})
        states = {"failed"} if saved.verdict == "fail" else set()
        if not is_current(image, options.output_dir, stamper.stamp(image)):
            states.add("changed")
        return frozenset(states)

    return plan_jobs((job_of(image) for image in images), states_of=states_of, rerun=options.rerun)


def refuse_too_large(options: RunOptions, plan: Plan) -> tuple[Plan, list[Outcome]]:
    """Take the images out of a plan that are expected to need more memory than ``--mem`` allows.

    Returns
    -------
    plan : Plan
        Without them.
    outcomes : list of Outcome
        Their failures.
    """
    if options.memory is None:
        return plan, []
    refused = {}
    for job in plan.todo:
        try:
            megabytes = expect_cost(read_size(job.payload.path)).megabytes
        except ImageError:
            continue
        if megabytes * 1e6 > options.memory:
            refused[job] = MemoryBudgetError(
                f"{job.payload.path.name} is expected to need {megabytes / 1e3:.1f} GB of memory, --mem allows "
                f"{options.memory / 1e9:.1f} GB. Allow more."
            )
    todo = tuple(job for job in plan.todo if job not in refused)
    return replace(plan, todo=todo), [refuse(job.payload, error) for job, error in refused.items()]


def job_of(image: BidsImage) -> Job:
    """Return the job of an image; jobs of one participant are a group."""
    return Job(image.key, image.subject, image)


def refuse(image: BidsImage, error: Exception) -> Outcome:
    """Return the outcome of an image that is not processed at all."""
    return Outcome(job_of(image), "failed", 0.0, describe_failure(error))
