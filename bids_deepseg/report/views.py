"""Cut the pictures of a report out of an image: axial tiles through the cord and two views along it.

Everything is shown in the radiological convention: the person's right is on the left of axial and coronal pictures;
anterior is on top of axial ones and on the left of sagittal ones; superior is on top. The pictures hold the voxels as
they are, so that outlines run along voxel edges.

A *view along* the cord follows its course: the sagittal one shows, in each row, the voxels in front of and behind the
cord of that slice.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import AXIS_IS, AXIS_PA, AXIS_RL
from bids_deepseg.report.cord import CordImage
from bids_deepseg.report.figures import picture_uri, window_of
from bids_deepseg.report.outline import outline_path

#: Side of an axial tile.
TILE_MM = 36.0
#: What a view along the cord shows on each side of the course.
_ASIDE_MM = 26.0
#: Probabilities whose outlines show where the network is unsure.
UNSURE = (0.1, 0.9)
_TILE_PIXELS = 128


@dataclass(frozen=True, slots=True)
class View:
    """A picture with its overlays.

    Attributes
    ----------
    uri : str
        Grey picture.
    columns, rows : int
        Size in voxels: the coordinates of the paths.
    width_mm, height_mm : float
        Size.
    outline : str
        Border of the mask, SVG path data.
    unsure : str
        Borders of the probabilities ``UNSURE``.
    course : str
        Course of the cord, empty in axial tiles.
    edges : (str, str, str, str)
        Letters of the directions at the top, right, bottom and left.
    inner : str
        Border of the structure inside the cord, empty without one.
    """

    uri: str
    columns: int
    rows: int
    width_mm: float
    height_mm: float
    outline: str
    unsure: str
    course: str
    edges: tuple[str, str, str, str]
    inner: str = ""


def axial_view(cord: CordImage, k: int) -> View:
    """Return slice ``k`` around the cord, brightness windowed by what the tile shows."""
    if not cord.seen:
        return _whole_slice(cord, k)
    i, j = tile_window(cord, k)
    down, across = np.meshgrid(j[::-1], i, indexing="ij")
    size_mm = len(i) * cord.zooms[AXIS_RL], len(j) * cord.zooms[AXIS_PA]
    return _draw(cord, (across, down, np.full(down.shape, k)), size_mm, edges=("A", "L", "P", "R"))


def tile_window(cord: CordImage, k: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the voxels i and j that the tile of slice ``k`` shows; some may lie beyond the image.

    The tile lies around the mask, or where there is none, around the course. All tiles of an image are of one size.
    """
    centre = cord.centres[k] if np.isfinite(cord.centres[k, 0]) else cord.course[k]
    counts = [max(1, round(TILE_MM / cord.zooms[axis])) for axis in (AXIS_RL, AXIS_PA)]
    starts = [round(float(middle) - (n - 1) / 2) for middle, n in zip(centre, counts, strict=True)]
    i, j = (np.arange(start, start + n) for start, n in zip(starts, counts, strict=True))
    return i, j


def _whole_slice(cord: CordImage, k: int) -> View:
    """Return all of slice ``k``."""
    n_i, n_j, _ = cord.data.shape
    down, across = np.meshgrid(np.arange(n_j)[::-1], np.arange(n_i), indexing="ij")
    size_mm = n_i * cord.zooms[AXIS_RL], n_j * cord.zooms[AXIS_PA]
    return _draw(cord, (across, down, np.full(down.shape, k)), size_mm, edges=("A", "L", "P", "R"))


def sagittal_view(cord: CordImage) -> View:
    """Return the view along the cord from its side, anterior on the left."""
    columns = _aside(cord, AXIS_PA)[::-1]
    down, across = np.meshgrid(_downwards(cord), columns, indexing="ij")
    middle = np.rint(cord.course[:, AXIS_RL]).astype(int)
    size_mm = len(columns) * cord.zooms[AXIS_PA], len(down) * cord.zooms[AXIS_IS]
    course = _course_path(cord, columns[0] - cord.course[:, AXIS_PA])
    return _draw(cord, (middle[down], across, down), size_mm, edges=("S", "P", "I", "A"), course=course)


def coronal_view(cord: CordImage) -> View:
    """Return the view along the cord from the front, the person's right on the left."""
    columns = _aside(cord, AXIS_RL)
    down, across = np.meshgrid(_downwards(cord), columns, indexing="ij")
    middle = np.rint(cord.course[:, AXIS_PA]).astype(int)
    size_mm = len(columns) * cord.zooms[AXIS_RL], len(down) * cord.zooms[AXIS_IS]
    course = _course_path(cord, cord.course[:, AXIS_RL] - columns[0])
    return _draw(cord, (across, middle[down], down), size_mm, edges=("S", "L", "I", "R"), course=course)


def spread_slices(cord: CordImage, most: int, extra: list[int]) -> list[int]:
    """Choose up to ``most`` slices, superior first: evenly spread over the cord, and those of ``extra`` that fit."""
    candidates = np.flatnonzero(cord.found)
    if not len(candidates):
        candidates = np.arange(len(cord.found))
    extra = sorted(set(extra) & set(range(len(cord.found))))
    if len(extra) > most // 3:
        extra = [extra[i] for i in np.linspace(0, len(extra) - 1, most // 3).round().astype(int)]
    n_even = min(most - len(extra), candidates[-1] - candidates[0] + 1)
    even = np.linspace(candidates[0], candidates[-1], max(1, n_even)).round().astype(int)
    return sorted({*even.tolist(), *extra}, reverse=True)


def _draw(
    cord: CordImage,
    index: tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]],
    size_mm: tuple[float, float],
    *,
    edges: tuple[str, str, str, str],
    course: str = "",
) -> View:
    """Look up the voxels ``index`` of a picture, each (H, W); those beyond the image are black."""
    shape = cord.data.shape
    inside = np.all([(part >= 0) & (part < n) for part, n in zip(index, shape, strict=True)], axis=0)
    i, j, k = (np.clip(part, 0, n - 1) for part, n in zip(index, shape, strict=True))
    values = cord.data[i, j, k]
    window = window_of(values[inside] if cord.seen else cord.data[::3, ::3, ::3])
    shown = np.where(inside, values, window[0])
    unsure = outline = inner = ""
    if cord.probability is not None:
        probability = np.where(inside, cord.probability[i, j, k], 0)
        unsure = "".join(outline_path(probability >= level) for level in UNSURE)
    if cord.mask is not None:
        outline = outline_path(cord.mask[i, j, k] & inside)
    if cord.structure is not None:
        inner = outline_path(cord.structure[i, j, k] & inside)
    rows, columns = values.shape
    uri = picture_uri(shown, window, most_pixels=1000 if course else _TILE_PIXELS * (1 if cord.seen else 2))
    return View(uri, columns, rows, *size_mm, outline, unsure, course, edges, inner)


def _downwards(cord: CordImage) -> NDArray[np.intp]:
    """Return the slices from superior to inferior."""
    return np.arange(cord.data.shape[AXIS_IS])[::-1]


def _course_path(cord: CordImage, column: NDArray[np.float64]) -> str:
    """Return the course, at ``column`` (K,) of each slice, as SVG path data over the slices in which it was found."""
    n_slices = len(column)
    points = [f"{column[k] + 0.5:.1f} {n_slices - 0.5 - k:g}" for k in np.flatnonzero(cord.found)]
    return "M" + "L".join(points) if points else "M0 0"


def _aside(cord: CordImage, axis: int) -> NDArray[np.intp]:
    """Return the indices along ``axis`` that a view along the cord shows: all where no cord was seen."""
    if not cord.seen:
        return np.arange(cord.data.shape[axis])
    positions = cord.course[cord.found, axis]
    margin = _ASIDE_MM / cord.zooms[axis]
    low = max(0, int(np.floor(positions.min() - margin)))
    high = min(cord.data.shape[axis] - 1, int(np.ceil(positions.max() + margin)))
    return np.arange(low, high + 1)
