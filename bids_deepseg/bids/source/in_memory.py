"""Take an image that nibabel holds in memory, with the checks of one that is read from a file."""

import zlib
from pathlib import Path
from typing import Any, Protocol

import nibabel as nib
import numpy as np
from nibabel.spatialimages import HeaderDataError

from bids_deepseg.bids.nifti.header_checks import CheckedHeader, check_header, check_image
from bids_deepseg.bids.nifti.voxels import scale_values
from bids_deepseg.bids.source.reader import LoadedImage, load_values
from bids_deepseg.errors import ImageError

#: The flag of extensions behind a header: there are none.
_NO_EXTENSIONS = bytes(4)


class SpatialImage(Protocol):
    """What is used of an image of nibabel, of any format."""

    @property
    def dataobj(self) -> object:
        """The values, in memory or in a file."""
        ...

    @property
    def affine(self) -> object:
        """Voxel indices to RAS+."""
        ...

    @property
    def header(self) -> object:
        """Unit, codes and matrices, if it is one of NIfTI."""
        ...

    def get_filename(self) -> str | None:
        """Return the path of its file, if it has one."""
        ...


def load_in_memory(image: SpatialImage) -> LoadedImage:
    """Bring an image of nibabel into the form in which this package segments images.

    Parameters
    ----------
    image : SpatialImage
        Image with two or three axes (and others of one voxel); its values are not changed.

    Returns
    -------
    LoadedImage
        The same as if the image had been saved as NIfTI and read again, but for the rounding of values by saving.

    Raises
    ------
    ImageError
        If its values cannot be read, are no real numbers or all the same, if it is a series of volumes, or if its
        header makes no sense.
    """
    path = image.get_filename()
    name = Path(path).name if path else "The image"
    try:
        values: np.ndarray[Any, np.dtype[Any]] = np.asanyarray(image.dataobj)
    except (OSError, EOFError, zlib.error) as error:
        raise ImageError(f"{name} cannot be read: {error}. A complete file is expected. Copy it again.") from error
    header = _checked_header(name, image, values)
    shape = check_image(name, header)
    if len(shape) > 3:
        raise ImageError(
            f"{name} holds {shape[3]} volumes. One is expected. Choose one, such as image.slicer[..., 0], or average "
            "them."
        )
    return load_values(name, scale_values(values.reshape(shape), 1.0, 0.0), header)


def _checked_header(name: str, image: SpatialImage, values: "np.ndarray[Any, np.dtype[Any]]") -> CheckedHeader:
    """Return the header that the image would have in a file of its own."""
    image_class = nib.Nifti2Image if isinstance(image.header, nib.Nifti2Header) else nib.Nifti1Image
    # Of other formats, the affine says all that is known.
    own = image.header if isinstance(image.header, nib.Nifti1Header) else None
    is_real = values.dtype.kind in "biuf"
    try:
        # The values are not needed for a header, and take no memory.
        empty = np.broadcast_to(np.zeros((), np.float32), values.shape)
        header: Any = image_class(empty, image.affine, own).header
        header.set_data_dtype(np.float32 if is_real else values.dtype)
    except (ValueError, TypeError, HeaderDataError) as error:
        raise ImageError(f"{name} cannot be saved as NIfTI: {error}. Convert it.") from error
    header.set_slope_inter(1.0, 0.0)
    header["magic"] = header.single_magic
    header["vox_offset"] = header.sizeof_hdr + len(_NO_EXTENSIONS)
    size = header.sizeof_hdr + len(_NO_EXTENSIONS) + values.size * header.get_data_dtype().itemsize
    return check_header(name, header.binaryblock + _NO_EXTENSIONS, file_bytes=size, compressed=False)
