"""Read an image of a data set as a scalar volume, or say exactly why it cannot be segmented."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_deepseg.bids.query import BidsImage
from bids_deepseg.geometry.volume import Volume


@dataclass(frozen=True, slots=True, eq=False)
class LoadedImage:
    """An image in memory.

    Attributes
    ----------
    volume : Volume
        float32 values, scaled, on the native grid; always three axes.
    header : nibabel header
        Header of the source, from which the derivatives take shape, matrices, codes and units.
    notes : tuple of (str, str)
        Code and message of everything that was done to the values, for example ``nan-replaced``.
    volumes_used : str or None
        For a series: which volumes were averaged.
    """

    volume: Volume
    header: Any
    notes: tuple[tuple[str, str], ...] = ()
    volumes_used: str | None = None


def read_image(image: BidsImage) -> LoadedImage:
    """Read one image; a diffusion series becomes the mean of its diffusion-weighted volumes.

    Parameters
    ----------
    image : BidsImage
        What to read.

    Returns
    -------
    LoadedImage
        Values, header and notes.

    Raises
    ------
    NotFetchedError
        If the file is a link, or a git-annex pointer, to content that is not here.
    ImageError
        If it cannot be read, is no NIfTI image, has the wrong dimensions or type, or holds no usable values.
    """
    raise NotImplementedError


def fingerprint(path: Path) -> dict[str, int | str]:
    """Return ``Size`` in bytes and ``SHA256`` of a file, read in pieces."""
    raise NotImplementedError
