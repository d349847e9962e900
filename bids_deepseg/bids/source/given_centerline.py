"""Find and read a centerline that was given: a mask, one voxel per slice, or a table of points.

What counts is the content, matched in the world: an image may have any grid and orientation. A table has a header line
and one point a line, in any order, separated by tabs, commas or semicolons; its columns are ``x_mm``, ``y_mm`` and
``z_mm`` (RAS+ world coordinates in mm) or ``i``, ``j`` and ``k`` (voxel indices from 0 on the axes of the image that
is segmented, as viewers show them). Other columns, and lines that begin with ``#``, are passed over. The centerlines
that this app writes can be read back, both kinds.
"""

import math
import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import derivative_path
from bids_deepseg.bids.nifti.reading import check_fetched, read_numbers
from bids_deepseg.bids.source.reader import fingerprint
from bids_deepseg.errors import ImageError
from bids_deepseg.files.names import is_link, leads_to_file, leads_to_folder, printable, why_no_folder
from bids_deepseg.files.text import parse_number, read_text, split_lines
from bids_deepseg.geometry.grid import CANONICAL_AXCODES, Grid, orientation_between
from bids_deepseg.geometry.volume import Volume, reorient

#: Names by which others call a centerline: what follows the name of the image. ``bids_deepseg viewer`` saves under the
#: first.
_SUFFIXES = ("_centerline-manual", "_centerline", "_label-centerline", "_label-centerline_mask")
_ENDINGS = (".tsv", ".csv", ".nii.gz", ".nii")

#: Columns of points in the world and of points on the voxels of the image.
WORLD_COLUMNS = ("x_mm", "y_mm", "z_mm")

VOXEL_COLUMNS = ("i", "j", "k")

#: Mean area in a slice above which an image is not a mask of a cord or of its centerline; a spinal canal has up to 500.
MAX_AREA_MM2 = 1000.0

_IMAGE_ENDINGS = (".nii", ".nii.gz")

#: Distance in voxels from the outermost voxel centres up to which a point lies in the field of view.
_BORDER_VOXELS = 0.5 + 1e-3


def find_centerline_file(image: BidsImage, place: Path) -> Path | None:
    """Find the centerline of an image.

    Parameters
    ----------
    image : BidsImage
        The image.
    place : Path
        A file, which is taken as it is, or the root of a data set of derivatives: the names that this app gives to
        centerlines are looked for, then ``<image>_centerline-manual``, ``<image>_centerline``,
        ``<image>_label-centerline`` and ``<image>_label-centerline_mask`` with the endings of tables and images, in
        the folder of the image below ``place`` and in ``place`` itself.

    Returns
    -------
    Path or None
        The first that is there; None if there is none.
    """
    if not leads_to_folder(place):
        return place if leads_to_file(place) or is_link(place) else None
    found = (place / name for name in centerline_names(image))
    return next((path for path in found if leads_to_file(path) or is_link(path)), None)


def need_centerline_file(image: BidsImage, place: Path) -> Path:
    """Find the centerline of an image; parameters as for :func:`find_centerline_file`.

    Raises
    ------
    ImageError
        If there is none.
    """
    path = find_centerline_file(image, place)
    if path is None:
        names = [name.as_posix() for name in centerline_names(image)]
        raise ImageError(
            f"No centerline of {image.name} was found in {place}. Expected is for example {names[0]}, {names[1]} or "
            f"{names[2]}. Add it, or leave the image out."
        )
    return path


def closed_folders(images: Iterable[BidsImage], place: Path) -> tuple[tuple[str, str], ...]:
    """Find the folders of images, below one in which files are looked up by their names, that cannot be entered.

    Returns
    -------
    tuple of (str, str)
        Path of each relative to ``place``, as it is shown, and what is wrong with it; sorted.
    """
    inner = {derivative_path(image, "mask").parent for image in images}
    # Of a folder that cannot be entered, those inside it are not looked at.
    steps = sorted({folder for each in inner for folder in (each, *each.parents)}, key=lambda folder: folder.parts)
    closed: dict[PurePosixPath, str] = {}
    for folder in steps:
        if not any(above in closed for above in folder.parents) and os.path.lexists(place / folder):
            problem = why_no_folder(place / folder)
            closed |= {folder: problem} if problem else {}
    return tuple((printable(folder), problem) for folder, problem in closed.items())


def centerline_sha256(image: BidsImage, place: Path) -> str:
    """Return the checksum of the centerline of an image, an empty text where there is none or it cannot be read."""
    path = find_centerline_file(image, place)
    if path is None:
        return ""
    try:
        return str(fingerprint(path)["SHA256"]) if path else ""
    except OSError:
        return ""


def centerline_names(image: BidsImage) -> Iterator[PurePosixPath]:
    """Yield the names that are looked for, relative to the folder, the preferred ones first."""
    own = [derivative_path(image, product) for product in ("centerline_tsv", "centerline_mask")]
    yield from own
    for folder in (own[0].parent, PurePosixPath()):
        for suffix in _SUFFIXES:
            for ending in _ENDINGS:
                yield folder / f"{image.name}{suffix}{ending}"


def read_centerline(path: Path, grid: Grid) -> NDArray[np.float64]:
    """Read the points of a centerline.

    Parameters
    ----------
    path : Path
        NIfTI image (mask, probability or one voxel per slice) or a CSV or TSV file of points.
    grid : Grid
        Native grid of the image that will be segmented.

    Returns
    -------
    (N, 3) float array
        Points in RAS+ mm, at least one. Of an image, one point per slice with mask: its centroid.

    Raises
    ------
    NotFetchedError
        If the file is a link to content that is not on this machine.
    ImageError
        If the file cannot be read, is empty, holds no centerline, or its points lie outside the field of view.
    """
    is_image = path.name.lower().endswith(_IMAGE_ENDINGS)
    points = _points_of_image(path) if is_image else _points_of_table(path, grid)
    _check_field_of_view(path, points, grid)
    return points


def _points_of_image(path: Path) -> NDArray[np.float64]:
    """Return the centroid of the mask in each of its slices, from inferior to superior."""
    values, header = read_numbers(path, "The centerline")
    shape = header.shape
    if len(shape) < 2 or set(shape[3:]) - {1}:
        raise ImageError(
            f"The centerline {path.name} has {len(shape)} dimensions. A mask with three is expected. Give one."
        )
    n_i, n_j, n_k = (*shape, 1)[:3]
    weights = _weights(path, values.reshape(n_i, n_j, n_k))
    canonical = reorient(Volume(weights, Grid((n_i, n_j, n_k), header.affine)), CANONICAL_AXCODES)
    weights = canonical.data.astype(np.float64)
    i, j, k = np.ix_(*map(np.arange, weights.shape))
    total = weights.sum((0, 1))
    present = np.flatnonzero(total)
    centre = [(weights * index).sum((0, 1))[present] / total[present] for index in (i, j)]
    zi, zj, _ = canonical.grid.zooms
    area = float(total[present].mean()) * zi * zj
    if area > MAX_AREA_MM2:
        raise ImageError(
            f"The centerline {path.name} covers {area:.0f} mm² in its slices. A mask of the cord (up to 150 mm²) or "
            "one voxel per slice is expected. Is it the image itself? Give its mask."
        )
    return canonical.grid.voxel_to_world(np.column_stack([*centre, k.ravel()[present]]))


def _weights(path: Path, values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the weights of the voxels of a mask: probabilities count as they are, labels one each."""
    if not np.isfinite(values).all():
        raise ImageError(f"The centerline {path.name} holds NaN or infinite voxels. A mask of numbers is expected.")
    if not values.any():
        raise ImageError(f"The centerline {path.name} is empty: all voxels are 0. Mark the cord in it.")
    if values.min() < 0 or (values.max() > 1 and (values != np.rint(values)).any()):
        raise ImageError(
            f"The centerline {path.name} holds values from {values.min():g} to {values.max():g}. A mask (0 and 1), "
            "a probability or labels are expected. Is it the image itself? Give its mask."
        )
    weights = np.asarray(values if values.max() <= 1 else values > 0, np.float32)
    if not weights.any():
        raise ImageError(f"The centerline {path.name} is empty: its largest value is {values.max():g}. Mark the cord.")
    return weights


def _points_of_table(path: Path, grid: Grid) -> NDArray[np.float64]:
    """Return the points of a CSV or TSV file."""
    check_fetched(path)
    try:
        text = read_text(path)
    except (OSError, ValueError) as error:
        raise ImageError(
            f"The centerline {path.name} cannot be read: {error}. An image or a table is expected."
        ) from error
    numbered = [(n, line) for n, line in enumerate(split_lines(text), 1) if line.strip() and not line.startswith("#")]
    if len(numbered) < 2:
        raise ImageError(
            f"The centerline {path.name} holds no point. A header line and one point per line are expected."
        )
    (_, header), *lines = numbered
    separator = next((mark for mark in ("\t", ";") if mark in header), ",")
    names = [name.strip().strip('"').lower() for name in header.split(separator)]
    wanted = next((columns for columns in (WORLD_COLUMNS, VOXEL_COLUMNS) if set(columns) <= set(names)), None)
    if wanted is None:
        raise ImageError(
            f"The centerline {path.name} has the columns {', '.join(names)}. {', '.join(WORLD_COLUMNS)} (world, RAS+) "
            f"or {', '.join(VOXEL_COLUMNS)} (voxels of the image) are expected in its first line."
        )
    at = [names.index(name) for name in wanted]
    points = np.array([_point(path, number, line.split(separator), at) for number, line in lines])
    return points if wanted == WORLD_COLUMNS else grid.voxel_to_world(points)


def _point(path: Path, number: int, words: list[str], at: list[int]) -> tuple[float, ...]:
    """Return the numbers of one line."""
    try:
        point = tuple(parse_number(words[position].strip(' "')) for position in at)
    except (ValueError, IndexError):
        point = (math.nan,)
    if not all(map(math.isfinite, point)):
        raise ImageError(
            f"Line {number} of the centerline {path.name} holds no point: {' '.join(words)!r}. Three numbers are "
            "expected. Correct or remove the line."
        )
    return point


def _check_field_of_view(path: Path, points: NDArray[np.float64], grid: Grid) -> None:
    """Refuse points beside the image; points above and below it may belong to a longer image of the same person."""
    axis_is = int(np.flatnonzero(orientation_between(grid, CANONICAL_AXCODES)[:, 0] == 2)[0])
    ijk, last = grid.world_to_voxel(points), np.array(grid.shape) - 1
    outside = (ijk < -_BORDER_VOXELS) | (ijk > last + _BORDER_VOXELS)
    along = ijk[:, axis_is]
    if along.max() < -_BORDER_VOXELS or along.min() > last[axis_is] + _BORDER_VOXELS:
        low, high = sorted(grid.voxel_to_world([np.zeros(3), last])[:, 2])
        raise ImageError(
            f"The centerline {path.name} lies outside the image: z from {points[:, 2].min():.0f} to "
            f"{points[:, 2].max():.0f} mm, the image has {low:.0f} to {high:.0f} mm. Does it belong to another image?"
        )
    beside = outside.any(1) & ~outside[:, axis_is]
    if beside.any():
        x, y, z = points[np.flatnonzero(beside)[0]]
        raise ImageError(
            f"{int(beside.sum())} of {len(points)} points of the centerline {path.name} lie beside the image, for "
            f"example ({x:.1f}, {y:.1f}, {z:.1f}) mm. Points inside it, in RAS+ mm, are expected. Does it belong to "
            "another image, or are its coordinates LPS?"
        )
