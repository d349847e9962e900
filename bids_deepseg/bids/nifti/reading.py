"""Open and write NIfTI files, with an error that says what is wrong with a file.

Terms: *raw* values are those in the file, before the header's slope and intercept.

For plans of thousands of images, :func:`read_size` reads nothing but the first bytes, at a fraction of a millisecond an
image. The header is checked as it is when the image is read; whether a compressed file is complete shows then.
"""

import gzip
import math
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.nifti.header_checks import CheckedHeader, check_header, check_image, read_start
from bids_deepseg.bids.nifti.streams import GZIP_START, ByteStream, GzipStream
from bids_deepseg.bids.nifti.voxels import NiftiFile
from bids_deepseg.errors import ImageError, NotFetchedError
from bids_deepseg.files.names import NotRegularError, is_link, open_regular

#: First bytes of the file that git-annex leaves in place of content that is not there.
_ANNEX_POINTER = b"/annex/objects/"

#: Fields that place the voxels in space; copied as they are, so that the affine is the same to the bit.
_SPACE_FIELDS = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("srow_x", "srow_y", "srow_z", "xyzt_units"),
)

_Real = TypeVar("_Real", np.float32, np.float64)


class NiftiHeader(Protocol):
    """What is used of nibabel's header of an image."""

    def __getitem__(self, field: str, /) -> NDArray[np.float64]: ...

    def get_data_dtype(self) -> np.dtype[np.generic]:
        """Return the type of the values in the file."""
        ...

    def get_data_shape(self) -> tuple[int, ...]:
        """Return the number of voxels along each axis."""
        ...


@contextmanager
def open_nifti(path: Path) -> Iterator[NiftiFile]:
    """Open a NIfTI image, and turn whatever goes wrong until the end of the block into an error for the user.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``; what counts is the content.

    Yields
    ------
    NiftiFile
        Its values are read from the open file, inside the block only. At the end of the block the rest of the file
        is read, and the checksum of a compressed one verified.

    Raises
    ------
    NotFetchedError
        If the content is not on this machine.
    ImageError
        If the file cannot be read or is no NIfTI image, or if its header makes no sense.
    """
    with _open_checked(path) as nifti:
        yield nifti
        nifti.finish()


def read_header(path: Path) -> CheckedHeader:
    """Read and check the header of an image, and nothing else; errors as for :func:`open_nifti`."""
    with _open_checked(path) as nifti:
        return nifti.header


def read_numbers(path: Path, what: str) -> tuple[NDArray[np.float64], CheckedHeader]:
    """Read an image that belongs to another one: a mask, a centerline, labels.

    Returns
    -------
    values : float64 array
        Scaled.
    header : CheckedHeader
        Where they lie.

    Raises
    ------
    NotFetchedError
        If the content is not on this machine.
    ImageError
        If it cannot be read, holds no real numbers, or if it is doubtful where its voxels lie.
    """
    return _read_related(path, what, np.float64)


def read_shares(path: Path, what: str) -> tuple[NDArray[np.float32], CheckedHeader]:
    """Read what belongs to an image and holds values from 0 to 1, in half of the memory of :func:`read_numbers`.

    Raises
    ------
    NotFetchedError
        As there.
    ImageError
        As there, and if a value is not from 0 to 1.
    """
    values, header = _read_related(path, what, np.float32)
    if not (values.min(initial=0) >= 0 and values.max(initial=0) <= 1):
        raise ImageError(f"{what} {path.name} holds values that are not from 0 to 1.")
    return values, header


def _read_related(path: Path, what: str, dtype: type[_Real]) -> tuple[NDArray[_Real], CheckedHeader]:
    with open_nifti(path) as nifti:
        values = nifti.read_scaled(dtype)
    doubts = [found.message for found in nifti.findings if found.severity != "info"]
    if doubts:
        # The result of an image states doubts about the image; this file has none of its own.
        raise ImageError(f"{what} {path.name} cannot be trusted: {' '.join(doubts)}")
    return values, nifti.header


@contextmanager
def _open_checked(path: Path) -> Iterator[NiftiFile]:
    """Open a file and check its header."""
    check_fetched(path)
    with _reading_errors(path), open_regular(path) as file:
        first = file.read(64)
        _check_start(path, first)
        file.seek(0)
        compressed = first.startswith(GZIP_START)
        stream: ByteStream = GzipStream(file) if compressed else file
        start = read_start(stream)
        size = os.fstat(file.fileno()).st_size
        header = check_header(path.name, start, file_bytes=size, compressed=compressed)
        yield NiftiFile(path.name, header, list(header.findings), stream, len(start))


@contextmanager
def _reading_errors(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a file into an error for the user."""
    try:
        yield
    except (EOFError, zlib.error) as error:
        raise ImageError(
            f"{path.name} is truncated or corrupt: {error}. A complete gzip file is expected. Copy it again."
        ) from error
    except NotRegularError as error:
        raise ImageError(f"{error} An image is expected.") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path.name} is a folder. A NIfTI file is expected.") from error
    except PermissionError as error:
        raise ImageError(
            f"{path.name} may not be read by this user. Make it readable: chmod a+r {path.name}"
        ) from error
    except FileNotFoundError as error:
        raise ImageError(_gone(path)) from error
    except OSError as error:
        raise ImageError(f"{path.name} cannot be read: {error.strerror or error}. Copy it again.") from error


def check_fetched(path: Path) -> None:
    """Raise unless the path leads to something.

    Raises
    ------
    NotFetchedError
        If it is a link to nowhere.
    ImageError
        If it does not exist.
    """
    try:
        path.stat()
    except PermissionError as error:
        raise ImageError(
            f"{path.name} lies in, or links to, a folder that this user may not enter. Make the folder readable."
        ) from error
    except OSError as error:
        if is_link(path):
            raise NotFetchedError(_not_fetched(path, "a link to content that is not on this machine")) from error
        raise ImageError(_gone(path)) from error


def _gone(path: Path) -> str:
    """Say that a file has disappeared."""
    return f"{path.name} does not exist. Was it removed after the data set was listed?"


def _not_fetched(path: Path, what: str) -> str:
    """Say how to get the content of a DataLad file."""
    return f"{path.name} is {what}. The image itself is expected. Get it: datalad get {path.name} (in its folder)"


def _check_start(path: Path, start: bytes) -> None:
    """Refuse an empty file and a pointer of git-annex."""
    if not start:
        raise ImageError(f"{path.name} is empty (0 bytes). A NIfTI image is expected. Copy it again.")
    if start.startswith(_ANNEX_POINTER):
        raise NotFetchedError(_not_fetched(path, "a git-annex pointer to content that is not on this machine"))


def write_nifti(stream: BinaryIO, data: NDArray[Any], source_header: NiftiHeader) -> None:
    """Write an array as compressed NIfTI in the space of another image; equal input gives equal bytes.

    Parameters
    ----------
    stream : binary file
        Where to write.
    data : array
        uint8 or float32 values, of the shape of the source's voxels.
    source_header : NiftiHeader
        Header from which matrices, codes, voxel sizes and units are copied; free text is not, it may name the person
        or the time of the scan.
    """
    header: Any = type(source_header)()
    header.set_data_dtype(data.dtype)
    header.set_data_shape(data.shape)
    for name in _SPACE_FIELDS:
        header[name] = source_header[name]
    space, duration = header.get_xyzt_units()
    if space == "unknown":
        # BIDS and this package read matrices in mm; the validator warns of a derivative that leaves its unit open.
        header.set_xyzt_units("mm", duration)
    pixdim = np.ones(8)
    # The thickness of a 2D image is part of its qform.
    pixdim[:4] = source_header["pixdim"][:4]
    header["pixdim"] = pixdim
    image_class = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    image = image_class(np.asanyarray(data), None, header)
    # Neither a file name nor a time in the header of gzip: the bytes depend on the values only.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=stream, mtime=0) as compressed:
        image.to_stream(compressed)


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
