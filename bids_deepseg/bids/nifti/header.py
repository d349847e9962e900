"""Read size and place of a NIfTI image from its header alone, at a fraction of a millisecond an image.

For plans of thousands of images: nothing but the first bytes is read. The header is checked as it is when the image is
read; whether a compressed file is complete shows then.
"""

import math
from dataclasses import dataclass
from pathlib import Path

from bids_deepseg.bids.nifti.header_checks import check_image
from bids_deepseg.bids.nifti.reading import open_nifti, read_header
from bids_deepseg.errors import ImageError


@dataclass(frozen=True, slots=True)
class ImageSize:
    """What an estimate of time and memory needs to know of an image.

    Attributes
    ----------
    n_voxels : int
        Voxels of one volume.
    n_slices : int
        Slices along the axis closest to inferior-superior.
    slice_mm2 : float
        Area of a slice.
    n_volumes : int
        Volumes of a series, 1 for an image with three axes.
    """

    n_voxels: int
    n_slices: int
    slice_mm2: float
    n_volumes: int = 1


def read_size(path: Path) -> ImageSize:
    """Read the size of an image.

    Raises
    ------
    NotFetchedError
        If the content is not on this machine.
    ImageError
        If the header cannot be read or makes no sense, or if the file cannot be segmented for what its header says.
    """
    header = read_header(path)
    shape = check_image(path.name, header)
    lengths = [n * float(zoom) for n, zoom in zip((*shape, 1)[:3], header.zooms, strict=True)]
    axis = header.slice_axis
    area = math.prod(length for i, length in enumerate(lengths) if i != axis)
    return ImageSize(math.prod(shape[:3]), (*shape, 1)[axis], area, math.prod(shape[3:]))


def look_at_size(path: Path) -> ImageSize | str:
    """Read the size of an image, or say why it cannot be read."""
    try:
        return read_size(path)
    except ImageError as error:
        return str(error)


def is_complete(path: Path) -> bool:
    """Return whether a file holds all that its header announces; a compressed one is decompressed for that."""
    try:
        with open_nifti(path):
            return True
    except ImageError:
        return False
