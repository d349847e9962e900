"""Open the page on which a person clicks the cord: ``bids_deepseg viewer IMAGE [-o FILE] [--points FILE]``.

Everything slow is imported inside functions: ``--help`` needs none of it.
"""

import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bids_deepseg import logs
from bids_deepseg.cli.lifecycle import Command, logging_to
from bids_deepseg.cli.page import serve_page
from bids_deepseg.cli.process import Interrupted
from bids_deepseg.files.names import printable
from bids_deepseg.options.declare import option
from bids_deepseg.options.page import PageOptions
from bids_deepseg.options.parsing import OptionParser, read_words
from bids_deepseg.terminal import say

if TYPE_CHECKING:
    from bids_deepseg.engine import Engine
    from bids_deepseg.review.clicking import Clicking

_USAGE = "bids_deepseg viewer IMAGE [-o FILE] [--points FILE] [options]"

_DESCRIPTION = """\
Open a page that shows an image in three planes, and click the spinal cord at several heights. The page is served by
this machine to this machine; nothing is sent anywhere else. Then segment around the points with --centerline file
--centerline-file, or put the file into the folder of --corrections. 'bids_deepseg segment IMAGE --centerline viewer'
does both at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ViewerOptions:
    """Options of ``bids_deepseg viewer``; their metadata tells what they are."""

    image: Path = field(metadata=option("image", kind=Path, metavar="IMAGE", help="NIfTI image"))
    output: Path | None = field(
        default=None,
        metadata=option(
            *("--output", "-o"),
            group="image",
            kind=Path,
            metavar="FILE",
            help="where the points are saved: CSV or TSV (default: here, named as IMAGE)",
        ),
    )
    points: Path | None = field(
        default=None,
        metadata=option(
            "--points", group="image", kind=Path, metavar="FILE", help="points to begin with: CSV, TSV or mask"
        ),
    )
    page: PageOptions = field(default_factory=PageOptions)


def points_name(image: Path) -> str:
    """Return the name under which the points of an image are saved, which ``--corrections`` finds."""
    return image.name.removesuffix(".gz").removesuffix(".nii") + "_centerline-manual.csv"


def run_viewer(words: Sequence[str], _engine: "Engine | None" = None) -> int:
    """Serve the page until the person has finished.

    Parameters
    ----------
    words : sequence of str
        Words after ``viewer``.

    Returns
    -------
    int
        0.

    Raises
    ------
    UsageError
        If the words make no sense, or the port is in use.
    ImageError
        If the image or the points cannot be read.
    Interrupted
        If the process was asked to end before points were saved.
    SystemExit
        With code 0 after ``--help``.
    """
    parser = OptionParser(ViewerOptions, "bids_deepseg viewer", usage=_USAGE, description=_DESCRIPTION)
    options = read_words(parser, ViewerOptions, words)
    from bids_deepseg.bids.image import image_outside_dataset  # noqa: PLC0415 - not needed for --help, as below
    from bids_deepseg.bids.source.volumes import volume_rule  # noqa: PLC0415
    from bids_deepseg.review.clicking import Clicking, check_target  # noqa: PLC0415

    image = image_outside_dataset(options.image)
    target = options.output or Path(points_name(options.image))
    check_target(target)
    clicking = Clicking(image, target, options.points, volume_rule=volume_rule(image))
    with logging_to(logs.LogSettings(None)):
        try:
            click_centerline(clicking, options.page)
        except Interrupted as end:
            if end.number != signal.SIGINT or not target.is_file():
                raise
    names = printable(options.image), printable(target)
    say("Segment along the points: bids_deepseg segment {} --centerline-file {}".format(*names))
    return 0


def click_centerline(clicking: "Clicking", page: PageOptions) -> None:
    """Let a person click a centerline; return when they have finished.

    Parameters
    ----------
    clicking : Clicking
        The image, and where the points are saved.
    page : PageOptions
        How the page is reached.

    Raises
    ------
    ImageError
        If the image or the points to begin with cannot be read; nothing is served then.
    UsageError
        If the port cannot be had.
    """
    first = clicking.find(str(clicking.describe()["images"][0]["id"]))
    if first is not None:
        clicking.details(first)
    say(f"Click the cord in {printable(clicking.image.path.name)}, at both ends and about every 20 mm.")
    serve_page(clicking, page, "page", clicking.done)
    say(f"The points are in {printable(clicking.target)}.")


COMMAND = Command("viewer", "IMAGE", "click a centerline on a page of this machine", run_viewer)
