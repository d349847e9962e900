"""Plan the images of a run: which have a result already, which are segmented, which would need too much memory.

Terms: an image is *missing* when it has no result, *failed* when an earlier run recorded that or judged the result as
``fail``, *changed* when its result is of another source, network, version or option.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace

from bids_deepseg.app.participant.cost import expect_cost, worker_bytes
from bids_deepseg.app.participant.known import KnownImage, Request
from bids_deepseg.bids.derivatives.failures import read_failures
from bids_deepseg.bids.derivatives.saved import is_current, read_saved
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import OPTIONAL_PRODUCTS, ResultNames, choose_products, find_collisions
from bids_deepseg.engine import Engine, ModelStore
from bids_deepseg.errors import BidsDeepsegError, MemoryBudgetError, OutputError
from bids_deepseg.execution.outcome import Job, Outcome, describe_failure
from bids_deepseg.execution.plan import Plan, plan_jobs
from bids_deepseg.execution.resources import memory_of_one
from bids_deepseg.files.atomic import longest_name, too_long
from bids_deepseg.options.run import RunOptions
from bids_deepseg.stages.findings import Measured
from bids_deepseg.structures.tasks import task_of

logger = logging.getLogger(__name__)


def request_of(options: RunOptions, engine: Engine) -> Request:
    """Return what the options ask for all images."""
    return Request(engine.settings, options.contrast, _wanted_products(options), options.volume, options.derivatives)


def _wanted_products(options: RunOptions) -> tuple[str, ...]:
    """Return the products that the options ask for."""
    return choose_products(task_of(options.settings.task), probseg=options.probseg, centerline=options.centerline)


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
    request, models = request_of(options, engine), ModelStore(engine)
    jobs = [job_of(request.look_up(image)) for image in images]
    # A missing network is reported before the first image is started.
    for contrast in dict.fromkeys(job.payload.contrast for job in jobs if not job.payload.is_drawn):
        models.specs(engine.settings, contrast)
        models.structure_specs(contrast)
    # One look at the folder is quicker than one for each image that has no result.
    begun = {path.name for path in options.output_dir.glob("sub-*")}

    def states_of(job: Job) -> frozenset[str]:
        known: KnownImage = job.payload
        saved = read_saved(known.image, options.output_dir) if f"sub-{job.group}" in begun else None
        if saved is None:
            return frozenset({"missing", "failed"} if job.name in failed else {"missing"})
        states = {"failed"} if saved.verdict == "fail" else set()
        if not is_current(known.image, options.output_dir, known.cache_key(models)):
            states.add("changed")
        return frozenset(states)

    return plan_jobs(jobs, states_of=states_of, rerun=options.rerun)


def refuse_unnameable(options: RunOptions, images: Iterable[BidsImage]) -> dict[BidsImage, BidsDeepsegError]:
    """Find the images whose results could not be written under their names.

    Returns
    -------
    dict of BidsImage to BidsDeepsegError
        Images whose results would share a name, or of whose results one would have a name that is too long.
    """
    images = tuple(images)
    refused: dict[BidsImage, BidsDeepsegError] = dict(find_collisions(images))
    most, products = longest_name(options.output_dir), set(_wanted_products(options)) - OPTIONAL_PRODUCTS
    for image in images:
        named = ResultNames.of_image(image)
        names = [
            path.rpartition("/")[2] for product in products for path in (named.path(product), named.sidecar(product))
        ]
        problem = too_long(max(names, key=len), most)
        if problem and image not in refused:
            refused[image] = OutputError(f"The results of {image.path.name} cannot be written: {problem}.")
    return refused


def refuse_too_large(options: RunOptions, plan: Plan, backend: str) -> tuple[Plan, list[Outcome]]:
    """Take the images out of a plan that are expected to need more memory than ``--mem`` allows, or than is free.

    Returns
    -------
    plan : Plan
        Without them.
    outcomes : list of Outcome
        Their failures.
    """
    # What is free here says nothing of the machines of a cluster.
    free = None if options.dask_scheduler is not None else memory_of_one()
    found = ((job, find_lack_of_memory(job.payload, backend, options.memory, free)) for job in plan.todo)
    refused = {job: error for job, error in found if error}
    todo = tuple(job for job in plan.todo if job not in refused)
    return replace(plan, todo=todo), [refuse(job.payload, error) for job, error in refused.items()]


def find_lack_of_memory(
    known: KnownImage, backend: str, allowed: int | None, free: int | None
) -> MemoryBudgetError | None:
    """Tell whether an image is expected to need more memory than there is.

    Parameters
    ----------
    known : KnownImage
        The image; one whose header cannot be read is reported when it is segmented.
    backend : str
        Library that computes the networks.
    allowed, free : int or None
        Bytes that the user allows, and that one process may use; None for no limit.
    """
    if isinstance(known.size, str):
        return None
    image, megabytes = known.image, expect_cost(known.size, backend).megabytes
    if allowed is not None and megabytes * 1e6 > allowed:
        return MemoryBudgetError(_lack(image, megabytes, "--mem allows {} GB. Allow more.", allowed))
    if free is not None and megabytes * 1e6 > free:
        advice = "this process may use {} GB. End other programs, or give it more memory."
        return MemoryBudgetError(_lack(image, megabytes, advice, free))
    return None


def is_memory_scarce(plan: Plan, backend: str) -> bool:
    """Return whether a process that segments the images of a plan may be ended for lack of memory.

    Libraries end their process if the system gives them no memory, and reserve up to twice of what they use.

    Parameters
    ----------
    plan : Plan
        What will be done.
    backend : str
        Library that computes the networks; without one, nothing is scarce.
    """
    free = memory_of_one()
    if free is None or not backend:
        return False
    sizes = [job.payload.size for job in plan.todo]
    needed = [expect_cost(size, backend).megabytes * 1e6 for size in sizes if not isinstance(size, str)]
    return free < 2 * max([worker_bytes(backend), *needed])


def _lack(image: BidsImage, megabytes: float, advice: str, limit: int) -> str:
    """Say how much memory an image needs and how much there is; the shown numbers do not contradict each other."""
    shown = round(limit / 1e9, 1)
    needed = Measured(megabytes / 1e3, shown)
    return f"{image.path.name} is expected to need {needed:.1f} GB of memory, {advice.format(shown)}"


def job_of(known: KnownImage) -> Job:
    """Return the job of an image; jobs of one participant are a group."""
    return Job(known.image.key, known.image.subject, known)


def refuse(known: KnownImage, error: Exception) -> Outcome:
    """Return the outcome of an image that is not processed at all."""
    return Outcome(job_of(known), "failed", 0.0, describe_failure(error))
