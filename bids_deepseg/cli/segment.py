"""Segment one image outside of any data set: ``bids_deepseg segment IMAGE [-o DIR] [options]``.

Everything slow is imported inside of functions: ``--help`` needs none of it.
"""

import argparse
import json
import signal
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bids_deepseg.cli.process import Interrupted, environment, signals_raise, variables
from bids_deepseg.errors import BidsDeepsegError, UsageError
from bids_deepseg.files.names import printable
from bids_deepseg.options.declare import Option, place, switch
from bids_deepseg.options.method import method_options, settings_of
from bids_deepseg.options.parsing import OptionParser, add_options, arrange
from bids_deepseg.options.run import LEVELS
from bids_deepseg.options.settings import SOFT
from bids_deepseg.options.table import option_table
from bids_deepseg.structures.tasks import task_of

if TYPE_CHECKING:
    from bids_deepseg.app.participant.image_job import ImageResult
    from bids_deepseg.app.single_image import OneImage
    from bids_deepseg.engine import Engine

_USAGE = "bids_deepseg segment IMAGE [-o DIR] [options]"

_DESCRIPTION = """\
Segment the spinal cord in one image, without a BIDS data set. The results lie beside each other, named after the
image: <image>_label-SC_mask.nii.gz, _label-SC_probseg.nii.gz, _label-SCcenterline_mask.nii.gz,
_label-SC_centerline.tsv, _label-SC_morph.tsv, each with its .json, and <image>_report.html. The verdict stands in the
.json of the mask."""

#: Options of a run on a data set that mean the same for one image.
_SHARED = (
    *("--contrast", "--volume", "--n-cpus", "--omp-nthreads", "--work-dir", "--keep-work", "--device"),
    *("--low-mem", "--no-probseg", "--no-centerline", "--verbose", "--quiet", "--debug"),
)

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
        found = _parser().parse_args(arrange(words, _rows()))
        with signals_raise():
            result, asked = _run(found, engine)
        done, code = True, int(result.verdict == "fail")
        _tell(result, asked, say)
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


def _rows() -> tuple[Option, ...]:
    """Return the rows of the options."""
    shared = [option for option in option_table() if option.names[0] in _SHARED]
    own = (
        Option(
            ("--output", "-o"),
            "image",
            "folder of the results (default: the current one)",
            settings={"metavar": "DIR", "type": place, "default": Path()},
        ),
        switch("--force", group="image", text="replace an earlier result; if the image fails now, that is gone"),
        switch("--no-report", group="image", text="write no page"),
    )
    return (*own, *method_options(), *shared)


def _parser() -> argparse.ArgumentParser:
    """Build the parser."""
    parser = OptionParser(
        "bids_deepseg segment",
        usage=_USAGE,
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument("image", type=place, metavar="IMAGE", help="NIfTI image, .nii or .nii.gz")
    add_options(parser, _rows())
    parser.add_argument("-h", "--help", action="help", help="show this text")
    return parser


def _asked(found: argparse.Namespace) -> "OneImage":
    """Turn the values of the options into what is asked for."""
    from bids_deepseg.app.single_image import OneImage  # noqa: PLC0415 - loads numpy
    from bids_deepseg.bids.naming import choose_products  # noqa: PLC0415

    if found.threshold == SOFT and found.no_probseg:
        raise UsageError("--threshold soft makes the probability the result. Leave out --no-probseg.")
    return OneImage(
        path=found.image,
        output_dir=found.output,
        settings=settings_of(found),
        contrast=found.contrast,
        volume=found.volume,
        products=choose_products(task_of(found.task), probseg=not found.no_probseg, centerline=not found.no_centerline),
        report=not found.no_report,
        force=found.force,
    )


def _run(found: argparse.Namespace, engine: "Engine | None") -> "tuple[ImageResult, OneImage]":
    """Prepare folders, logs and environment, then segment."""
    from bids_deepseg import logs  # noqa: PLC0415 - not needed for --help, as everything below
    from bids_deepseg.app.workspace import prepare_output, temporary_folder  # noqa: PLC0415
    from bids_deepseg.execution import resources  # noqa: PLC0415
    from bids_deepseg.execution.device import choose_device, tell_device  # noqa: PLC0415

    device = choose_device(found.device)
    allocation = resources.allocate(
        n_cpus=found.n_cpus,
        omp_nthreads=found.omp_nthreads,
        cpus=resources.available_cpus(),
        memory=resources.usable_memory(None, resources.available_memory()),
    )
    log_settings = logs.LogSettings(None, -1 if found.quiet else found.verbose)
    with ExitStack() as stack:
        stack.callback(logs.close)
        logs.configure(log_settings)
        prepare_output(found.output)
        keep = found.keep_work or found.debug
        folder = stack.enter_context(temporary_folder(found.work_dir, found.output, keep=keep))
        stack.enter_context(environment(variables(allocation, folder, device, low_memory=found.low_mem)))
        tell_device(found.device, device)

        from bids_deepseg.app.single_image import check_place, segment_one  # noqa: PLC0415 - reads the environment
        from bids_deepseg.engine import NetworkEngine  # noqa: PLC0415

        asked = _asked(found)
        check_place(asked)
        configured = (engine or NetworkEngine()).configured(asked.settings)
        return segment_one(asked, configured, folder, log_settings=log_settings), asked


def _tell(result: "ImageResult", asked: "OneImage", say: Say) -> None:
    """Tell how it went."""
    name, area = printable(asked.path.name), result.area_mean_mm2
    say(f"{name}: {result.verdict}, mean area {area:.1f} mm². {result.reasons}".rstrip())
    say(f"Wrote {printable(asked.output_dir / (asked.stem + '_label-SC_mask.nii.gz'))} and the files beside it.")
