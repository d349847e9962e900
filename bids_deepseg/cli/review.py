"""Open the page on which results are judged and corrected: ``bids_deepseg review OUTPUT_DIR``.

Everything slow is imported inside functions: ``--help`` needs none of it.
"""

import getpass
import signal
import sys
import threading
import webbrowser
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bids_deepseg import logs
from bids_deepseg.cli.lifecycle import Command, logging_to
from bids_deepseg.cli.process import Interrupted
from bids_deepseg.errors import DatasetError, UsageError
from bids_deepseg.files.names import leads_to_folder
from bids_deepseg.options.combinations import check_corrections
from bids_deepseg.options.declare import option, switch
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

_LOOPBACK = "127.0.0.1"

#: Always the same port, so that the browser finds drawings that were not saved when the server comes back.
_PORT = 8642

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
    host: str = field(
        default=_LOOPBACK,
        metadata=option(
            "--host",
            group="running",
            metavar="NAME",
            help="address to listen at; in a container with a published port: 0.0.0.0",
            default="127.0.0.1, this machine only",
        ),
    )
    port: int = field(
        default=_PORT,
        metadata=option("--port", group="running", kind=int, metavar="N", help="port", default=f"{_PORT}"),
    )
    browser: bool = field(
        default=True,
        metadata=switch("--no-browser", value=False, group="running", help="only print the address, open no browser"),
    )

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"--port is {self.port}. A number from 0 to 65535 is expected.")
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
            _serve(review, options)
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
    return Review(places, Runner(program, bids_dir, options.output_dir, corrections), _user())


def _user() -> str:
    """Return who reviews, as far as the system knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def _log_folder(output_dir: Path) -> Path | None:
    """Return the folder of the log, None where nothing can be written."""
    from bids_deepseg.app.workspace import create_log_folder  # noqa: PLC0415 - not needed for --help
    from bids_deepseg.errors import OutputError  # noqa: PLC0415

    try:
        return create_log_folder(output_dir)
    except OutputError:
        return None


def _serve(review: "Review", options: ReviewOptions) -> None:
    """Serve, and tell where."""
    from bids_deepseg.review.guard import new_token  # noqa: PLC0415 - not needed for --help
    from bids_deepseg.review.server import make_app  # noqa: PLC0415
    from bids_deepseg.review.serving import serve  # noqa: PLC0415

    token = new_token()

    def ready(port: int) -> None:
        name = _LOOPBACK if options.host in ("0.0.0.0", "::") else options.host
        url = f"http://{f'[{name}]' if ':' in name else name}:{port}/{token}/"
        say(f"The review is at {url}")
        say("Keep this address to yourself: whoever has it can save corrections. Ctrl-C ends the review.")
        if options.browser:
            threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()

    serve(make_app(review, token, options.host), options.host, options.port, ready)


COMMAND = Command("review", "OUTPUT_DIR", "judge and correct the results on a page of this machine", run_review)
