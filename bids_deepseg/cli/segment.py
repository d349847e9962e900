"""Segment one image outside any data set: ``bids_deepseg segment IMAGE [-o DIR] [options]``.

Everything slow is imported inside functions: ``--help`` needs none of it.
"""

import json
import signal
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bids_deepseg.cli.process import Interrupted, environment, signals_raise, variables
from bids_deepseg.errors import BidsDeepsegError
from bids_deepseg.files.names import printable
from bids_deepseg.options.declare import build
from bids_deepseg.options.image import SegmentOptions
from bids_deepseg.options.parsing import OptionParser, arrange
from bids_deepseg.options.run import LEVELS

if TYPE_CHECKING:
    from bids_deepseg.app.participant.image_job import ImageResult
    from bids_deepseg.engine import Engine

_USAGE = "bids_deepseg segment IMAGE [-o DIR] [options]"

_DESCRIPTION = """\
Segment the spinal cord in one image, without a BIDS data set. The results lie beside each other, named after the
image: <image>_label-SC_mask.nii.gz, _label-SC_probseg.nii.gz, _label-SCcenterline_mask.nii.gz,
_label-SC_centerline.tsv, _label-SC_morph.tsv, each with its .json, and <image>_report.html. The verdict is in the
.json of the mask."""

Say = Callable[[str], None]


def is_segment_command(words: Sequence[str]) -> bool:
    """Tell ``segment IMAGE`` from a run on a data set in a folder called ``segment``."""
    return words[:1] == ["segment"] and set(LEVELS).isdisjoint(words[2:])


def run_segment(words: Sequence[str], *, say: Say, complain: Say, engine: "Engine | None" = None) -> int:
    """Segment one image.

    Parameters
    ----------
    words : sequence of str
        Words after ``segment``.
    say, complain : callable
        Write one line for the user, to the standard output and the standard error.
    engine : Engine, optional
        Segmentation method; the package's networks by default.

    Returns
    -------
    int
        Exit code: 0, 1 for a mask with the verdict ``fail``, otherwise that of the error.
    """
    debug = "--debug" in words
    code, done, message = 0, False, ""
    try:
        options = _parse(words)
        with signals_raise():
            result = _run(options, engine)
        done, code = True, int(result.verdict == "fail")
        _tell(result, options, say)
    except SystemExit as end:
        return int(end.code or 0)
    except BidsDeepsegError as error:
        code, message = error.exit_code, str(error)
        if debug:
            traceback.print_exc()
    except Interrupted as end:
        code, message = 128 + end.number, f"Interrupted by {signal.Signals(end.number).name}. Nothing was written."
    except Exception as error:
        from bids_deepseg.execution.outcome import describe_failure  # noqa: PLC0415 - not needed for --help

        failure = describe_failure(error, record="the lines above")
        if debug or not failure.is_expected:
            traceback.print_exc()
        code, message = failure.exit_code, failure.message
    if message:
        complain(f"ERROR: {message}")
    counts = {"done": int(done and not code), "skipped": 0, "failed": int(code != 0), "no_input": 0, "exit": code}
    say("bids_deepseg-summary " + json.dumps(counts))
    return code


def _parse(words: Sequence[str]) -> SegmentOptions:
    """Turn the words after ``segment`` into options."""
    parser = OptionParser(SegmentOptions, "bids_deepseg segment", usage=_USAGE, description=_DESCRIPTION)
    return build(SegmentOptions, vars(parser.parse_args(arrange(words, SegmentOptions))))


def _run(options: SegmentOptions, engine: "Engine | None") -> "ImageResult":
    """Prepare folders, logs and environment, then segment."""
    from bids_deepseg import logs  # noqa: PLC0415 - not needed for --help, as everything below
    from bids_deepseg.app.workspace import prepare_output, temporary_folder  # noqa: PLC0415
    from bids_deepseg.execution import resources  # noqa: PLC0415
    from bids_deepseg.execution.device import choose_device, tell_device  # noqa: PLC0415

    device = choose_device(options.device)
    allocation = resources.allocate(
        n_cpus=options.n_cpus,
        omp_nthreads=options.omp_nthreads,
        cpus=resources.available_cpus(),
        memory=resources.usable_memory(None, resources.available_memory()),
    )
    log_settings = logs.LogSettings(None, options.verbosity)
    with ExitStack() as stack:
        stack.callback(logs.close)
        logs.configure(log_settings)
        prepare_output(options.output_dir)
        keep = options.keep_work or options.debug
        folder = stack.enter_context(temporary_folder(options.work_dir, options.output_dir, keep=keep))
        stack.enter_context(environment(variables(allocation, folder, device, low_memory=options.low_memory)))
        tell_device(options.device, device)

        from bids_deepseg.app.single_image import check_place, segment_one  # noqa: PLC0415 - reads the environment
        from bids_deepseg.engine import NetworkEngine  # noqa: PLC0415

        check_place(options)
        configured = (engine or NetworkEngine()).configured(options.settings)
        return segment_one(options, configured, folder, log_settings=log_settings)


def _tell(result: "ImageResult", options: SegmentOptions, say: Say) -> None:
    """Tell how it went."""
    name, area = printable(options.path.name), result.area_mean_mm2
    say(f"{name}: {result.verdict}, mean area {area:.1f} mm². {result.reasons}".rstrip())
    say(f"Wrote {printable(options.output_dir / (options.stem + '_label-SC_mask.nii.gz'))} and the files beside it.")
