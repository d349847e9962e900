"""Run the command line: read it, prepare the process, run the app, and report how it ended by text and exit code.

Everything slow is imported inside functions: ``--help`` needs none of it.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from bids_deepseg import __version__, logs
from bids_deepseg.app.record import RunRecord
from bids_deepseg.cli import example, review, segment, viewer, weights
from bids_deepseg.cli.lifecycle import (
    Ending,
    Prepared,
    ended_by,
    log_settings_of,
    logging_to,
    prepared,
    print_error,
    print_summary,
    run_command,
)
from bids_deepseg.errors import DatasetError
from bids_deepseg.files.names import as_utf8, leads_to_folder, printable
from bids_deepseg.options.config_file import write_config
from bids_deepseg.options.parsing import check_words, parse_arguments
from bids_deepseg.options.run import RunOptions, with_absolute_paths
from bids_deepseg.terminal import complain, say

if TYPE_CHECKING:
    from bids_deepseg.engine import Engine

#: All commands but the run on a data set, in the order of the help.
COMMANDS = (segment.COMMAND, review.COMMAND, viewer.COMMAND, weights.COMMAND, example.COMMAND)

_CALLS = MappingProxyType({f"{command.name} {command.place}": command.text for command in COMMANDS})


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
    kept = "Finished images are kept; run the same command again for the others."
    ending = Ending(interrupted=kept, record=record)
    options = None
    with ended_by(ending):
        check_words(words)
        # The name of a command may be that of a data set as well; a run has more words.
        command = next((each for each in COMMANDS if each.is_called(words)), None)
        if command is not None:
            return run_command(command, words[1:], engine)
        options = parse_arguments(words, _CALLS)
        if options.dask_scheduler is not None:
            options = with_absolute_paths(options)
        ending.debug = options.debug
        ending.code = _run(options, record, engine)
    return ending.code if ending.is_help and options is None else _finish(record, ending, options)


def _run(options: RunOptions, record: RunRecord, engine: "Engine | None") -> int:
    """Check the input, then tell what would be done, or do it."""
    from bids_deepseg.bids.derivatives.ownership import check_ours  # noqa: PLC0415 - not needed for --help

    if options.dask_scheduler is not None:
        from bids_deepseg.execution.cluster import check_installed  # noqa: PLC0415 - not needed for --help

        check_installed()
    # Warnings about what is read now have the form of the others; the files of the log come later.
    with logging_to(log_settings_of(options)):
        _check_input(options)
        check_ours(options.output_dir)
        if options.dry_run:
            text = _preview(options, record, engine)
        else:
            return _run_levels(options, record, engine)
    say(text)
    return 0


def _run_levels(options: RunOptions, record: RunRecord, engine: "Engine | None") -> int:
    """Prepare folders, logs and environment, then run the levels."""
    with prepared(options, record) as process:
        if record.log_folder is not None:
            _write_config(options, process, record.log_folder)

        from bids_deepseg.app.run import Run, run_app  # noqa: PLC0415 - loads numpy, which reads the environment
        from bids_deepseg.engine import NetworkEngine  # noqa: PLC0415
        from bids_deepseg.networks.backend import AUTO  # noqa: PLC0415

        configured = (engine or NetworkEngine(backend=process.backend or AUTO)).configured(options.settings)
        return run_app(Run(options, process.allocation, configured, record, process.log_settings))


def _preview(options: RunOptions, record: RunRecord, engine: "Engine | None") -> str:
    """Return what a run would do, in words or as JSON; nothing is written."""
    from bids_deepseg.app.participant.dry_run import describe_preview, preview_lines, preview_run  # noqa: PLC0415
    from bids_deepseg.cli.machine import allocate  # noqa: PLC0415 - not needed for --help, as the others
    from bids_deepseg.engine import NetworkEngine  # noqa: PLC0415
    from bids_deepseg.files.atomic import check_possible  # noqa: PLC0415

    for folder in filter(None, (options.output_dir, options.work_dir)):
        check_possible(folder)
    configured = (engine or NetworkEngine(backend=options.backend)).configured(options.settings)
    preview = preview_run(options, allocate(options, configured.backend), configured, record)
    if options.log_format == "json":
        return json.dumps(describe_preview(preview), ensure_ascii=False)
    return "\n".join(printable(line) for line in preview_lines(preview))


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


def _write_config(options: RunOptions, process: Prepared, folder: Path) -> None:
    """Write ``config.toml``, what was asked for, and ``config.json``, with what it is run."""
    write_config(options, folder / "config.toml")
    content = {
        "version": __version__,
        "python": sys.version,
        "command": sys.argv,
        "allocation": asdict(process.allocation),
        "backend": process.backend,
    }
    text = json.dumps(content, indent=2, default=str, ensure_ascii=False)
    (folder / "config.json").write_bytes(as_utf8(f"{text}\n"))


def _finish(record: RunRecord, ending: Ending, options: RunOptions | None) -> int:
    """Tell how the run ended; the last line is for programs."""
    as_json = options is not None and options.log_format == "json"
    code = ending.code
    try:
        record.write(code, ending.message)
    except (OSError, ValueError) as error:
        print_error(f"The summary could not be written: {error}", as_json=as_json)
    if ending.message:
        print_error(ending.message, as_json=as_json)
    elif code:
        text = f"bids_deepseg ended with code {code}: {record.failures_in_words}."
        complain(logs.error_line(text)) if as_json else complain(text)
    elif not as_json and options is not None and options.verbosity >= 0:
        say("Nothing was written." if options.dry_run else "bids_deepseg finished successfully.")
    print_summary(record.summary(code))
    return code
