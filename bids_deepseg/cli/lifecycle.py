"""Run a command from its words to its exit code: one way for all commands.

Whatever ends a command becomes an exit code and a message; where it counts images, the last line is for programs.
Everything slow is imported inside functions: ``--help`` needs none of it.
"""

import json
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bids_deepseg import logs
from bids_deepseg.app.record import RunRecord
from bids_deepseg.cli.process import Interrupted, environment, give_memory_back, signals_raise, variables
from bids_deepseg.errors import BidsDeepsegError
from bids_deepseg.files.names import as_utf8
from bids_deepseg.options.image import SegmentOptions
from bids_deepseg.options.run import LEVELS, RunOptions
from bids_deepseg.terminal import can_redraw, complain, say

if TYPE_CHECKING:
    from bids_deepseg.engine import Engine
    from bids_deepseg.execution import Allocation


@dataclass(frozen=True, slots=True)
class Command:
    """A command other than the run on a data set.

    Attributes
    ----------
    name : str
        First word of the command line.
    place : str
        What follows it, for the help.
    text : str
        What it does, in one line.
    run : callable
        Does the work with the words after the name and an engine; returns the exit code or raises.
    counts_images : bool
        Whether the last line is the summary for programs.
    most_words : int or None
        Number of words, that of the name included, above which the line is no call of this command.
    first_words : frozenset of str
        Words that may follow the name; empty for any.
    """

    name: str
    place: str
    text: str
    run: "Callable[[Sequence[str], Engine | None], int]"
    counts_images: bool = False
    most_words: int | None = None
    first_words: frozenset[str] = frozenset()

    def is_called(self, words: Sequence[str]) -> bool:
        """Tell a call of this command from a run on a data set in a folder of the same name: a run has a level."""
        if words[:1] != [self.name] or not set(LEVELS).isdisjoint(words[2:]):
            return False
        if self.most_words is not None and len(words) > self.most_words:
            return False
        return len(words) == 1 or not self.first_words or words[1] in self.first_words


@dataclass(slots=True)
class Ending:
    """How a command ends; filled while it runs.

    Attributes
    ----------
    code : int
        Exit code.
    message : str
        What ended it, empty if nothing unusual did.
    is_help : bool
        Whether nothing was to be done but to show the help or the version.
    debug : bool
        Whether the place in the code is shown for errors that are expected, too.
    interrupted : str
        What is said after an interruption, empty for nothing.
    record : RunRecord
        The folder of its logs takes the traceback of an error that nobody foresaw.
    """

    code: int = 0
    message: str = ""
    is_help: bool = False
    debug: bool = False
    interrupted: str = ""
    record: RunRecord | None = None


@contextmanager
def ended_by(ending: Ending) -> Iterator[None]:
    """Run a block, and turn whatever ends it early into an exit code and a message."""
    try:
        with signals_raise():
            yield
    except SystemExit as end:
        ending.code, ending.is_help = int(end.code or 0), True
    except BidsDeepsegError as error:
        if ending.debug:
            traceback.print_exc()
        ending.code, ending.message = error.exit_code, str(error)
    except Interrupted as end:
        name = signal.Signals(end.number).name
        ending.code = 128 + end.number
        ending.message = f"Interrupted by {name}. {ending.interrupted}" if ending.interrupted else ""
    except Exception as error:
        ending.code, ending.message = _describe(error, ending)


def _describe(error: Exception, ending: Ending) -> tuple[int, str]:
    """Return code and message of an error that is none of ours; keep its traceback in the logs if nobody foresaw it."""
    from bids_deepseg.execution.outcome import describe_failure  # noqa: PLC0415 - not needed for --help

    folder = ending.record and ending.record.log_folder
    path = folder and folder / "crash.txt"
    failure = describe_failure(error, record=str(path or "the lines above"))
    if ending.debug or not (failure.is_expected or path):
        traceback.print_exc()
    if path and not failure.is_expected:
        try:
            path.write_bytes(as_utf8(failure.traceback))
        except OSError:
            failure = describe_failure(error, record="what --debug shows")
    return failure.exit_code, failure.message


def run_command(command: Command, words: Sequence[str], engine: "Engine | None") -> int:
    """Run a command that is no run on a data set.

    Parameters
    ----------
    command : Command
        The command.
    words : sequence of str
        What follows its name.
    engine : Engine or None
        Segmentation method; the package's networks by default.

    Returns
    -------
    int
        Exit code.
    """
    ending = Ending(debug="--debug" in words, interrupted="Nothing was written." if command.counts_images else "")
    with ended_by(ending):
        ending.code = command.run(words, engine)
    if ending.message:
        print_error(ending.message)
    if command.counts_images and not ending.is_help:
        code = ending.code
        print_summary({"done": int(not code), "skipped": 0, "failed": int(code != 0), "no_input": 0, "exit": code})
    return ending.code


def print_error(message: str, *, as_json: bool = False) -> None:
    """Write an error to the terminal."""
    complain(logs.error_line(message) if as_json else f"ERROR: {message}")


def print_summary(counts: Mapping[str, object]) -> None:
    """Write the last line, for programs."""
    say("bids_deepseg-summary " + json.dumps(counts, ensure_ascii=False))


# ---- the process of a command that segments -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Prepared:
    """A process that is ready to load the networks.

    Attributes
    ----------
    folder : Path
        Folder for temporary files.
    allocation : Allocation
        Processors and workers.
    log_settings : LogSettings
        How worker processes log.
    backend : str
        Library that computes the networks; empty if none are run.
    """

    folder: Path
    allocation: "Allocation"
    log_settings: logs.LogSettings
    backend: str = ""


@contextmanager
def logging_to(settings: logs.LogSettings) -> Iterator[None]:
    """Log until the end of the block."""
    try:
        logs.configure(settings)
        yield
    finally:
        logs.close()


@contextmanager
def prepared(options: RunOptions | SegmentOptions, record: RunRecord | None = None) -> Iterator[Prepared]:
    """Prepare folders, logs and environment, and put everything back at the end.

    Parameters
    ----------
    options : RunOptions or SegmentOptions
        What the user asked for.
    record : RunRecord, optional
        Where logs are to be kept as files; its folder of logs is created.
    """
    from bids_deepseg.app.workspace import (  # noqa: PLC0415 - not needed for --help, as everything below
        clean_leftovers,
        create_log_folder,
        prepare_output,
        temporary_folder,
    )
    from bids_deepseg.cli.machine import allocate, choose_device_and_backend, is_on_cluster  # noqa: PLC0415
    from bids_deepseg.execution.device import log_device  # noqa: PLC0415

    has_networks = not isinstance(options, RunOptions) or (
        "participant" in options.levels and not options.reports_only and not options.boilerplate_only
    )
    device, backend = choose_device_and_backend(options) if has_networks else ("cpu", "")
    prepare_output(options.output_dir)
    log_folder = None if record is None else create_log_folder(options.output_dir)
    if record is not None:
        record.log_folder = log_folder
    settings = log_settings_of(options, log_folder)
    with ExitStack() as stack:
        stack.enter_context(logging_to(settings))
        if not is_on_cluster(options):
            log_device(options.device, device)
        allocation = allocate(options, backend)
        if isinstance(options, RunOptions) and options.clean_work:
            clean_leftovers(options.work_dir, options.output_dir)
        keep = options.keep_work or options.debug
        folder = stack.enter_context(temporary_folder(options.work_dir, options.output_dir, keep=keep))
        stack.enter_context(environment(variables(allocation, folder, device, low_memory=options.low_memory)))
        give_memory_back()
        yield Prepared(folder, allocation, settings, backend)


def log_settings_of(options: RunOptions | SegmentOptions, folder: Path | None = None) -> logs.LogSettings:
    """Return how a command logs, on the terminal and in a folder."""
    if not isinstance(options, RunOptions):
        return logs.LogSettings(folder, options.verbosity)
    as_json = options.log_format == "json"
    has_bar = options.progress and not as_json and options.verbosity >= 0 and can_redraw(sys.stderr)
    return logs.LogSettings(folder, options.verbosity, as_json, has_bar, options.dask_scheduler is not None)
