"""Open the page on which results are judged and corrected: ``bids_deepseg review OUTPUT_DIR``.

Everything slow is imported inside functions: ``--help`` needs none of it.
"""

import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bids_deepseg import logs
from bids_deepseg.cli.lifecycle import Command, logging_to
from bids_deepseg.cli.page import serve_page, user
from bids_deepseg.cli.process import Interrupted
from bids_deepseg.errors import DatasetError
from bids_deepseg.files.names import leads_to_folder
from bids_deepseg.options.combinations import check_corrections
from bids_deepseg.options.declare import option
from bids_deepseg.options.page import PageOptions
from bids_deepseg.options.parsing import OptionParser, read_words
from bids_deepseg.terminal import say

if TYPE_CHECKING:
    from bids_deepseg.engine import Engine
    from bids_deepseg.review.state import Review

_USAGE = "bids_deepseg review OUTPUT_DIR [--bids-dir DIR] [--corrections DIR] [options]"

_DESCRIPTION = """\
Open a page on which you look at the results, the worst first, judge them, correct masks by drawing and centerlines by
clicking, and run an image again. The page is served by this machine to this machine; nothing is sent anywhere else.
End it with Ctrl-C."""

#: Command that runs an image again.
_PROGRAM = (sys.executable, "-m", "bids_deepseg")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewOptions:
    """Options of ``bids_deepseg review``; their metadata tells what they are."""

    output_dir: Path = field(
        metadata=option("output_dir", kind=Path, metavar="OUTPUT_DIR", help="results of the participant level")
    )
    bids_dir: Path | None = field(
        default=None,
        metadata=option(
            "--bids-dir",
            group="reading",
            kind=Path,
            metavar="DIR",
            help="the data set of the results",
            default="the one that lies around OUTPUT_DIR",
        ),
    )
    corrections: Path | None = field(
        default=None,
        metadata=option(
            "--corrections",
            group="outputs",
            kind=Path,
            metavar="DIR",
            help="folder in which corrections are saved",
            default="derivatives/labels in the data set",
        ),
    )
    page: PageOptions = field(default_factory=PageOptions)

    def __post_init__(self) -> None:
        check_corrections(self.corrections, self.output_dir)


def run_review(words: Sequence[str], _engine: "Engine | None" = None, program: Sequence[str] = _PROGRAM) -> int:
    """Serve the page until the process is asked to end.

    Parameters
    ----------
    words : sequence of str
        Words after ``review``.
    program : sequence of str, optional
        Command that runs an image again.

    Returns
    -------
    int
        0.

    Raises
    ------
    UsageError
        If the words make no sense, or the port is in use.
    DatasetError
        If there are no results, or no data set.
    SystemExit
        With code 0 after ``--help``.
    """
    parser = OptionParser(ReviewOptions, "bids_deepseg review", usage=_USAGE, description=_DESCRIPTION)
    options = read_words(parser, ReviewOptions, words)
    if not leads_to_folder(options.output_dir):
        raise DatasetError(f"The folder {options.output_dir} does not exist. Results of the app are expected there.")
    from bids_deepseg.bids.derivatives.ownership import check_ours  # noqa: PLC0415 - not needed for --help

    check_ours(options.output_dir)
    review = _prepare(options, program)
    try:
        with logging_to(logs.LogSettings(_log_folder(options.output_dir))):
            serve_page(review, options.page, "review")
    except Interrupted as end:
        if end.number != signal.SIGINT:
            raise
        say("The review has ended.")
    finally:
        review.runner.stop()
    return 0


def _prepare(options: ReviewOptions, program: Sequence[str]) -> "Review":
    """Find the folders, and make sure that there is something to review."""
    from bids_deepseg.review.images import list_images  # noqa: PLC0415 - not needed for --help, as below
    from bids_deepseg.review.rerun import Runner  # noqa: PLC0415
    from bids_deepseg.review.state import Places, Review, find_dataset  # noqa: PLC0415

    bids_dir = find_dataset(options.output_dir, options.bids_dir)
    corrections = options.corrections or bids_dir / "derivatives" / "labels"
    check_corrections(corrections, options.output_dir)
    places = Places(options.output_dir, bids_dir, corrections)
    if not list_images(places.output_dir, places.bids_dir):
        raise DatasetError(
            f"{options.output_dir} holds no result of the participant level. Run it first: bids_deepseg {bids_dir} "
            f"{options.output_dir} participant"
        )
    return Review(places, Runner(program, bids_dir, options.output_dir, corrections), user())


def _log_folder(output_dir: Path) -> Path | None:
    """Return the folder of the log, None where nothing can be written."""
    from bids_deepseg.app.workspace import create_log_folder  # noqa: PLC0415 - not needed for --help
    from bids_deepseg.errors import OutputError  # noqa: PLC0415

    try:
        return create_log_folder(output_dir)
    except OutputError:
        return None


COMMAND = Command("review", "OUTPUT_DIR", "judge and correct the results on a page of this machine", run_review)
