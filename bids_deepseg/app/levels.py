"""Run the app on a data set: find the images, plan, segment, write, report.

The participant level reads the input and writes the output; the group level reads the output only.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass

from bids_deepseg import __version__
from bids_deepseg.app.citation import write_citation, write_only_citation
from bids_deepseg.app.conclude import Progress, conclude, conclude_current, conclude_report
from bids_deepseg.app.engine import Engine
from bids_deepseg.app.group import write_group
from bids_deepseg.app.image_job import ImageWork, make_stamp
from bids_deepseg.app.record import RunRecord
from bids_deepseg.app.subject_report import ReportWork
from bids_deepseg.bids.dataset import write_dataset_files
from bids_deepseg.bids.failures import clear_failure, read_failures
from bids_deepseg.bids.naming import find_collisions
from bids_deepseg.bids.query import BidsImage, QueryResult, Selection, find_images
from bids_deepseg.bids.saved import is_current
from bids_deepseg.bids.validation import validate_dataset
from bids_deepseg.bids.walk import list_participants
from bids_deepseg.errors import DatasetError, InvalidDatasetError, SelectionError
from bids_deepseg.execution import Allocation, Job, Outcome, Plan, plan_jobs, run_jobs
from bids_deepseg.execution.outcome import describe_failure
from bids_deepseg.logs import LogSettings
from bids_deepseg.options import RunOptions

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """Everything that a run needs to know.

    Attributes
    ----------
    options : RunOptions
        What the user asked for.
    allocation : Allocation
        Processors and workers.
    engine : Engine
        Segmentation method.
    record : RunRecord
        Filled with what happens.
    log_settings : LogSettings
        How worker processes log.
    """

    options: RunOptions
    allocation: Allocation
    engine: Engine
    record: RunRecord
    log_settings: LogSettings


def run_app(run: Run) -> int:
    """Run the levels that were asked for.

    Returns
    -------
    int
        Exit code: 0 if every selected image has a result.
    """
    options = run.options
    if options.boilerplate_only:
        write_only_citation(options.output_dir, version=__version__, markdown_only=options.md_only_boilerplate)
        return run.record.exit_code
    if "participant" in options.levels:
        segment_participants(run)
    if "group" in options.levels:
        collect_group(run)
    return run.record.exit_code


def segment_participants(run: Run) -> None:
    """Segment all selected images, write a report for each participant, and describe the data set."""
    found = find_selected(run)
    check_validity(run, found.subjects)
    collisions = find_collisions(found.images)
    refused = [_refuse(image, error) for image, error in collisions.items()]
    plan = plan_images(run, [image for image in found.images if image not in collisions])
    tell_plan(run, found, plan)
    for outcome in refused:
        conclude(run.options, run.record, outcome)
    changed = keep_current(run, plan)
    segment_images(run, plan)
    write_reports(run, plan.groups, changed | {outcome.job.group for outcome in refused})
    write_dataset_files(run.options.output_dir, run.options.bids_dir, version=__version__)
    write_citation(run.options.output_dir, version=__version__, markdown_only=run.options.md_only_boilerplate)


def find_selected(run: Run) -> QueryResult:
    """Find the images, and tell what was asked for and is not there.

    Raises
    ------
    SelectionError
        If the labels select nothing, or one is unknown and that was declared an error.
    DatasetError
        If no participant has a usable image.
    """
    options = run.options
    participants = frozenset(options.participants) or None
    if options.exclude_participants:
        existing = frozenset(list_participants(options.bids_dir))
        for label in sorted(set(options.exclude_participants) - existing):
            logger.warning("The participant %s, which is to be left out, does not exist.", label)
        participants = (participants or existing) - frozenset(options.exclude_participants)
        if not participants:
            raise SelectionError("All participants are left out by --exclude-participant-label. Leave out fewer.")
    sessions = frozenset(options.sessions) or None
    wanted = Selection(participants, sessions)
    if options.suffixes:
        wanted = Selection(participants, sessions, frozenset(options.suffixes))
    found = find_images(options.bids_dir, wanted)
    unknown = [f"{label} (nearest: {near})" if near else label for label, near in found.unknown_participants.items()]
    if unknown and options.on_missing == "error":
        raise SelectionError(f"These participants do not exist: {', '.join(unknown)}. Correct the labels.")
    if unknown:
        logger.warning("These participants do not exist: %s.", ", ".join(unknown))
    run.record.without_input.update(found.without_images)
    if not found.images:
        reasons = "; ".join(f"sub-{label}: {reason}" for label, reason in list(found.without_images.items())[:5])
        raise DatasetError(f"No participant has a usable image ({reasons}). Give a data set with images of the spine.")
    return found


def check_validity(run: Run, subjects: tuple[str, ...]) -> None:
    """Run the BIDS validator on the selected participants, and tell or raise what it finds.

    Raises
    ------
    InvalidDatasetError
        If the data set is not valid and ``--bids-validation error`` was given.
    """
    options = run.options
    if options.validation == "off":
        return
    report = validate_dataset(options.bids_dir, subjects)
    if run.record.log_folder is not None and report.details:
        (run.record.log_folder / "validation.json").write_text(report.details, encoding="utf-8")
    if report.available and not report.n_errors:
        logger.info("%s", report.message)
        return
    errors = "".join(f"\n  {error}" for error in report.errors)
    repeat = f"\n  Repeat with: {report.command}" if report.available else ""
    if options.validation == "error":
        raise InvalidDatasetError(f"{report.message}{errors}{repeat}")
    logger.warning("%s%s%s", report.message, errors, repeat)


def plan_images(run: Run, images: Iterable[BidsImage]) -> Plan:
    """Separate the images that have an up-to-date result from the others."""
    specs = run.engine.specs()
    options = run.options

    def has_result(job: Job) -> bool:
        return is_current(job.payload, options.output_dir, make_stamp(specs, options.contrast, job.payload))

    jobs = [Job(image.relative_path, image.subject, image) for image in images]
    return plan_jobs(jobs, is_current=has_result, rerun=options.rerun)


def tell_plan(run: Run, found: QueryResult, plan: Plan) -> None:
    """Say what will be done and what will not."""
    for label, reason in found.without_images.items():
        logger.warning("sub-%s has no usable image: %s.", label, reason)
    for skipped in found.skipped:
        logger.warning("%s is not segmented: %s", skipped.path.relative_to(run.options.bids_dir), skipped.reason)
    if found.unsupported:
        counts = ", ".join(f"{n} {suffix}" for suffix, n in sorted(found.unsupported.items()))
        logger.info("Not selected: %s.", counts)
    if plan.current:
        logger.info(
            "Up to date: %d of %d images (--rerun all repeats them).",
            len(plan.current),
            len(plan.current) + len(plan.todo),
        )
    if run.options.sessions:
        logger.info("Images that belong to no session are included.")
    if plan.todo:
        n_workers = min(run.allocation.n_workers, len(plan.todo))
        logger.info(
            "Images to segment: %d; at the same time: %d; threads for each: %d.",
            len(plan.todo),
            n_workers,
            run.allocation.omp_nthreads,
        )


def keep_current(run: Run, plan: Plan) -> set[str]:
    """Record the images that need not be segmented.

    Returns
    -------
    set of str
        Participants of whom an image counted as failed until now: it was damaged and is repaired.
    """
    failed = {failure.source for failure in read_failures(run.options.output_dir)}
    for job in plan.current:
        conclude_current(run.options, run.record, job.payload)
        if job.name in failed:
            clear_failure(job.payload, run.options.output_dir)
    return {job.group for job in plan.current if job.name in failed}


def segment_images(run: Run, plan: Plan) -> None:
    """Segment the images of a plan; a participant's report is written after the last of its images."""
    options, record = run.options, run.record
    work = ImageWork(run.engine, options.output_dir, options.contrast, run.log_settings)
    waiting = Counter(job.group for job in plan.todo)
    progress = Progress(len(plan.todo))
    record.n_not_run = len(plan.todo)

    def stop(outcome: Outcome) -> bool:
        return options.stop_on_first_crash and outcome.error is not None

    with closing(run_jobs(plan.todo, work, n_workers=run.allocation.n_workers, stop=stop)) as outcomes:
        for outcome in outcomes:
            conclude(options, record, outcome, progress)
            record.n_not_run -= 1
            waiting[outcome.job.group] -= 1
            if not waiting[outcome.job.group]:
                write_report(run, outcome.job.group)
    if record.n_not_run:
        logger.warning("Not begun after the first failure: %d images.", record.n_not_run)


def write_reports(run: Run, subjects: Iterable[str], changed: set[str]) -> None:
    """Write the reports that are not there, or older than a result, and those of ``changed`` participants."""
    work = ReportWork(run.options.bids_dir, run.options.output_dir)
    for subject in sorted({*subjects, *changed}):
        if subject in changed or work.is_outdated(subject):
            write_report(run, subject)


def write_report(run: Run, subject: str) -> None:
    """Write the report of one participant; that it cannot be drawn stops nothing else."""
    work = ReportWork(run.options.bids_dir, run.options.output_dir)
    for outcome in run_jobs([Job(f"sub-{subject}.html", subject, subject)], work):
        conclude_report(run.options, run.record, outcome)


def collect_group(run: Run) -> None:
    """Collect the measures of all results in the output folder."""
    try:
        n_rows = write_group(run.options.output_dir, run.record.without_input)
    except DatasetError as error:
        # After failures of the participant level, an empty group is no news.
        if run.record.exit_code == 0:
            raise
        logger.warning("%s", error)
    else:
        logger.info("Rows in group_label-SC_morph.tsv: %d", n_rows)


def _refuse(image: BidsImage, error: Exception) -> Outcome:
    """Return the outcome of an image that is not processed at all."""
    return Outcome(Job(image.relative_path, image.subject, image), "failed", 0.0, describe_failure(error))
