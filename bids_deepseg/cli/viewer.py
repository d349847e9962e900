"""Write the page on which a person clicks the cord: ``bids_deepseg viewer IMAGE [-o PAGE] [--points FILE]``.

Everything slow is imported inside functions: ``--help`` needs none of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bids_deepseg.cli.lifecycle import Command
from bids_deepseg.options.declare import option
from bids_deepseg.options.parsing import OptionParser, read_words
from bids_deepseg.terminal import say

if TYPE_CHECKING:
    from bids_deepseg.engine import Engine
    from bids_deepseg.geometry.volume import Volume

_USAGE = "bids_deepseg viewer IMAGE [-o PAGE] [--points FILE]"

_DESCRIPTION = """\
Write a page that shows the sagittal slices of an image. Open it in any browser, without internet: click the spinal
cord at several heights and save the points. Then segment around them with --centerline file --centerline-file, or
put the file into the folder of --corrections."""


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
            metavar="PAGE",
            help="HTML file (default: here, named as IMAGE)",
        ),
    )
    points: Path | None = field(
        default=None,
        metadata=option(
            "--points", group="image", kind=Path, metavar="FILE", help="points to begin with: CSV, TSV or mask"
        ),
    )


def points_name(image: Path) -> str:
    """Return the name under which the points of an image are saved, which ``--corrections`` finds."""
    return image.name.removesuffix(".gz").removesuffix(".nii") + "_centerline-manual.csv"


def run_viewer(words: Sequence[str], _engine: "Engine | None" = None) -> int:
    """Write the page.

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
        If the words make no sense.
    ImageError
        If the image or the points cannot be read.
    OutputError
        If the page cannot be written, or something that is not a page of this app is in its place.
    SystemExit
        With code 0 after ``--help``.
    """
    parser = OptionParser(ViewerOptions, "bids_deepseg viewer", usage=_USAGE, description=_DESCRIPTION)
    options = read_words(parser, ViewerOptions, words)
    from bids_deepseg import __version__  # noqa: PLC0415 - not needed for --help
    from bids_deepseg.bids.source.given_centerline import read_centerline  # noqa: PLC0415
    from bids_deepseg.files.atomic import make_folder  # noqa: PLC0415
    from bids_deepseg.files.names import as_utf8, printable  # noqa: PLC0415
    from bids_deepseg.files.own import write_own  # noqa: PLC0415
    from bids_deepseg.report.seal import PAGE_MARKS  # noqa: PLC0415
    from bids_deepseg.report.viewer import render_viewer  # noqa: PLC0415

    image = _read(options.image)
    points = read_centerline(options.points, image.grid) if options.points else None
    name = points_name(options.image)
    page = render_viewer(image, options.image.name, file_name=name, version=__version__, points_mm=points)
    target = options.output or Path(name.removesuffix("_centerline-manual.csv") + "_viewer.html")
    make_folder(target.parent)
    write_own(target, as_utf8(page), PAGE_MARKS)
    say(f"Wrote {printable(target)}. Open it in a browser, click the cord and save the points as {printable(name)}.")
    return 0


def _read(path: Path) -> "Volume":
    """Read an image as it is; of a series, the mean of its volumes."""
    import numpy as np  # noqa: PLC0415 - not needed for --help

    from bids_deepseg.bids.nifti.reading import read_numbers  # noqa: PLC0415
    from bids_deepseg.geometry.grid import Grid  # noqa: PLC0415
    from bids_deepseg.geometry.volume import Volume  # noqa: PLC0415

    values, header = read_numbers(path, "The image")
    affine = header.affine
    values = np.nan_to_num(values, posinf=0.0, neginf=0.0)
    values = values.reshape((*values.shape, 1, 1)[:3] if values.ndim < 3 else (*values.shape[:3], -1))
    values = values.mean(3) if values.ndim == 4 else values
    n_i, n_j, n_k = values.shape
    return Volume(np.ascontiguousarray(values, np.float32), Grid((n_i, n_j, n_k), affine))


COMMAND = Command("viewer", "IMAGE", "write a page on which the centerline is clicked", run_viewer)
