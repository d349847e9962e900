"""Plan the images of a run: which have a result already, which are segmented, which would need too much memory.

Terms: an image is *missing* when it has no result, *failed* when an earlier run recorded that or judged the result as
``fail``, *changed* when its result is of another source, network, version or option.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace

from bids_deepseg.app.participant.cost import expect_cost
from bids_deepseg.app.participant.known import KnownImage, Request
from bids_deepseg.bids.derivatives.failures import read_failures
from bids_deepseg.bids.derivatives.saved import is_current, read_saved
from bids_deepseg.bids.naming import choose_products
from bids_deepseg.bids.source.header import read_size
from bids_deepseg.bids.source.query import BidsImage
from bids_deepseg.engine import Engine, ModelStore
from bids_deepseg.errors import ImageError, MemoryBudgetError
from bids_deepseg.execution.outcome import Job, Outcome, describe_failure
from bids_deepseg.execution.plan import Plan, plan_jobs
from bids_deepseg.options.run import RunOptions
from bids_deepseg.structures.tasks import task_of

logger = logging.getLogger(__name__)


def request_of(options: RunOptions, engine: Engine) -> Request:
    """Return what the options ask for all images."""
    products = choose_products(task_of(options.settings.task), probseg=options.probseg, centerline=options.centerline)
    return Request(engine.settings, options.contrast, products, options.volume, options.derivatives)


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
    # A missing network is told before the first image is begun.
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
            megabytes = expect_cost(read_size(job.payload.image.path)).megabytes
        except ImageError:
            continue
        if megabytes * 1e6 > options.memory:
            refused[job] = MemoryBudgetError(
                f"{job.payload.image.path.name} is expected to need {megabytes / 1e3:.1f} GB of memory, --mem allows "
                f"{options.memory / 1e9:.1f} GB. Allow more."
            )
    todo = tuple(job for job in plan.todo if job not in refused)
    return replace(plan, todo=todo), [refuse(job.payload, error) for job, error in refused.items()]


def job_of(known: KnownImage) -> Job:
    """Return the job of an image; jobs of one participant are a group."""
    return Job(known.image.key, known.image.subject, known)


def refuse(known: KnownImage, error: Exception) -> Outcome:
    """Return the outcome of an image that is not processed at all."""
    return Outcome(job_of(known), "failed", 0.0, describe_failure(error))
