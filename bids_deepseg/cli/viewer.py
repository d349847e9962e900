"""Write the page on which a person clicks the cord: ``bids_deepseg viewer IMAGE [-o PAGE] [--points FILE]``.

Everything slow is imported inside functions: ``--help`` needs none of it.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from bids_deepseg.errors import UsageError
from bids_deepseg.options.run import LEVELS
from bids_deepseg.options.values import place

if TYPE_CHECKING:
    from bids_deepseg.geometry.volume import Volume

_DESCRIPTION = """\
Write a page that shows the sagittal slices of an image. Open it in any browser, without internet: click the spinal
cord at several heights and save the points. Then segment around them with --centerline file --centerline-file, or
put the file into the folder of --corrections."""


class _Parser(argparse.ArgumentParser):
    """A parser that raises instead of ending the process with code 2, which BIDS Apps reserve."""

    def error(self, message: str) -> NoReturn:
        """Raise the message as :class:`UsageError`."""
        raise UsageError(f"{message[:1].upper()}{message[1:]}. Usage: {self.usage}; --help explains it.")


def is_viewer_command(words: Sequence[str]) -> bool:
    """Tell ``viewer IMAGE`` from a run on a data set in a folder called ``viewer``."""
    return words[:1] == ["viewer"] and set(LEVELS).isdisjoint(words[2:])


def points_name(image: Path) -> str:
    """Return the name under which the points of an image are saved, which ``--corrections`` finds."""
    return image.name.removesuffix(".gz").removesuffix(".nii") + "_centerline-manual.csv"


def run_viewer(words: Sequence[str], *, say: Callable[[str], None]) -> int:
    """Write the page.

    Parameters
    ----------
    words : sequence of str
        Words after ``viewer``.
    say : callable
        Writes one line for the user.

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
    parser = _Parser(
        "bids_deepseg viewer",
        usage="bids_deepseg viewer IMAGE [-o PAGE] [--points FILE]",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("image", type=place, metavar="IMAGE", help="NIfTI image")
    parser.add_argument("-o", "--output", type=place, metavar="PAGE", help="HTML file (default: here, named as IMAGE)")
    parser.add_argument("--points", type=place, metavar="FILE", help="points to begin with: CSV, TSV or mask")
    arguments = parser.parse_args(list(words))
    from bids_deepseg import __version__  # noqa: PLC0415 - not needed for --help
    from bids_deepseg.bids.source.given_centerline import read_centerline  # noqa: PLC0415
    from bids_deepseg.files.atomic import make_folder  # noqa: PLC0415
    from bids_deepseg.files.names import as_utf8, printable  # noqa: PLC0415
    from bids_deepseg.files.own import write_own  # noqa: PLC0415
    from bids_deepseg.report.seal import PAGE_MARKS  # noqa: PLC0415
    from bids_deepseg.report.viewer import render_viewer  # noqa: PLC0415

    image = _read(arguments.image)
    points = read_centerline(arguments.points, image.grid) if arguments.points else None
    name = points_name(arguments.image)
    page = render_viewer(image, arguments.image.name, file_name=name, version=__version__, points_mm=points)
    target = arguments.output or Path(name.removesuffix("_centerline-manual.csv") + "_viewer.html")
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
