"""Read an image of a data set as a scalar volume, or say exactly why it cannot be segmented.

:func:`read_steadily` returns the checksum of what was read, too. One that is taken at another moment than the values
may be that of another file: the image is synchronised, converted again or fetched in the meantime. A mask of the one
would then be taken for the result of the other for ever.
"""

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.nifti.header_checks import CheckedHeader, check_image
from bids_deepseg.bids.nifti.reading import NiftiHeader, open_nifti
from bids_deepseg.bids.nifti.voxels import NiftiFile, replace_non_finite, scale_values, to_float32
from bids_deepseg.bids.source.inheritance import applicable_files
from bids_deepseg.bids.source.volumes import choose_volumes, volume_rule
from bids_deepseg.errors import ImageChangedError, ImageError
from bids_deepseg.files.names import open_regular
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.findings import Finding

#: Times that an image is read before it counts as one that changes all the time.
_ATTEMPTS = 3

Fingerprint = Mapping[str, int | str]

Note = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class LoadedImage:
    """An image in memory.

    Attributes
    ----------
    volume : Volume
        float32 values, scaled, on the native grid in mm; always three axes.
    header : NiftiHeader
        Header of the source, from which the derivatives take matrices, codes and units.
    shape : tuple of int
        Shape of the derivatives: that of the source without the axis of a series and trailing axes of one; two
        numbers for a two-dimensional image.
    notes : tuple of (str, str)
        Code and message of everything that was done to header and values, for example ``nan-replaced``.
    volumes_used : str or None
        For a series: which volumes were averaged.
    doubts : tuple of Finding
        What of the header had to be guessed, or contradicts the file; they belong to the result and its verdict.
    replaced : (I, J, K) bool array or None
        Voxels that held no number, None if all did.
    """

    volume: Volume
    header: NiftiHeader
    shape: tuple[int, ...]
    notes: tuple[Note, ...] = ()
    volumes_used: str | None = None
    doubts: tuple[Finding, ...] = ()
    replaced: NDArray[np.bool_] | None = None


def read_image(image: BidsImage, volume: str = "auto") -> LoadedImage:
    """Read one image; a diffusion series becomes the mean of its diffusion-weighted volumes.

    Parameters
    ----------
    image : BidsImage
        What to read.
    volume : str, optional
        What to take of an anatomical series, see :func:`bids_deepseg.bids.source.volumes.volume_rule`.

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
    name = image.path.name
    used: str | None = None
    notes: list[Note] = []
    with open_nifti(image.path) as nifti:
        shape = check_image(name, nifti.header)
        chosen = [0]
        if len(shape) == 4:
            if image.suffix == "dwi":
                chosen, used, notes = choose_volumes(image, shape[3])
            else:
                chosen, used, notes = _choose_anatomical(image, volume, shape[3])
        values = _mean_of_volumes(nifti, shape[:3], chosen)
    loaded = load_values(name, values, replace(nifti.header, findings=tuple(nifti.findings)))
    return replace(loaded, notes=(*notes, *loaded.notes), volumes_used=used)


def load_values(name: str, values: NDArray[Any], header: CheckedHeader) -> LoadedImage:
    """Bring the values of one volume to float32, and join them with their place.

    Parameters
    ----------
    name : str
        Of the image, for messages.
    values : array
        Numbers, scaled, with two or three axes.
    header : CheckedHeader
        Where they lie, with all findings about the file.

    Raises
    ------
    ImageError
        If no voxel holds a number, or all hold the same.
    """
    shape = values.shape
    doubts = tuple(found for found in header.findings if found.severity != "info")
    notes = [(found.code, found.message) for found in header.findings if found.severity == "info"]
    converted, value_notes = to_float32(values)
    filled, replaced, more_notes = replace_non_finite(name, converted.reshape((*shape, 1)[:3]))
    if filled.min() == filled.max():
        raise ImageError(
            f"{name} has the same value {filled.flat[0]:g} in every voxel. An image is expected. Look at the file."
        )
    volume = Volume(filled, Grid(filled.shape, header.affine))
    return LoadedImage(
        volume, header.nifti, shape, (*notes, *value_notes, *more_notes), doubts=doubts, replaced=replaced
    )


def fingerprint(path: Path) -> dict[str, int | str]:
    """Return ``Size`` in bytes and ``SHA256`` of a file, read in pieces."""
    with open_regular(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"Size": os.fstat(file.fileno()).st_size, "SHA256": digest}


def _choose_anatomical(image: BidsImage, asked: str, n_volumes: int) -> tuple[list[int], str | None, list[Note]]:
    """Choose the volumes of an anatomical series, and say which."""
    rule = volume_rule(image, asked)
    if rule == "mean":
        return list(range(n_volumes)), f"all {n_volumes} volumes", []
    number = int(rule)
    if number >= n_volumes:
        raise ImageError(
            f"{image.path.name} has {n_volumes} volumes, and volume {number} was asked for. Volumes count from 0: give "
            f"--volume at most {n_volumes - 1}, or mean."
        )
    message = f"Volume {number} of {n_volumes} was segmented, counted from 0 (--volume changes this)."
    return [number], None, [("one-volume", message)]


def _mean_of_volumes(nifti: NiftiFile, shape: tuple[int, ...], chosen: list[int]) -> NDArray[Any]:
    """Average volumes of a file; they are read one by one, so that a series is never in memory."""
    header, n_voxels = nifti.header, math.prod(shape)

    def read(number: int) -> NDArray[Any]:
        return scale_values(nifti.read_raw(number * n_voxels, shape), header.slope, header.intercept)

    if len(chosen) == 1:
        return read(chosen[0])
    total = np.zeros(shape, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        for number in chosen:
            total += read(number)
        return total / len(chosen)


def source_fingerprint(image: BidsImage) -> dict[str, int | str]:
    """Return the fingerprint of everything that is read of an image: the file, and the b-values of a series."""
    found = fingerprint(image.path)
    for path in _b_values(image):
        found["BvalSHA256"] = fingerprint(path)["SHA256"]
    return found


def _files_read(image: BidsImage) -> tuple[Path, ...]:
    """Return the files of which :func:`source_fingerprint` is."""
    return (image.path, *_b_values(image))


def _b_values(image: BidsImage) -> tuple[Path, ...]:
    """Return the .bval file of a diffusion series, or nothing."""
    return applicable_files(image, ".bval")[-1:] if image.suffix == "dwi" else ()


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
        From :func:`source_fingerprint`.

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
            raise ImageChangedError(_change_message(image)) from error
        if _moments(image) == before:
            return loaded, found
    raise ImageChangedError(_change_message(image))


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
        raise ImageChangedError(_change_message(image))


def changed_input(image: BidsImage) -> ImageChangedError:
    """Return the error about a correction, a centerline or labels that are not what they were when work began."""
    return ImageChangedError(
        f"A file that was given for {image.path.name} (correction, centerline, labels of levels) changed while the "
        "image was segmented. Nothing was written. Run again when the file is complete."
    )


def _moments(image: BidsImage) -> list[tuple[int, int, int]]:
    """Return size and times of change of the files that are read; a file that is missing has none."""
    found = []
    for path in _files_read(image):
        try:
            facts = os.stat(path)  # noqa: PTH116 - follows links, as reading does
        except OSError:
            continue
        found.append((facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns))
    return found


def _change_message(image: BidsImage) -> str:
    """Say what happened and what to do."""
    return (
        f"{image.path.name} changed while it was read or segmented. Nothing was written: the result would be that of "
        "another image. Run again when the file is complete."
    )
