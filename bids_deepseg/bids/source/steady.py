"""Read an image together with the checksum of what was read, while others may be writing to it.

A checksum that is taken at another moment than the values may be that of another file: an image that is synchronised,
converted again or fetched in the meantime. A mask of the one would then be taken for the result of the other for ever.
"""

import os
from collections.abc import Mapping

from bids_deepseg.bids.derivatives.provenance import files_read, source_fingerprint
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.source.reader import LoadedImage, read_image
from bids_deepseg.errors import ImageChangedError

#: Times that an image is read before it counts as one that changes all the time.
_ATTEMPTS = 3

Fingerprint = Mapping[str, int | str]


def read_steadily(image: BidsImage, volume: str = "auto") -> tuple[LoadedImage, Fingerprint]:
    """Read an image and the fingerprint of what was read.

    Parameters
    ----------
    image, volume
        As for :func:`bids_deepseg.bids.source.reader.read_image`.

    Returns
    -------
    loaded : LoadedImage
        The image.
    fingerprint : mapping
        From :func:`bids_deepseg.bids.derivatives.provenance.source_fingerprint`.

    Raises
    ------
    ImageChangedError
        If the file does not stay the same while it is read.
    ImageError
        Whatever else is wrong with the image.
    """
    for _ in range(_ATTEMPTS):
        before = _moments(image)
        loaded = read_image(image, volume)
        try:
            found = source_fingerprint(image)
        except OSError as error:
            raise ImageChangedError(_told(image)) from error
        if _moments(image) == before:
            return loaded, found
    raise ImageChangedError(_told(image))


def check_unchanged(image: BidsImage, fingerprint: Fingerprint) -> None:
    """Make sure that an image is still what was read.

    Raises
    ------
    ImageChangedError
        If it is not.
    """
    try:
        same = source_fingerprint(image) == fingerprint
    except OSError:
        same = False
    if not same:
        raise ImageChangedError(_told(image))


def changed_input(image: BidsImage) -> ImageChangedError:
    """Return the error about a correction, a centerline or labels that are not what they were when work began."""
    return ImageChangedError(
        f"A file that was given for {image.path.name} (correction, centerline, labels of levels) changed while the "
        "image was segmented. Nothing was written. Run again when the file is complete."
    )


def _moments(image: BidsImage) -> list[tuple[int, int, int]]:
    """Return size and times of change of the files that are read; a file that is missing has none."""
    found = []
    for path in files_read(image):
        try:
            facts = os.stat(path)  # noqa: PTH116 - follows links, as reading does
        except OSError:
            continue
        found.append((facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns))
    return found


def _told(image: BidsImage) -> str:
    """Say what happened and what to do."""
    return (
        f"{image.path.name} changed while it was read or segmented. Nothing was written: the result would be that of "
        "another image. Run again when the file is complete."
    )
