"""Run the command line: read it, prepare the process, run the app, and tell how it ended by text and exit code.

This is the only module that prints, sets environment variables and handles signals. Everything slow is imported
inside of functions: ``--help`` needs none of it.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bids_deepseg import __version__
from bids_deepseg.app.record import RunRecord
from bids_deepseg.arguments import parse_arguments
from bids_deepseg.errors import BidsDeepsegError, DatasetError
from bids_deepseg.options import RunOptions
from bids_deepseg.weights_command import is_weights_command, run_weights

if TYPE_CHECKING:
    from bids_deepseg.app.engine import Engine
    from bids_deepseg.execution import Allocation

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

_UNEXPECTED_CODE = 70


class _Interrupted(BaseException):
    """The process was asked to end; no ``except Exception`` stops it."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


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
        # The name of a subcommand may be that of a data set as well; a run has more words.
        if words[:1] == ["example"] and len(words) <= 2:
            return _write_example(words[1:])
        if is_weights_command(words):
            return _run_weights(words[1:])
        options = parse_arguments(words)
    except SystemExit as end:
        return int(end.code or 0)
    except BidsDeepsegError as error:
        return _finish(record, error.exit_code, str(error))
    return _run_and_tell(options, record, engine)


def _run_and_tell(options: RunOptions, record: RunRecord, engine: "Engine | None") -> int:
    """Run the app, and turn whatever ends it into an exit code and the last line."""
    try:
        with _signals_raise():
            code = _run(options, record, engine)
    except BidsDeepsegError as error:
        if options.debug:
            traceback.print_exc()
        return _finish(record, error.exit_code, str(error), quiet=options.verbosity < 0)
    except _Interrupted as end:
        name = signal.Signals(end.number).name
        text = f"Interrupted by {name}. Finished images are kept; the same command goes on with the others."
        return _finish(record, 128 + end.number, text)
    except Exception as error:
        if options.debug or record.log_folder is None:
            traceback.print_exc()
        return _finish(record, _UNEXPECTED_CODE, _unexpected(error, record))
    return _finish(record, code, quiet=options.verbosity < 0)


def _run(options: RunOptions, record: RunRecord, engine: "Engine | None") -> int:
    """Prepare folders, logs and environment, then run the app."""
    from bids_deepseg import logs  # noqa: PLC0415 - not needed for --help, as everything below
    from bids_deepseg.app.workspace import create_log_folder, prepare_output, temporary_folder  # noqa: PLC0415
    from bids_deepseg.execution import resources  # noqa: PLC0415

    _check_input(options)
    prepare_output(options.output_dir)
    record.log_folder = create_log_folder(options.output_dir)
    settings = logs.LogSettings(record.log_folder, options.verbosity)
    with ExitStack() as stack:
        stack.callback(logs.close)
        logs.configure(settings)
        allocation = resources.allocate(
            n_cpus=options.n_cpus,
            omp_nthreads=options.omp_nthreads,
            cpus=resources.available_cpus(),
            memory=resources.available_memory(),
        )
        folder = stack.enter_context(temporary_folder(options.work_dir, options.output_dir, keep=options.debug))
        stack.enter_context(_environment(_variables(allocation, folder)))
        _write_config(options, allocation, record.log_folder)

        from bids_deepseg.app.engine import NetworkEngine  # noqa: PLC0415
        from bids_deepseg.app.levels import Run, run_app  # noqa: PLC0415 - loads numpy, which reads the environment

        return run_app(Run(options, allocation, engine or NetworkEngine(), record, settings))


def _check_input(options: RunOptions) -> None:
    """Make sure that there is an input, before anything is created.

    Raises
    ------
    DatasetError
        If the folder that the first level reads is missing or no data set.
    """
    if "participant" in options.levels and not options.boilerplate_only:
        from bids_deepseg.bids.walk import list_participants  # noqa: PLC0415 - not needed for --help

        list_participants(options.bids_dir)
    elif not options.output_dir.is_dir():
        raise DatasetError(
            f"The folder {options.output_dir} does not exist. The output of the participant level is expected there. "
            "Run that first."
        )


def _variables(allocation: "Allocation", folder: Path) -> dict[str, str]:
    """Return the environment variables that keep libraries within the processors and out of the home folder."""
    threads = str(allocation.omp_nthreads)
    variables = {
        "OMP_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": os.environ.get("TF_CPP_MIN_LOG_LEVEL", "3"),
        "TMPDIR": str(folder),
        "MPLCONFIGDIR": str(folder / "matplotlib"),
        "KERAS_HOME": str(folder / "keras"),
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    # Libraries ask for the name of the user, which a container does not know.
    return variables | {name: os.environ.get(name) or "bids_deepseg" for name in ("USER", "LOGNAME")}


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables, and put the old ones back at the end."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Turn the first request to end into an exception, so that everything is cleaned up; ignore further ones."""

    def interrupt(number: int, _frame: Any) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise _Interrupted(number)

    try:
        before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    except ValueError:
        # Only the main thread can handle signals; in any other one the caller does.
        yield
        return
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _write_config(options: RunOptions, allocation: "Allocation", folder: Path) -> None:
    """Write ``config.json``: what was asked for, and with what it was run."""
    content = {
        "version": __version__,
        "python": sys.version,
        "command": sys.argv,
        "options": asdict(options),
        "allocation": asdict(allocation),
    }
    text = json.dumps(content, indent=2, default=str, ensure_ascii=False)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")


def _unexpected(error: Exception, record: RunRecord) -> str:
    """Describe an error that nobody foresaw, and keep its traceback in the logs."""
    text = f"Unexpected {type(error).__name__}: {error}. This is a fault of the program; please report it"
    if record.log_folder is None:
        return f"{text} with the lines above."
    path = record.log_folder / "crash.txt"
    try:
        path.write_text("".join(traceback.format_exception(error)), encoding="utf-8")
    except OSError:
        return f"{text}. Use --debug to see where it happened."
    return f"{text} with {path}."


def _finish(record: RunRecord, code: int, message: str = "", *, quiet: bool = False) -> int:
    """Tell how the run ended; the last line is for programs."""
    try:
        record.write(code, message)
    except OSError as error:
        _complain(f"ERROR: The summary could not be written: {error}")
    if message:
        _complain(f"ERROR: {message}")
    elif code:
        text = f"bids_deepseg ended with code {code}: {record.n_failed} of {len(record.images)} images failed."
        _complain(text)
    if code == 0 and not quiet:
        _say("bids_deepseg finished successfully.")
    _say("bids_deepseg-summary " + json.dumps(record.summary(code), ensure_ascii=False))
    return code


def _say(text: str) -> None:
    """Write a line to the standard output."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _complain(text: str) -> None:
    """Write a line to the standard error stream."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def _write_example(words: Sequence[str]) -> int:
    """Write the example data set: ``bids_deepseg example DIR``."""
    if words in (["-h"], ["--help"]):
        _say("usage: bids_deepseg example DIR\n\nWrite a small BIDS data set with synthetic images into DIR.")
        return 0
    if len(words) != 1 or words[0].startswith("-"):
        _complain("ERROR: One folder is expected. Usage: bids_deepseg example DIR")
        return 64
    from bids_deepseg.bids.files import output_errors  # noqa: PLC0415 - not needed for --help
    from bids_deepseg.example import write_example  # noqa: PLC0415

    folder = Path(words[0])
    try:
        with output_errors(folder):
            write_example(folder)
    except BidsDeepsegError as error:
        _complain(f"ERROR: {error}")
        return error.exit_code
    output = folder / "derivatives" / "bids_deepseg"
    _say(f"Wrote an example data set to {folder}. Segment it with:\n  bids_deepseg {folder} {output} participant group")
    return 0


def _run_weights(words: Sequence[str]) -> int:
    """List, check or install published networks: ``bids_deepseg weights ...``."""
    try:
        return run_weights(words, say=_say)
    except BidsDeepsegError as error:
        _complain(f"ERROR: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        return 130
