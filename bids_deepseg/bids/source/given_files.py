"""Find the centerline that the user gives for an image, in a folder of derivatives or beside it."""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import derivative_path
from bids_deepseg.bids.source.reader import fingerprint
from bids_deepseg.errors import ImageError
from bids_deepseg.files.names import is_link, leads_to_file, leads_to_folder, printable, why_no_folder

#: Names by which others call a centerline: what follows the name of the image. ``bids_deepseg viewer`` saves under the
#: first.
_SUFFIXES = ("_centerline-manual", "_centerline", "_label-centerline", "_label-centerline_mask")
_ENDINGS = (".tsv", ".csv", ".nii.gz", ".nii")


def find_centerline_file(image: BidsImage, place: Path) -> Path | None:
    """Find the centerline of an image.

    Parameters
    ----------
    image : BidsImage
        The image.
    place : Path
        A file, which is taken as it is, or the root of a data set of derivatives: the names that this app gives to
        centerlines are looked for, then ``<image>_centerline-manual``, ``<image>_centerline``,
        ``<image>_label-centerline`` and ``<image>_label-centerline_mask`` with the endings of tables and images, in
        the folder of the image below ``place`` and in ``place`` itself.

    Returns
    -------
    Path or None
        The first that is there; None if there is none.
    """
    if not leads_to_folder(place):
        return place if leads_to_file(place) or is_link(place) else None
    found = (place / name for name in centerline_names(image))
    return next((path for path in found if leads_to_file(path) or is_link(path)), None)


def need_centerline_file(image: BidsImage, place: Path) -> Path:
    """Find the centerline of an image; parameters as for :func:`find_centerline_file`.

    Raises
    ------
    ImageError
        If there is none.
    """
    path = find_centerline_file(image, place)
    if path is None:
        names = [name.as_posix() for name in centerline_names(image)]
        raise ImageError(
            f"No centerline of {image.name} was found in {place}. Expected is for example {names[0]}, {names[1]} or "
            f"{names[2]}. Add it, or leave the image out."
        )
    return path


def closed_folders(images: Iterable[BidsImage], place: Path) -> tuple[tuple[str, str], ...]:
    """Find the folders of images, below one in which files are looked up by their names, that cannot be entered.

    Parameters
    ----------
    images : iterable of BidsImage
        Images.
    place : Path
        Root of the folder.

    Returns
    -------
    tuple of (str, str)
        Path of each relative to ``place``, as it is shown, and what is wrong with it; sorted.
    """
    inner = {derivative_path(image, "mask").parent for image in images}
    # Of a folder that cannot be entered, those inside it are not looked at.
    steps = sorted({folder for each in inner for folder in (each, *each.parents)}, key=lambda folder: folder.parts)
    closed: dict[PurePosixPath, str] = {}
    for folder in steps:
        if not any(above in closed for above in folder.parents) and os.path.lexists(place / folder):
            problem = why_no_folder(place / folder)
            closed |= {folder: problem} if problem else {}
    return tuple((printable(folder), problem) for folder, problem in closed.items())


def centerline_sha256(image: BidsImage, place: Path) -> str:
    """Return the checksum of the centerline of an image, an empty text where there is none or it cannot be read."""
    path = find_centerline_file(image, place)
    if path is None:
        return ""
    try:
        return str(fingerprint(path)["SHA256"]) if path else ""
    except OSError:
        return ""


def centerline_names(image: BidsImage) -> Iterator[PurePosixPath]:
    """Yield the names that are looked for, relative to the folder, the preferred ones first."""
    own = [derivative_path(image, product) for product in ("centerline_tsv", "centerline_mask")]
    yield from own
    for folder in (own[0].parent, PurePosixPath()):
        for suffix in _SUFFIXES:
            for ending in _ENDINGS:
                yield folder / f"{image.name}{suffix}{ending}"
