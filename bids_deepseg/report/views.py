"""Cut the pictures of a report out of an image: axial tiles through the cord and two views along it.

Everything is shown in the radiological convention: the person's right is on the left of axial and coronal pictures;
anterior is on top of axial ones and on the left of sagittal ones; superior is on top. The pictures hold the voxels as
they are, so that outlines run along voxel edges.

Terms: the *course* gives the in-plane position (i, j) of the cord in each slice of the canonical grid; a *view along*
the cord follows it: the sagittal one shows, in each row, the voxels in front of and behind the cord of that slice.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import AXIS_IS, AXIS_PA, AXIS_RL, CANONICAL_AXCODES, Grid
from bids_deepseg.geometry.volume import Volume, reorient
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


@dataclass(frozen=True, slots=True, eq=False)
class CordImage:
    """An image on canonical axes with what was found in it.

    Attributes
    ----------
    data : (I, J, K) float32 array
        Image.
    mask : (I, J, K) bool array or None
        Cord.
    probability : (I, J, K) float32 array or None
        Probability of cord.
    course : (K, 2) float array
        Where the cord is, or would be, in each slice.
    found : (K,) bool array
        Slices in which the course or the mask saw a cord.
    numbers : (K,) int array
        Native numbers of the slices.
    zooms : (float, float, float)
        Voxel size in mm.
    structure : (I, J, K) bool array or None
        Structure inside the cord.
    centres : (K, 2) float array
        Centre of the mask in each slice, NaN without mask.
    """

    data: NDArray[np.float32]
    mask: NDArray[np.bool_] | None
    probability: NDArray[np.float32] | None
    course: NDArray[np.float64]
    found: NDArray[np.bool_]
    numbers: NDArray[np.intp]
    zooms: tuple[float, float, float]
    structure: NDArray[np.bool_] | None = None
    centres: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        centres = np.full((len(self.numbers), 2), np.nan) if self.mask is None else _centres(self.mask)
        object.__setattr__(self, "centres", centres)

    @property
    def seen(self) -> bool:
        """Whether a cord was seen anywhere; if not, whole slices are shown."""
        return bool(self.found.any())


def cord_image(
    image: Volume,
    mask: Volume | None,
    probability: Volume | None,
    centerline_xyz: NDArray[np.float64] | None,
    structure: Volume | None = None,
) -> CordImage:
    """Bring an image and its results to canonical axes.

    Parameters
    ----------
    image, mask, probability, structure : Volume
        On one native grid; the last one is the mask of a structure inside the cord.
    centerline_xyz : (N, 3) float array or None
        Course of the cord in RAS+ mm; without one the centres of the mask's slices are taken.
    """
    canonical = reorient(image, CANONICAL_AXCODES)
    inside = None if mask is None else reorient(mask, CANONICAL_AXCODES).data > 0
    inner = None if structure is None else reorient(structure, CANONICAL_AXCODES).data > 0
    sure = None if probability is None else reorient(probability, CANONICAL_AXCODES).data
    points = np.empty((0, 3))
    if centerline_xyz is not None and len(centerline_xyz):
        points = canonical.grid.world_to_voxel(centerline_xyz)
    elif inside is not None:
        centres = _centres(inside)
        present = np.flatnonzero(np.isfinite(centres[:, 0]))
        points = np.column_stack([centres[present], present])
    course, found = _course(points, canonical.grid.shape)
    if inside is not None:
        found |= inside.any((0, 1))
    numbers = _native_numbers(image.grid)
    return CordImage(canonical.data, inside, sure, course, found, numbers, canonical.grid.zooms, inner)


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


def _course(points: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Interpolate points (N, 3) in voxels to one position in each slice; beyond the ends the last one stays."""
    k = np.arange(shape[AXIS_IS])
    if not len(points):
        return np.tile((np.array(shape[:2]) - 1) / 2, (len(k), 1)), np.zeros(len(k), bool)
    points = points[np.argsort(points[:, 2])]
    course = np.column_stack([np.interp(k, points[:, 2], points[:, axis]) for axis in (AXIS_RL, AXIS_PA)])
    found = (k >= points[0, 2] - 0.5) & (k <= points[-1, 2] + 0.5)
    return np.clip(course, 0, np.array(shape[:2]) - 1), found


def _centres(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the centre of mass (K, 2) of each slice, NaN for one without mask.

    Slices lie apart in memory, so each look at one of a large image takes long; all are summed at once.
    """
    along = [np.flatnonzero(mask.any(axes)) for axes in ((1, 2), (0, 2))]
    box = mask[np.ix_(*along)] if all(map(len, along)) else mask[:0, :0]
    counts = box.sum((0, 1)).astype(float)
    counts[counts == 0] = np.nan
    sums = [index @ box.sum(1 - axis) for axis, index in enumerate(along)] if box.size else [counts, counts]
    return np.column_stack([total / counts for total in sums])


def _native_numbers(grid: Grid) -> NDArray[np.intp]:
    """Return the native number of each canonical slice."""
    axis = grid.slice_axis
    numbers = np.arange(grid.shape[axis])
    return numbers if grid.axcodes[axis] == "S" else numbers[::-1]
