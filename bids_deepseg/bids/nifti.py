"""Open and write NIfTI files, with an error that says what is wrong with a file.

Terms: *raw* values are those in the file, before the header's slope and intercept.
"""

import gzip
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError, ImageDataError
from nibabel.wrapstruct import WrapStructError
from numpy.typing import NDArray

from bids_deepseg.errors import ImageError, NotFetchedError

#: Size of the header, the first number of the file, of NIfTI-1 and NIfTI-2.
_HEADER_SIZES = {348: nib.Nifti1Image, 540: nib.Nifti2Image}

#: First bytes of the file that git-annex leaves in place of content that is not there.
_ANNEX_POINTER = b"/annex/objects/"

#: Fields that place the voxels in space; copied as they are, so that the affine is the same to the bit.
_SPACE_FIELDS = (
    *("qform_code", "sform_code", "quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z"),
    *("srow_x", "srow_y", "srow_z", "xyzt_units"),
)


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
def open_nifti(path: Path) -> Iterator[Any]:
    """Open a NIfTI image, and turn whatever goes wrong until the end of the block into an error for people.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``; what counts is the content.

    Yields
    ------
    nibabel.Nifti1Image or nibabel.Nifti2Image
        Its values are read from the open file, inside of the block only. At the end of the block the checksum of a
        compressed file is verified.

    Raises
    ------
    NotFetchedError
        If the content is not on this machine.
    ImageError
        If the file cannot be read or is no NIfTI image.
    """
    check_fetched(path)
    try:
        with path.open("rb") as file:
            start = file.read(64)
            _check_start(path, start)
            file.seek(0)
            with _decompressed(file, compressed=start[:2] == b"\x1f\x8b") as stream:
                yield _image_class(path, stream).from_stream(stream)
                while stream.read(1 << 20):
                    pass
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ImageError(
            f"{path.name} is truncated or corrupt: {error}. A complete gzip file is expected. Copy it again."
        ) from error
    except IsADirectoryError as error:
        raise ImageError(f"{path.name} is a folder. A NIfTI file is expected.") from error
    except PermissionError as error:
        raise ImageError(
            f"{path.name} may not be read by this user. Make it readable: chmod a+r {path.name}"
        ) from error
    except OSError as error:
        # nibabel raises OSError without number when the file ends before the values that its header announces.
        reason = error.strerror or "it ends before the last value that its header announces"
        raise ImageError(f"{path.name} is truncated or cannot be read: {reason}. Copy it again.") from error
    except ImageError:
        raise
    except (HeaderDataError, ImageDataError, WrapStructError, ValueError) as error:
        raise ImageError(
            f"{path.name} is truncated or has a wrong NIfTI header: {error}. Copy or convert it again."
        ) from error


def check_fetched(path: Path) -> None:
    """Raise unless the path leads to something.

    Raises
    ------
    NotFetchedError
        If it is a link to nowhere.
    ImageError
        If it does not exist.
    """
    if path.is_symlink() and not path.exists():
        raise NotFetchedError(_not_fetched(path, "a link to content that is not on this machine"))
    if not path.exists():
        raise ImageError(f"{path.name} does not exist any more. It was there when the data set was listed.")


def _not_fetched(path: Path, what: str) -> str:
    """Say how to get the content of a DataLad file."""
    return f"{path.name} is {what}. The image itself is expected. Get it: datalad get {path.name} (in its folder)"


def _check_start(path: Path, start: bytes) -> None:
    """Refuse an empty file and a pointer of git-annex."""
    if not start:
        raise ImageError(f"{path.name} is empty (0 bytes). A NIfTI image is expected. Copy it again.")
    if start.startswith(_ANNEX_POINTER):
        raise NotFetchedError(_not_fetched(path, "a git-annex pointer to content that is not on this machine"))


@contextmanager
def _decompressed(file: BinaryIO, *, compressed: bool) -> Iterator[BinaryIO]:
    """Yield the file itself, or a stream of its decompressed content."""
    if not compressed:
        yield file
    else:
        with gzip.GzipFile(fileobj=file, mode="rb") as stream:
            yield stream  # type: ignore[misc]  # GzipFile is a binary file in all but its type


def _image_class(path: Path, stream: BinaryIO) -> Any:
    """Return the image class of nibabel for a stream, left at its start."""
    start = stream.read(4)
    stream.seek(0)
    sizes = [struct.unpack(order + "i", start)[0] for order in "<>"] if len(start) == 4 else []
    image_class = next((_HEADER_SIZES[size] for size in sizes if size in _HEADER_SIZES), None)
    if image_class is None:
        raise ImageError(f"{path.name} is no NIfTI image, whatever its name says. Convert it to NIfTI.")
    return image_class


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
    for field in _SPACE_FIELDS:
        header[field] = source_header[field]
    space, duration = header.get_xyzt_units()
    if space == "unknown":
        # BIDS and this package read matrices in mm; the validator warns of a derivative that leaves its unit open.
        header.set_xyzt_units("mm", duration)
    pixdim = np.ones(8)
    pixdim[: data.ndim + 1] = source_header["pixdim"][: data.ndim + 1]
    header["pixdim"] = pixdim
    image_class = nib.Nifti2Image if isinstance(header, nib.Nifti2Header) else nib.Nifti1Image
    image = image_class(np.asanyarray(data), None, header)
    # Neither a file name nor a time in the header of gzip: the bytes depend on the values only.
    with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=stream, mtime=0) as compressed:
        image.to_stream(compressed)
