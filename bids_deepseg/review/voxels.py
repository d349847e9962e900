"""Bring voxels to the page and back.

The page gets images whose axes point right, anterior and superior, on a grid without rotation: its viewer turns nothing
then, and the first axis varies fastest in memory, there as here. What is drawn comes back as the bytes of these voxels
and is put on the grid of the image here, so that nothing of the image's place depends on the page.
"""

import math
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.nifti.reading import read_numbers
from bids_deepseg.bids.source.corrections import find_correction, read_corrected_mask
from bids_deepseg.bids.source.reader import LoadedImage, read_image
from bids_deepseg.errors import ImageError
from bids_deepseg.geometry.grid import CANONICAL_AXCODES, Grid
from bids_deepseg.geometry.volume import Volume, reorient, reorient_onto
from bids_deepseg.review.images import ReviewImage

#: Axes of what the page gets.
PAGE_AXCODES = ("R", "A", "S")

#: Most voxels along an axis that the page can show, by the standard of its viewer.
MOST_VOXELS = 2048

#: Largest number of the 16 bits in which the page gets an image.
_TOP = 32767


def read_for_page(listed: ReviewImage) -> LoadedImage:
    """Read an image as it was segmented.

    Raises
    ------
    ImageError
        If it cannot be read, or is too large for the page.
    """
    loaded = read_image(listed.image, listed.volume_rule)
    if max(loaded.volume.grid.shape) > MOST_VOXELS:
        raise ImageError(
            f"{listed.image.path.name} has {max(loaded.volume.grid.shape)} voxels along an axis. The page shows up to "
            f"{MOST_VOXELS}. Correct it with another program."
        )
    return loaded


def page_grid(grid: Grid) -> Grid:
    """Return the grid of an image with its axes as the page has them, in the place of the image."""
    return reorient(Volume(np.zeros(grid.shape, np.uint8), grid), PAGE_AXCODES).grid


def image_bytes(volume: Volume) -> bytes:
    """Return an image as NIfTI for the page, in 16 bits."""
    turned = reorient(volume, PAGE_AXCODES)
    low, high = float(turned.data.min()), float(turned.data.max())
    slope = (high - low) / _TOP or 1.0
    steps = np.rint((turned.data - np.float64(low)) / slope).astype(np.int16)
    return _nifti_bytes(steps, turned.grid, slope, low)


def mask_bytes(mask: Volume) -> bytes:
    """Return a mask as NIfTI for the page."""
    turned = reorient(mask, PAGE_AXCODES)
    return _nifti_bytes(turned.data, turned.grid)


def _nifti_bytes(data: NDArray[np.generic], grid: Grid, slope: float = 1.0, intercept: float = 0.0) -> bytes:
    """Return voxels as NIfTI on a grid without rotation, around the origin of the world."""
    zooms = np.array(grid.zooms)
    affine = np.diag([*zooms, 1.0])
    affine[:3, 3] = -zooms * (np.array(grid.shape) - 1) / 2
    image = nib.Nifti1Image(data, affine)
    # Written by hand, since nibabel would choose another scaling.
    header = image.header.copy()
    header.set_slope_inter(slope, intercept)
    header["magic"], header["vox_offset"] = b"n+1", 352
    return bytes(header.binaryblock) + b"\0" * 4 + np.asarray(data).tobytes(order="F")


def unpack(body: bytes, grid: Grid) -> Volume:
    """Turn what the page sends into a mask with the axes of the page.

    Parameters
    ----------
    body : bytes
        The voxels, one byte each, compressed by gzip.
    grid : Grid
        Native grid of the image.

    Returns
    -------
    Volume
        uint8 mask.

    Raises
    ------
    ImageError
        If it does not hold as many voxels as the image, or others than 0 and 1.
    """
    shown = page_grid(grid)
    values = np.frombuffer(_decompress(body, math.prod(shown.shape)), np.uint8)
    if values.max(initial=0) > 1:
        raise ImageError(f"The drawing holds the value {values.max()}. 0 and 1 are expected. Nothing was saved.")
    return Volume(np.ascontiguousarray(values.reshape(shown.shape, order="F")), shown)


def onto_image(drawn: Volume, grid: Grid) -> Volume:
    """Return a mask of the page on exactly the grid of the image."""
    return reorient_onto(reorient(drawn, CANONICAL_AXCODES), grid)


def _decompress(body: bytes, n_bytes: int) -> bytes:
    """Decompress no more than is expected, however much there is."""
    unzip = zlib.decompressobj(wbits=31)
    try:
        content = unzip.decompress(body, n_bytes + 1)
    except zlib.error as error:
        raise ImageError(f"The drawing did not arrive complete ({error}). Save it again.") from error
    if len(content) != n_bytes or not unzip.eof:
        raise ImageError(
            f"The drawing does not have the {n_bytes} voxels of the image. Nothing was saved. Load the page again."
        )
    return content


def result_mask(listed: ReviewImage, grid: Grid) -> Volume:
    """Return the mask of the result of an image, empty if there is none.

    Raises
    ------
    ImageError
        If it cannot be read, or does not have the voxels of the image.
    """
    if listed.saved is None:
        return Volume(np.zeros(grid.shape, np.uint8), grid)
    values, _ = read_numbers(listed.saved.mask, "The mask")
    if values.size != math.prod(grid.shape):
        raise ImageError(f"{listed.saved.mask.name} does not have the voxels of its image. Segment it again.")
    return Volume((values.reshape(grid.shape) >= 0.5).astype(np.uint8), grid)


def corrected_mask(listed: ReviewImage, grid: Grid, corrections: Path) -> Volume | None:
    """Return the corrected mask of an image, None if there is none.

    Raises
    ------
    ImageError
        If there are several, or it cannot be used.
    """
    correction = find_correction(listed.image, corrections)
    if correction is None or correction.kind != "mask":
        return None
    return read_corrected_mask(correction, grid)
