"""Read an image of a data set as a scalar volume, or say exactly why it cannot be segmented."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.nifti import NiftiHeader, open_nifti
from bids_deepseg.bids.source.inheritance import applicable_files
from bids_deepseg.bids.source.query import BidsImage
from bids_deepseg.bids.source.volumes import volume_rule
from bids_deepseg.errors import ImageError
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume

#: Diffusion weighting in s/mm² up to which a volume counts as unweighted: some scanners write 5 for 0.
MAX_B0 = 10.0

Note = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class LoadedImage:
    """An image in memory.

    Attributes
    ----------
    volume : Volume
        float32 values, scaled, on the native grid; always three axes.
    header : NiftiHeader
        Header of the source, from which the derivatives take matrices, codes and units.
    shape : tuple of int
        Shape of the derivatives: that of the source without the axis of a series and trailing axes of one; two
        numbers for a two-dimensional image.
    notes : tuple of (str, str)
        Code and message of everything that was done to the values, for example ``nan-replaced``.
    volumes_used : str or None
        For a series: which volumes were averaged.
    """

    volume: Volume
    header: NiftiHeader
    shape: tuple[int, ...]
    notes: tuple[Note, ...] = ()
    volumes_used: str | None = None


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
        shape = _checked_shape(image, nifti.header)
        if len(shape) == 4:
            if image.suffix == "dwi":
                chosen, used, notes = _choose_volumes(image, shape[3])
            else:
                chosen, used, notes = _choose_anatomical(image, volume, shape[3])
            values = _mean_of_volumes(nifti.dataobj, shape, chosen)
        else:
            values = _scaled(nifti.dataobj.get_unscaled(), nifti.dataobj)
        header, affine = nifti.header.copy(), nifti.affine
    if header["sform_code"] == 0 and header["qform_code"] == 0:
        notes.append(
            ("no-orientation", "The header states no orientation; left and right may be exchanged. Set its sform.")
        )
    values, replaced = _replace_non_finite(name, values.reshape(shape[:3] if len(shape) > 2 else (*shape, 1)))
    if values.min() == values.max():
        raise ImageError(
            f"{name} has the same value {values.flat[0]:g} in every voxel. An image is expected. Look at the file."
        )
    grid = Grid(values.shape, affine)
    return LoadedImage(Volume(values, grid), header, shape[:3], (*notes, *replaced), used)


def fingerprint(path: Path) -> dict[str, int | str]:
    """Return ``Size`` in bytes and ``SHA256`` of a file, read in pieces."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"Size": path.stat().st_size, "SHA256": digest}


def _checked_shape(image: BidsImage, header: NiftiHeader) -> tuple[int, ...]:
    """Return the shape without trailing axes of one; refuse what is no scalar image of the right dimensions."""
    dtype = header.get_data_dtype()
    if dtype.fields is not None or dtype.kind not in "iuf":
        kind = "colour (RGB)" if dtype.fields is not None else f"{dtype.name} values"
        raise ImageError(f"{image.path.name} holds {kind}. A magnitude image of real numbers is expected. Convert it.")
    full = tuple(int(n) for n in header.get_data_shape())
    shape = full
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    if not 2 <= len(shape) <= 4 or 0 in shape:
        sizes = "x".join(map(str, full)) or "no size"
        advice = "Split it into images of their own." if len(shape) > 4 else "Convert it again."
        raise ImageError(
            f"{image.path.name} has {len(full)} dimensions ({sizes}). A 3D image or a series of them is expected. "
            f"{advice}"
        )
    return shape


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
    message = f"Volume {number} of {n_volumes} was segmented, counted from 0 (--volume chooses)."
    return [number], None, [("one-volume", message)]


def _choose_volumes(image: BidsImage, n_volumes: int) -> tuple[list[int], str, list[Note]]:
    """Choose the volumes of a diffusion series that are averaged, and say which."""
    every = list(range(n_volumes))
    paths = applicable_files(image, ".bval")
    if not paths:
        message = f"No .bval file was found, so the mean of all {n_volumes} volumes was segmented. Add the file."
        return every, f"all {n_volumes} volumes", [("no-bval", message)]
    path = paths[-1]
    try:
        b_values = np.array([float(word) for word in path.read_text(encoding="utf-8").split()])
    except (OSError, ValueError) as error:
        raise ImageError(f"{path.name} cannot be read: {error}. Numbers separated by spaces are expected.") from error
    if len(b_values) != n_volumes:
        raise ImageError(
            f"{path.name} lists {len(b_values)} values, {image.path.name} has {n_volumes} volumes. "
            "One value per volume is expected. Correct the .bval file."
        )
    chosen = [int(index) for index in np.flatnonzero(b_values > MAX_B0)]
    if not chosen:
        message = f"No volume has b > {MAX_B0:g} s/mm², so the mean of all {n_volumes} volumes was segmented."
        return every, f"all {n_volumes} volumes", [("no-weighted-volume", message)]
    return chosen, f"{len(chosen)} of {n_volumes} volumes, b > {MAX_B0:g} s/mm²", []


def _mean_of_volumes(dataobj: Any, shape: tuple[int, ...], chosen: list[int]) -> NDArray[np.float32]:
    """Average volumes of a series; they are read one by one, so that the series is never in memory."""
    if len(chosen) == 1:
        return _scaled(_read_volume(dataobj, shape, chosen[0]), dataobj)
    total = np.zeros(shape[:3], np.float64)
    for index in chosen:
        total += _scaled(_read_volume(dataobj, shape, index), dataobj)
    return _to_float32(total / len(chosen))


def _read_volume(dataobj: Any, shape: tuple[int, ...], index: int) -> NDArray[Any]:
    """Read the raw values of one volume; those before it are skipped, those after it not touched."""
    size = math.prod(shape[:3]) * dataobj.dtype.itemsize
    stream = dataobj.file_like
    stream.seek(dataobj.offset + index * size)
    content = stream.read(size)
    if len(content) < size:
        raise OSError(f"Volume {index} is not complete.")
    return np.frombuffer(content, dataobj.dtype).reshape(shape[:3], order="F")


def _scaled(raw: NDArray[Any], dataobj: Any) -> NDArray[np.float32]:
    """Apply the header's slope and intercept."""
    slope, intercept = dataobj.slope, dataobj.inter
    if slope == 1 and intercept == 0:
        return _to_float32(raw)
    with np.errstate(over="ignore", invalid="ignore"):
        return _to_float32(raw.astype(np.float64) * slope + intercept)


def _to_float32(values: NDArray[Any]) -> NDArray[np.float32]:
    """Convert; what is too large for float32 becomes infinite, which is reported with the other such voxels."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.array(values, np.float32)


def _replace_non_finite(name: str, values: NDArray[np.float32]) -> tuple[NDArray[np.float32], list[Note]]:
    """Set NaN and infinite voxels to 0 and say so; refuse an image with more of them than numbers."""
    finite = np.isfinite(values)
    n_bad = int(values.size - finite.sum())
    if n_bad == 0:
        return values, []
    if 2 * n_bad > values.size:
        raise ImageError(
            f"{name} has {n_bad} of {values.size} voxels that are NaN or infinite. Numbers are expected in at least "
            "half of them. Look at the file."
        )
    return np.where(finite, values, np.float32(0)), [
        ("nan-replaced", f"{n_bad} voxels were NaN or infinite and set to 0.")
    ]
