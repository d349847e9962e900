"""Pack the neighbourhood of the cord, all slices of it, so that the viewer of a page can show any of them.

Grey pixels go into one picture of tiles, a *sprite*; what was found goes into one byte a voxel, compressed, and the
heat of the detection network, which is coarser, into one byte for a block of voxels. Tiles follow the cord as those of
the mosaic do. They run from superior to inferior; inside a tile, rows run from anterior to posterior and columns from
the person's right to the left. The viewer (``templates/explorer.js``) puts the tiles together again to views along the
cord.
"""

import base64
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from bids_deepseg.geometry.grid import AXIS_IS, AXIS_PA, AXIS_RL
from bids_deepseg.report.cord import CordImage
from bids_deepseg.report.figures import encoded_uri, window_of
from bids_deepseg.report.heat import Heat
from bids_deepseg.report.views import tile_window

#: Bits of a voxel: the mask, the structure inside the cord, and the probability in steps.
_MASK, _STRUCTURE, _PROBABILITY_SHIFT = 1, 2, 2
PROBABILITY_STEPS = 15

#: Steps of the heat, the distance of its values, and the most characters that it may take.
HEAT_STEPS = 15
_HEAT_MM = 1.0
_MOST_HEAT = 36_000

#: Largest number of voxels along a side of a tile; those of finer images are joined in blocks of 2, 3 ... a side.
_MOST_VOXELS = 240
#: Pixels of a sprite; tiles of longer images get smaller. Sides are multiples of the blocks of a JPEG, so that
#: neighbouring tiles do not mix.
_MOST_PIXELS = 900_000
_BLOCK = 8
#: Size of a sprite in bytes, and the qualities that are tried until it is met: six images fit into 3 MB.
_MOST_BYTES = 110_000
_QUALITIES = (90, 76, 60, 44)
#: Brightness is windowed slice by slice, since coils fade towards their ends; the windows are smoothed along the cord
#: by a Gaussian of this standard deviation, so that views along it show no steps.
_WINDOW_MM = 8.0
#: An image with more slices has no viewer.
MOST_SLICES = 4096


#: Columns i and rows j of a tile, on the grid of the image.
_TileWindow = tuple[NDArray[np.intp], NDArray[np.intp]]


@dataclass(frozen=True, slots=True)
class _Tiling:
    """How tiles lie in the sprite: columns of tiles, size of a tile in pixels, and distance from tile to tile."""

    across: int
    size: tuple[int, int]
    pitch: tuple[int, int]


def pack_neighbourhood(cord: CordImage) -> dict[str, Any] | None:
    """Return what the viewer needs to show every slice, ready for JSON.

    Parameters
    ----------
    cord : CordImage
        Image and results on canonical axes.

    Returns
    -------
    dict or None
        None for an image with more than :data:`MOST_SLICES` slices. ``sprite`` is a data URI; ``voxels`` the number of
        columns and rows of a tile, ``zooms`` their size and that of the slices in mm; ``starts`` the first column and
        row of each tile on the grid of the image, ``course`` the centerline in each tile, ``layers`` the compressed
        bytes, ``heat`` those of the heat with the side of its blocks in voxels, ``tiles`` the :class:`_Tiling`.
    """
    n_slices = len(cord.numbers)
    if n_slices > MOST_SLICES:
        return None
    downwards = range(n_slices - 1, -1, -1)
    windows = [_window(cord, k) for k in downwards]
    step = max(1, math.ceil(max(len(axis) for axis in windows[0]) / _MOST_VOXELS))
    i, j = (axis[::step] for axis in windows[0])
    sprite, tiling = _draw_sprite(cord, windows)
    has_layers = cord.mask is not None or cord.probability is not None
    return {
        "sprite": sprite,
        "tiles": {"across": tiling.across, "size": tiling.size, "pitch": tiling.pitch},
        "voxels": [len(i), len(j)],
        "zooms": [_short(cord.zooms[AXIS_RL] * step), _short(cord.zooms[AXIS_PA] * step), _short(cord.zooms[AXIS_IS])],
        # Rows run against j, so the offset of the rows is counted from the far side of the image.
        "starts": [[_short(i[0] / step), _short((cord.data.shape[AXIS_PA] - 1 - j[0]) / step)] for i, j in windows],
        "course": [
            [
                _short((cord.course[k, AXIS_RL] - i[0]) / step + 0.5),
                _short((j[0] - cord.course[k, AXIS_PA]) / step + 0.5),
            ]
            if cord.found[k]
            else None
            for k, (i, j) in zip(downwards, windows, strict=True)
        ],
        "layers": _pack_layers(cord, windows, step) if has_layers else "",
        "heat": {"step": 1, "values": ""} if cord.heat is None else _pack_heat(cord.heat, windows, step, cord.zooms),
        "has": {
            "mask": cord.mask is not None,
            "probability": cord.probability is not None,
            "structure": cord.structure is not None,
            "heat": cord.heat is not None,
            "course": bool(cord.found.any()),
        },
    }


def _window(cord: CordImage, k: int) -> _TileWindow:
    """Return the columns i and the rows j, anterior first, of the tile of slice ``k``."""
    if not cord.seen:
        n_i, n_j, _ = cord.data.shape
        return np.arange(n_i), np.arange(n_j)[::-1]
    i, j = tile_window(cord, k)
    return i, j[::-1]


def _look_up(values: NDArray[Any], k: int, window: _TileWindow) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return the values (rows, columns) of a tile, and which of its voxels lie in the image."""
    i, j = window
    n_i, n_j, _ = values.shape
    inside = ((j >= 0) & (j < n_j))[:, None] & ((i >= 0) & (i < n_i))[None]
    return values[np.clip(i, 0, n_i - 1)[None], np.clip(j, 0, n_j - 1)[:, None], k], inside


def _draw_sprite(cord: CordImage, windows: Sequence[_TileWindow]) -> tuple[str, _Tiling]:
    """Return all tiles as one picture that is not too large, and how they lie in it."""
    n_columns, n_rows = len(windows[0][0]), len(windows[0][1])
    scale = min(
        1.0, _MOST_VOXELS / max(n_columns, n_rows), math.sqrt(_MOST_PIXELS / (len(windows) * n_columns * n_rows))
    )
    while True:
        tiling = _lay_out(len(windows), n_columns, n_rows, scale)
        picture = _paste(cord, windows, tiling)
        for quality in _QUALITIES:
            uri, size = encoded_uri(picture, quality)
            if size <= _MOST_BYTES or max(tiling.size) <= _BLOCK:
                return uri, tiling
        scale *= min(0.9, math.sqrt(_MOST_BYTES / size))


def _lay_out(n_tiles: int, n_columns: int, n_rows: int, scale: float) -> _Tiling:
    """Return an arrangement of the tiles that is about square."""
    width, height = (max(1, round(n * scale)) for n in (n_columns, n_rows))
    pitch = tuple(math.ceil(n / _BLOCK) * _BLOCK for n in (width, height))
    across = max(1, min(n_tiles, round(math.sqrt(n_tiles * pitch[1] / pitch[0]))))
    return _Tiling(across, (width, height), (pitch[0], pitch[1]))


def _paste(cord: CordImage, windows: Sequence[_TileWindow], tiling: _Tiling) -> Image.Image:
    """Return the sprite; what lies beyond the border of a tile repeats its border."""
    n_down = math.ceil(len(windows) / tiling.across)
    sprite = np.zeros((n_down * tiling.pitch[1], tiling.across * tiling.pitch[0]), np.uint8)
    for n, grey in enumerate(_grey_tiles(cord, windows)):
        tile = Image.fromarray(grey)
        if tile.size != tiling.size:
            tile = tile.resize(tiling.size, Image.Resampling.BOX)
        beyond = [(0, pitch - size) for pitch, size in zip(tiling.pitch[::-1], tiling.size[::-1], strict=True)]
        row, column = divmod(n, tiling.across)
        top, left = row * tiling.pitch[1], column * tiling.pitch[0]
        sprite[top : top + tiling.pitch[1], left : left + tiling.pitch[0]] = np.pad(np.asarray(tile), beyond, "edge")
    return Image.fromarray(sprite)


def _grey_tiles(cord: CordImage, windows: Sequence[_TileWindow]) -> Iterator[NDArray[np.uint8]]:
    """Yield the tiles, superior first, in grey."""
    n_slices = len(windows)
    limits = []
    for k, window in zip(range(n_slices - 1, -1, -1), windows, strict=True):
        values, inside = _look_up(cord.data, k, window)
        limits.append(window_of(values[inside]))
    smooth = ndimage.gaussian_filter1d(np.array(limits), _WINDOW_MM / cord.zooms[AXIS_IS], axis=0, mode="nearest")
    for k, window, (low, high) in zip(range(n_slices - 1, -1, -1), windows, smooth, strict=True):
        values, inside = _look_up(cord.data, k, window)
        scaled = np.where(inside, (values - low) / (high - low), 0)
        yield np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)


def _pack_layers(cord: CordImage, windows: Sequence[_TileWindow], step: int) -> str:
    """Return what was found, one byte a voxel, compressed by zlib and written in base64."""
    packer = zlib.compressobj(6)
    packed = []
    for k, window in zip(range(len(windows) - 1, -1, -1), windows, strict=True):
        tile = np.zeros((len(window[1]), len(window[0])), np.uint8)
        for values, bit in ((cord.mask, _MASK), (cord.structure, _STRUCTURE)):
            if values is not None:
                found, inside = _look_up(values, k, window)
                tile |= np.where(found & inside, bit, 0).astype(np.uint8)
        if cord.probability is not None:
            found, inside = _look_up(cord.probability, k, window)
            steps = np.rint(PROBABILITY_STEPS * np.clip(np.where(inside, found, 0), 0, 1)).astype(np.uint8)
            tile |= steps << _PROBABILITY_SHIFT
        packed.append(packer.compress(_join_voxels(tile, step).tobytes()))
    return base64.b64encode(b"".join([*packed, packer.flush()])).decode("ascii")


def _pack_heat(
    heat: Heat, windows: Sequence[_TileWindow], step: int, zooms: tuple[float, float, float]
) -> dict[str, Any]:
    """Return the heat, one byte for a block of voxels, compressed as the layers are; blocks grow until it is small.

    ``step`` in the result is the side of a block, in voxels of the page, of which each joins ``step`` of the image.
    """
    blocks = max(1, round(_HEAT_MM / (step * min(zooms[:2]))))
    while True:
        packer = zlib.compressobj(9)
        packed = [packer.compress(tile.tobytes()) for tile in _heat_tiles(heat, windows, step * blocks)]
        content = base64.b64encode(b"".join([*packed, packer.flush()]))
        if len(content) <= _MOST_HEAT or blocks >= max(map(len, windows[0])):
            return {"step": blocks, "values": content.decode("ascii")}
        blocks += 1


def _heat_tiles(heat: Heat, windows: Sequence[_TileWindow], size: int) -> Iterator[NDArray[np.uint8]]:
    """Yield the heat of the tiles, superior first, in blocks of this many voxels each way."""
    for k, window in zip(range(len(windows) - 1, -1, -1), windows, strict=True):
        columns, rows = (_middles(axis, size) for axis in window)
        yield np.rint(HEAT_STEPS * np.clip(heat.at(columns, rows, k), 0, 1)).astype(np.uint8)


def _middles(axis: NDArray[np.intp], size: int) -> NDArray[np.float64]:
    """Return the middles of blocks of voxels; the last one may be smaller."""
    return np.array([axis[first : first + size].mean() for first in range(0, len(axis), size)])


def _join_voxels(tile: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Join blocks of ``step`` times ``step`` voxels: each bit is kept that one of them has, so that nothing is lost."""
    if step == 1:
        return tile
    padded = np.pad(tile, [(0, -n % step) for n in tile.shape])
    blocks = padded.reshape(padded.shape[0] // step, step, padded.shape[1] // step, step)
    return np.asarray(np.bitwise_or.reduce(np.bitwise_or.reduce(blocks, axis=3), axis=1))


def _short(number: float) -> float:
    """Return a number with few digits, for JSON."""
    return round(float(number), 2)
