"""Run the command line: read it, prepare the process, run the app, and report how it ended by text and exit code.

Everything slow is imported inside of functions: ``--help`` needs none of it.
"""

import json
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from bids_deepseg import __version__
from bids_deepseg.app.record import RunRecord
from bids_deepseg.cli.process import Interrupted, environment, signals_raise, variables
from bids_deepseg.cli.segment import is_segment_command, run_segment
from bids_deepseg.cli.viewer import is_viewer_command, run_viewer
from bids_deepseg.cli.weights import is_weights_command, run_weights
from bids_deepseg.errors import BidsDeepsegError, DatasetError, UsageError
from bids_deepseg.files.names import as_utf8, leads_to_folder, printable
from bids_deepseg.logs import error_line
from bids_deepseg.options.config_file import write_config
from bids_deepseg.options.parsing import check_words, parse_arguments
from bids_deepseg.options.run import RunOptions
from bids_deepseg.terminal import complain, say

if TYPE_CHECKING:
    from bids_deepseg.engine import Engine
    from bids_deepseg.execution import Allocation


def main(argv: Sequence[str] | None = None, *, engine: "Engine | None" = None) -> int:
    """Run the app.

    Parameters
    ----------
    argv : sequence of str, optional
        Words of the command line, without the name of the program; those of the process by default.
    engine : Engine, optional
        Segmentation method; the package's networks by default.

    Returns
    -------
    int
        Exit code of the process.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    record = RunRecord()
    try:
        check_words(words)
        # The name of a subcommand may be that of a data set as well; a run has more words.
        for is_command, run_command in _SUBCOMMANDS:
            if is_command(words):
                return _run_command(run_command, words[1:])
        if is_segment_command(words):
            return run_segment(words[1:], say=say, complain=complain, engine=engine)
        options = parse_arguments(words)
    except SystemExit as end:
        return int(end.code or 0)
    except BidsDeepsegError as error:
        return _finish(record, error.exit_code, str(error))
    return _run_and_tell(options, record, engine)


def _run_and_tell(options: RunOptions, record: RunRecord, engine: "Engine | None") -> int:
    """Run the app, and turn whatever ends it into an exit code and the last line."""
    try:
        with signals_raise():
            code = _run(options, record, engine)
    except BidsDeepsegError as error:
        if options.debug:
            traceback.print_exc()
        return _finish(record, error.exit_code, str(error), options)
    except Interrupted as end:
        name = signal.Signals(end.number).name
        text = f"Interrupted by {name}. Finished images are kept; run the same command again for the others."
        return _finish(record, 128 + end.number, text, options)
    except Exception as error:
        return _finish(record, *_describe(error, record, options), options)
    return _finish(record, code, options=options)


def _run(options: RunOptions, record: RunRecord, engine: "Engine | None") -> int:
    """Check the input, then report what would be done, or do it."""
    from bids_deepseg import logs  # noqa: PLC0415 - not needed for --help, as everything below
    from bids_deepseg.bids.derivatives.ownership import check_ours  # noqa: PLC0415

    as_json = options.log_format == "json"
    with ExitStack() as stack:
        stack.callback(logs.close)
        # Warnings about what is read now have the form of the others; the files of the log come later.
        logs.configure(logs.LogSettings(None, options.verbosity, as_json))
        _check_input(options)
        check_ours(options.output_dir)
        if options.dry_run:
            return _preview(options, record, engine)
        return _run_levels(options, record, engine)


def _run_levels(options: RunOptions, record: RunRecord, engine: "Engine | None") -> int:
    """Prepare folders, logs and environment, then run the levels."""
    from bids_deepseg import logs  # noqa: PLC0415 - not needed for --help, as everything below
    from bids_deepseg.app.workspace import (  # noqa: PLC0415
        clean_leftovers,
        create_log_folder,
        prepare_output,
        temporary_folder,
    )
    from bids_deepseg.execution.device import choose_device, tell_device  # noqa: PLC0415

    device = choose_device(options.device) if "participant" in options.levels else "cpu"
    prepare_output(options.output_dir)
    record.log_folder = create_log_folder(options.output_dir)
    settings = logs.LogSettings(record.log_folder, options.verbosity, options.log_format == "json")
    with ExitStack() as stack:
        stack.callback(logs.close)
        logs.configure(settings)
        tell_device(options.device, device)
        allocation = _allocate(options)
        if options.clean_work:
            clean_leftovers(options.work_dir, options.output_dir)
        keep = options.keep_work or options.debug
        folder = stack.enter_context(temporary_folder(options.work_dir, options.output_dir, keep=keep))
        stack.enter_context(environment(variables(allocation, folder, device, low_memory=options.low_memory)))
        _write_config(options, allocation, record.log_folder)

        from bids_deepseg.app.run import Run, run_app  # noqa: PLC0415 - loads numpy, which reads the environment
        from bids_deepseg.engine import NetworkEngine  # noqa: PLC0415

        configured = (engine or NetworkEngine()).configured(options.settings)
        return run_app(Run(options, allocation, configured, record, settings))


def _preview(options: RunOptions, record: RunRecord, engine: "Engine | None") -> int:
    """Tell what a run would do; nothing is written."""
    from bids_deepseg import logs  # noqa: PLC0415 - not needed for --help, as everything below
    from bids_deepseg.app.participant.dry_run import describe_preview, preview_run, tell_preview  # noqa: PLC0415
    from bids_deepseg.engine import NetworkEngine  # noqa: PLC0415
    from bids_deepseg.files.atomic import check_possible  # noqa: PLC0415

    as_json = options.log_format == "json"
    try:
        logs.configure(logs.LogSettings(None, options.verbosity, as_json))
        for folder in filter(None, (options.output_dir, options.work_dir)):
            check_possible(folder)
        configured = (engine or NetworkEngine()).configured(options.settings)
        preview = preview_run(options, _allocate(options), configured, record)
    finally:
        logs.close()
    plan = json.dumps(describe_preview(preview), ensure_ascii=False) if as_json else ""
    text = plan or "\n".join(printable(line) for line in tell_preview(preview))
    say(text)
    return 0


def _allocate(options: RunOptions) -> "Allocation":
    """Divide processors and memory."""
    from bids_deepseg.execution import resources  # noqa: PLC0415 - not needed for --help

    return resources.allocate(
        n_cpus=options.n_cpus,
        omp_nthreads=options.omp_nthreads,
        cpus=resources.available_cpus(),
        memory=resources.usable_memory(options.memory, resources.available_memory()),
        most_workers=1 if options.low_memory else None,
    )


def _check_input(options: RunOptions) -> None:
    """Make sure that there is an input, before anything is created.

    Raises
    ------
    DatasetError
        If the folder that the first level reads is missing or no data set.
    """
    if "participant" in options.levels and not options.boilerplate_only:
        from bids_deepseg.bids.source.walk import list_participants  # noqa: PLC0415 - not needed for --help

        list_participants(options.bids_dir)
        if options.filter_file:
            from bids_deepseg.app.participant.selection import make_selection  # noqa: PLC0415

            make_selection(options)
    elif not leads_to_folder(options.output_dir):
        raise DatasetError(
            f"The folder {options.output_dir} does not exist. The output of the participant level is expected there. "
            "Run that first."
        )


def _write_config(options: RunOptions, allocation: "Allocation", folder: Path) -> None:
    """Write ``config.toml``, what was asked for, and ``config.json``, with what it is run."""
    write_config(options, folder / "config.toml")
    content = {
        "version": __version__,
        "python": sys.version,
        "command": sys.argv,
        "allocation": asdict(allocation),
    }
    text = json.dumps(content, indent=2, default=str, ensure_ascii=False)
    (folder / "config.json").write_bytes(as_utf8(f"{text}\n"))


def _describe(error: Exception, record: RunRecord, options: RunOptions) -> tuple[int, str]:
    """Return code and message of an error that is none of ours; keep its traceback in the logs if nobody foresaw it."""
    from bids_deepseg.execution.outcome import describe_failure  # noqa: PLC0415 - not needed for --help

    path = record.log_folder and record.log_folder / "crash.txt"
    failure = describe_failure(error, record=str(path or "the lines above"))
    if options.debug or not (failure.is_expected or path):
        traceback.print_exc()
    if path and not failure.is_expected:
        try:
            path.write_bytes(as_utf8(failure.traceback))
        except OSError:
            failure = describe_failure(error, record="what --debug shows")
    return failure.exit_code, failure.message


def _finish(record: RunRecord, code: int, message: str = "", options: RunOptions | None = None) -> int:
    """Tell how the run ended; the last line is for programs."""
    as_json = options is not None and options.log_format == "json"
    try:
        record.write(code, message)
    except (OSError, ValueError) as error:
        _tell_error(f"The summary could not be written: {error}", as_json=as_json)
    if message:
        _tell_error(message, as_json=as_json)
    elif code:
        text = f"bids_deepseg ended with code {code}: {record.told}."
        complain(error_line(text)) if as_json else complain(text)
    elif not as_json and options is not None and options.verbosity >= 0:
        say("Nothing was written." if options.dry_run else "bids_deepseg finished successfully.")
    say("bids_deepseg-summary " + json.dumps(record.summary(code), ensure_ascii=False))
    return code


def _tell_error(message: str, *, as_json: bool) -> None:
    """Write an error to the terminal."""
    complain(error_line(message) if as_json else f"ERROR: {message}")


def _is_example_command(words: Sequence[str]) -> bool:
    """Tell ``example DIR`` from a run on a data set in a folder called ``example``: a run has more words."""
    return words[:1] == ["example"] and len(words) <= 2


def _write_example(words: Sequence[str], *, say: Callable[[str], None]) -> int:
    """Write the example data set: ``bids_deepseg example DIR``."""
    if words in (["-h"], ["--help"]):
        say("usage: bids_deepseg example DIR\n\nWrite a small BIDS data set with synthetic images into DIR.")
        return 0
    if len(words) != 1 or words[0].startswith("-") or not words[0]:
        raise UsageError("One folder is expected. Usage: bids_deepseg example DIR")
    from bids_deepseg.example import write_example  # noqa: PLC0415
    from bids_deepseg.files.atomic import output_errors  # noqa: PLC0415 - not needed for --help

    folder = Path(words[0])
    with output_errors(folder):
        write_example(folder)
    output = folder / "derivatives" / "bids_deepseg"
    say(f"Wrote an example data set to {folder}. Segment it with:\n  bids_deepseg {folder} {output} participant group")
    return 0


def _run_command(command: Callable[..., int], words: Sequence[str]) -> int:
    """Run a subcommand that is no run: it writes no summary."""
    try:
        with signals_raise():
            return command(words, say=say)
    except BidsDeepsegError as error:
        complain(f"ERROR: {error}")
        return error.exit_code
    except Interrupted as end:
        return 128 + end.number
    except Exception as error:
        from bids_deepseg.execution.outcome import describe_failure  # noqa: PLC0415 - not needed for --help

        failure = describe_failure(error, record="the lines above")
        if not failure.is_expected:
            traceback.print_exc()
        complain(f"ERROR: {failure.message}")
        return failure.exit_code


#: Commands that are no run, and how their words are told from those of one.
_SUBCOMMANDS = (
    (_is_example_command, _write_example),
    (is_weights_command, run_weights),
    (is_viewer_command, run_viewer),
)
