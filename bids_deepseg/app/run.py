"""Run the app on a data set: find the images, plan, segment, write, report.

The participant level reads the input and writes the output; the group level reads the output only.
"""

import logging
from collections import Counter
from collections.abc import Iterable
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial

from bids_deepseg import __version__
from bids_deepseg.app.citation import write_citation, write_only_citation
from bids_deepseg.app.group.level import write_group
from bids_deepseg.app.participant.bar import bar_of
from bids_deepseg.app.participant.conclude import (
    check_logs,
    check_present,
    conclude,
    conclude_current,
    conclude_group,
    conclude_report,
)
from bids_deepseg.app.participant.image_job import ImageWork, await_result
from bids_deepseg.app.participant.planning import (
    is_memory_scarce,
    plan_images,
    refuse,
    refuse_too_large,
    refuse_unnameable,
    request_of,
)
from bids_deepseg.app.participant.progress import Progress
from bids_deepseg.app.participant.report import ReportWork
from bids_deepseg.app.participant.selection import find_selected, log_orphans, log_selection
from bids_deepseg.app.record import RunRecord
from bids_deepseg.bids.derivatives.dataset import write_dataset_files
from bids_deepseg.bids.derivatives.failures import clear_failure, read_failures
from bids_deepseg.bids.derivatives.layout import ResultFiles, adopt_layout
from bids_deepseg.bids.derivatives.saved import find_saved
from bids_deepseg.bids.source.validation import validate_dataset
from bids_deepseg.engine import Engine
from bids_deepseg.errors import DatasetError, InvalidDatasetError
from bids_deepseg.execution import Allocation, Cluster, Job, Outcome, Plan, Watch, run_jobs
from bids_deepseg.files.atomic import output_errors
from bids_deepseg.logs import LogSettings
from bids_deepseg.options.run import RunOptions

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
    adopt_layout(options.output_dir, options.layout)
    if "participant" in options.levels and options.reports_only:
        _rebuild_reports(run)
    elif "participant" in options.levels:
        segment_participants(run)
    if "group" in options.levels:
        collect_group(run)
    check_logs(run.record)
    return run.record.exit_code


def segment_participants(run: Run) -> None:
    """Segment all selected images, write a report for each participant, and describe the data set."""
    options = run.options
    found = find_selected(options, run.record)
    _check_validity(run, found.subjects)
    unnameable, request = refuse_unnameable(options, found.images), request_of(options, run.engine)
    refused = [refuse(request.look_up(image), error) for image, error in unnameable.items()]
    images = [image for image in found.images if image not in unnameable]
    plan, too_large = refuse_too_large(options, plan_images(options, run.engine, images), run.engine.backend)
    refused += too_large
    log_selection(options, found)
    _log_plan(run, plan)
    run.record.n_left_out = len(plan.left_out)
    for outcome in refused:
        conclude(options, run.record, outcome)
    changed = _keep_current(run, plan)
    _segment_images(run, plan)
    _write_reports(run, plan.groups, changed | {outcome.job.group for outcome in refused})
    log_orphans(options)
    describe(options)
    check_present(options.output_dir, run.record, found.images)


def describe(options: RunOptions) -> None:
    """Describe the data set, from what is in it."""
    write_dataset_files(options.output_dir, options.bids_dir, version=__version__, links=options.links)
    write_citation(options.output_dir, version=__version__, markdown_only=options.md_only_boilerplate)


def _rebuild_reports(run: Run) -> None:
    """Write the pages of the selected participants and all tables again, from the results that are there."""
    options = run.options
    found = find_selected(options, run.record)
    log_selection(options, found)
    known = {result.subject for result in find_saved(options.output_dir)}
    known |= {failure.subject for failure in read_failures(options.output_dir)}
    subjects = [subject for subject in found.subjects if subject in known]
    if not subjects:
        raise DatasetError(
            f"{options.output_dir} holds no result of the selected participants. Run without --reports-only first."
        )
    _write_reports(run, (), set(subjects))
    describe(options)
    logger.info("Pages written: %d.", len(subjects))


def _check_validity(run: Run, subjects: tuple[str, ...]) -> None:
    """Run the BIDS validator on the selected participants, and log or raise what it finds."""
    options = run.options
    if options.validation == "off":
        return
    report = validate_dataset(options.bids_dir, subjects)
    if run.record.log_folder is not None and report.details:
        path = run.record.log_folder / "validation.json"
        with output_errors(path):
            path.write_text(report.details, encoding="utf-8", errors="backslashreplace")
    if report.available and not report.n_errors:
        logger.info("%s", report.message)
        return
    errors = "".join(f"\n  {error}" for error in report.errors)
    repeat = f"\n  Repeat with: {report.command}" if report.available else ""
    if options.validation == "error":
        raise InvalidDatasetError(f"{report.message}{errors}{repeat}")
    logger.warning("%s%s%s", report.message, errors, repeat)


def _log_plan(run: Run, plan: Plan) -> None:
    """Say what will be done and what will not."""
    if plan.current:
        logger.info("Up to date: %d images (--rerun all repeats them).", len(plan.current))
    if plan.left_out:
        logger.warning(
            "Left out by --rerun %s: %d images without a result, or with one of an earlier state.",
            " ".join(run.options.rerun),
            len(plan.left_out),
        )
    if plan.todo and run.options.dask_scheduler is not None:
        logger.info(
            "Images to segment on the cluster %s: %d; threads for each: %d.",
            *(run.options.dask_scheduler, len(plan.todo), run.allocation.omp_nthreads),
        )
    elif plan.todo:
        n_workers = min(run.allocation.n_workers, len(plan.todo))
        logger.info(
            "Images to segment: %d; at the same time: %d; threads for each: %d.",
            len(plan.todo),
            n_workers,
            run.allocation.omp_nthreads,
        )


def _keep_current(run: Run, plan: Plan) -> set[str]:
    """Record the images that need not be segmented."""
    failed = {failure.source for failure in read_failures(run.options.output_dir)}
    for job in plan.current:
        image = job.payload.image
        conclude_current(run.options, run.record, image)
        if job.name in failed:
            clear_failure(image, run.options.output_dir)
    return {job.group for job in plan.current if job.name in failed}


def _segment_images(run: Run, plan: Plan) -> None:
    """Segment the images of a plan; a participant's report is written after the last of its images."""
    options, record = run.options, run.record
    work = ImageWork(
        run.engine, partial(ResultFiles.of_image, options.output_dir), run.log_settings, tuple(options.links.items())
    )
    waiting = Counter(job.group for job in plan.todo)
    has_bar = run.log_settings.has_bar and bool(plan.todo)
    progress = Progress(len(plan.todo), in_lines=options.progress and not has_bar)
    record.n_not_run = len(plan.todo)

    def stop(outcome: Outcome) -> bool:
        return options.stop_on_first_crash and outcome.error is not None

    watch, cluster, apart = Watch(progress.begin, stop), _cluster_of(run), is_memory_scarce(plan, run.engine.backend)
    with (
        bar_of(progress) if has_bar else nullcontext(),
        closing(
            run_jobs(plan.todo, work, n_workers=run.allocation.n_workers, apart=apart, cluster=cluster, watch=watch)
        ) as outcomes,
    ):
        for outcome in outcomes:
            if cluster is not None:
                await_result(options.output_dir, outcome)
            conclude(options, record, outcome, progress)
            record.n_not_run -= 1
            waiting[outcome.job.group] -= 1
            if not waiting[outcome.job.group]:
                write_report(run, outcome.job.group)
    if record.n_not_run:
        logger.warning("Not started after the first failure: %d images.", record.n_not_run)


def _cluster_of(run: Run) -> Cluster | None:
    """Return the cluster on which images are segmented, None for this machine."""
    options, folder = run.options, run.record.log_folder
    if options.dask_scheduler is None:
        return None
    return Cluster(options.dask_scheduler, (options.bids_dir, *([] if folder is None else [folder])))


def _write_reports(run: Run, subjects: Iterable[str], changed: set[str]) -> None:
    """Write the reports that are not there or not of these results, and those of ``changed`` participants."""
    work = ReportWork(run.options.bids_dir, run.options.output_dir, run.options.linked_figures)
    failures = tuple(read_failures(run.options.output_dir))
    failed = {entry.subject for entry in run.record.pages}
    for subject in sorted({*subjects, *changed} - failed):
        if subject in changed or work.is_outdated(subject, failures):
            write_report(run, subject)


def write_report(run: Run, subject: str) -> None:
    """Write the report of one participant; that it cannot be drawn stops nothing else."""
    work = ReportWork(run.options.bids_dir, run.options.output_dir, run.options.linked_figures)
    for outcome in run_jobs([Job(f"sub-{subject}.html", subject, subject)], work):
        conclude_report(run.options, run.record, outcome)


def collect_group(run: Run) -> None:
    """Collect the measures of all results in the output folder."""
    try:
        outcome = write_group(run.options.output_dir, run.record.without_input)
    except DatasetError as error:
        # After failures of the participant level, an empty group is no news.
        if run.record.exit_code == 0:
            raise
        logger.warning("%s", error)
    else:
        conclude_group(run.record, outcome)
