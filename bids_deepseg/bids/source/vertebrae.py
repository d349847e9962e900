"""Read labels of the vertebral levels that another program made, and find the level of each slice.

Labels are numbers in an image on the grid of the source: 1 to 7 for C1 to C7, 8 to 19 for T1 to T12, 20 to 24 for L1 to
L5, 25 for S1, as the Spinal Cord Toolbox counts; other numbers are no level. They may fill the cord, the canal or the
vertebrae.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import ResultNames
from bids_deepseg.bids.nifti.reading import read_numbers
from bids_deepseg.bids.source.reader import fingerprint
from bids_deepseg.errors import ImageError
from bids_deepseg.files.names import is_link, leads_to_file
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume

#: Names of the levels 1 to 25.
LEVEL_NAMES = tuple(
    [f"C{n}" for n in range(1, 8)] + [f"T{n}" for n in range(1, 13)] + [f"L{n}" for n in range(1, 6)] + ["S1"]
)

#: Column of the level in the table of measures, and what it says.
LEVEL_COLUMN = "vertebral_level"
LEVEL_DESCRIPTION: Mapping[str, Any] = MappingProxyType(
    {
        "Description": "Vertebral level of the slice by the labels in File of the data set DataSet: the most frequent "
        "one inside the mask, or where there is none, in the slice",
        "Levels": {str(number): name for number, name in enumerate(LEVEL_NAMES, 1)},
    }
)

#: What follows the entities of an image, or its whole name, in the names of label images.
_BIDS_ENDS = ("_label-vertebrae_dseg", "_desc-vertebrae_dseg", "_desc-vertebral_dseg")
_OTHER_ENDS = ("_seg_labeled",)

#: Largest difference of affines that is due to rounding in headers, in mm.
_AFFINE_TOLERANCE = 1e-3

#: A derivative data set: its name and folder.
Place = tuple[str, Path]


@dataclass(frozen=True, slots=True)
class LevelFile:
    """Labels of one image.

    Attributes
    ----------
    dataset : str
        Name of the derivative data set.
    relative : str
        Path in it.
    path : Path
        The file.
    """

    dataset: str
    relative: str
    path: Path

    def sha256(self) -> str:
        """Return the checksum of the file, an empty text if it cannot be read."""
        try:
            return str(fingerprint(self.path)["SHA256"])
        except OSError:
            return ""


def find_level_file(image: BidsImage, places: Sequence[Place]) -> LevelFile | None:
    """Find the labels of an image: the first name of :func:`level_names` in the first data set that has one."""
    for dataset, folder in places:
        for name in level_names(image):
            path = folder / name
            if leads_to_file(path) or is_link(path):
                return LevelFile(dataset, name.as_posix(), path)
    return None


def level_names(image: BidsImage) -> Iterator[PurePosixPath]:
    """Yield the names under which labels are looked for, relative to a data set, the most specific ones first.

    Examples
    --------
    For ``sub-01_acq-ax_T2w.nii.gz``: ``sub-01_acq-ax_T2w_label-vertebrae_dseg``, ``sub-01_acq-ax_T2w_seg_labeled``
    (SCT), ``sub-01_acq-ax_space-orig_label-vertebrae_desc-T2w_dseg``, ``sub-01_acq-ax_label-vertebrae_dseg``...
    """
    names = ResultNames.of_image(image)
    folder = PurePosixPath(names.folder)
    own = names.stem("vertebrae", "dseg").removeprefix(names.folder)
    entities = image.name.rpartition("_")[0]
    stems = [image.name + end for end in (*_BIDS_ENDS, *_OTHER_ENDS)]
    stems += [own, *(entities + space + end for space in ("", "_space-orig") for end in _BIDS_ENDS)]
    return (folder / f"{stem}{ending}" for stem in stems for ending in (".nii.gz", ".nii"))


def read_levels(file: LevelFile, grid: Grid) -> NDArray[np.int16]:
    """Read labels on the grid of an image.

    Parameters
    ----------
    file : LevelFile
        The labels.
    grid : Grid
        Native grid of the image.

    Returns
    -------
    (I, J, K) int16 array
        Level of each voxel, 0 for none.

    Raises
    ------
    ImageError
        If it cannot be read, lies on another grid, or holds no level.
    """
    values, header = read_numbers(file.path, "The file of labels")
    shape = tuple(n for axis, n in enumerate((*header.shape, 1)) if axis < 3 or n > 1)
    if shape != grid.shape or not np.allclose(header.affine, grid.affine, atol=_AFFINE_TOLERANCE):
        raise ImageError(
            f"{file.path.name} lies on another grid than the image. Labels with the voxels and the affine of the image "
            "are expected. Resample them (nearest neighbour)."
        )
    numbers = np.rint(values.reshape(grid.shape))
    # Compared before they are cast, since 65537 would become 1.
    levels = np.where((numbers >= 1) & (numbers <= len(LEVEL_NAMES)), numbers, 0).astype(np.int16)
    if not levels.any():
        raise ImageError(
            f"{file.path.name} holds no level. Numbers from 1 (C1) to {len(LEVEL_NAMES)} ({LEVEL_NAMES[-1]}) are "
            "expected."
        )
    return levels


def levels_of_slices(levels: NDArray[np.int16], mask: Volume) -> NDArray[np.float64]:
    """Return the level of each slice: the most frequent one inside the mask, or where there is none, in the slice.

    Parameters
    ----------
    levels : (I, J, K) int array
        From :func:`read_levels`.
    mask : Volume
        Mask of the cord on the native grid.

    Returns
    -------
    (N,) float array
        One number per native slice along the axis closest to inferior-superior, NaN without level.
    """
    axis = mask.grid.slice_axis
    inside = np.moveaxis(np.where(mask.data > 0, levels, 0), axis, 0)
    return np.array(
        [
            _most_frequent(within) if within.any() else _most_frequent(whole)
            for within, whole in zip(inside, np.moveaxis(levels, axis, 0), strict=True)
        ]
    )


def _most_frequent(levels: NDArray[np.int16]) -> float:
    """Return the most frequent level, the lower number of two that are equally frequent, NaN if there is none."""
    counts = np.bincount(levels.ravel(), minlength=len(LEVEL_NAMES) + 1)[1:]
    return float(np.argmax(counts) + 1) if counts.any() else float("nan")


@dataclass(frozen=True, slots=True, eq=False)
class SliceLevels:
    """Levels of the slices of one image, and where they are from.

    Attributes
    ----------
    values : (N,) float array
        From :func:`levels_of_slices`.
    file : LevelFile
        The labels.
    """

    values: NDArray[np.float64]
    file: LevelFile


def levels_for(file: LevelFile | None, mask: Volume) -> tuple[SliceLevels | None, tuple[tuple[str, str], ...]]:
    """Return the levels of the slices of an image, if labels of it are given.

    Parameters
    ----------
    file : LevelFile or None
        From :func:`find_level_file`.
    mask : Volume
        Mask of the cord on the native grid.

    Returns
    -------
    levels : SliceLevels or None
        None if there are no labels, or none that fit: a mask is worth having without levels.
    notes : tuple of (str, str)
        Code and message, if labels do not fit.
    """
    if file is None:
        return None, ()
    try:
        levels = read_levels(file, mask.grid)
    except ImageError as error:
        return None, (("levels-ignored", f"Vertebral levels were left out: {error}"),)
    return SliceLevels(levels_of_slices(levels, mask), file), ()
