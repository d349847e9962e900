"""Draw the masks of the methods that were tried on an image as small pictures, side by side.

All have the same size and show the same part of the image, from its side; each follows the middle of its own mask.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import AXIS_IS, AXIS_PA
from bids_deepseg.report.cord import CordImage
from bids_deepseg.report.figures import picture_uri, window_of
from bids_deepseg.report.views import View
from bids_deepseg.stages.extent import Extent

#: What is shown around the masks.
_ASIDE_MM, _BEYOND_MM = 12.0, 8.0
#: Longest side in pixels, and quality: the pictures of an image must not take much of a page.
_MOST_PIXELS, _QUALITY = 120, 55


def draw_tries(cord: CordImage, extents: Sequence[Extent]) -> tuple[View | None, ...]:
    """Draw masks of which only the extent is known.

    Parameters
    ----------
    cord : CordImage
        The image on canonical axes.
    extents : sequence of Extent
        Of each mask; what lies beyond the image is left out.

    Returns
    -------
    tuple of View or None
        None for a method without a mask.
    """
    inside = [_within(extent, cord.data.shape) for extent in extents]
    boxes = np.array([row for extent in inside for row in extent if len(row) > 1])
    if not len(boxes):
        return (None,) * len(extents)
    n_j, n_k = cord.data.shape[1:]
    aside, beyond = round(_ASIDE_MM / cord.zooms[AXIS_PA]), round(_BEYOND_MM / cord.zooms[AXIS_IS])
    j = np.arange(max(0, boxes[:, 3].min() - aside), min(n_j, boxes[:, 4].max() + aside + 1))[::-1]
    k = np.arange(max(0, boxes[:, 0].min() - beyond), min(n_k, boxes[:, 0].max() + beyond + 1))[::-1]
    return tuple(_draw(cord, extent, j, k) if any(len(row) > 1 for row in extent) else None for extent in inside)


def _within(extent: Extent, shape: tuple[int, ...]) -> Extent:
    """Return the slices of an extent that lie in the image, from inferior to superior."""
    limits = np.array((shape[2], shape[0], shape[0], shape[1], shape[1]))
    kept = (row for row in extent if all(0 <= n < most for n, most in zip(row, limits[: len(row)], strict=True)))
    return tuple(sorted(kept))


def _draw(cord: CordImage, extent: Extent, j: NDArray[np.intp], k: NDArray[np.intp]) -> View:
    """Draw the voxels of the columns ``j`` and the slices ``k``, in each slice in the middle of the mask."""
    boxes = np.array([row for row in extent if len(row) > 1])
    middle = np.interp(k, boxes[:, 0], (boxes[:, 1] + boxes[:, 2]) / 2).round().astype(int)
    values = cord.data[middle[:, None], j[None, :], k[:, None]]
    uri = picture_uri(values, window_of(values), most_pixels=_MOST_PIXELS, quality=_QUALITY)
    size_mm = len(j) * cord.zooms[AXIS_PA], len(k) * cord.zooms[AXIS_IS]
    outline = _outline(extent, int(j[0]), int(k[0]))
    return View(uri, len(j), len(k), *size_mm, outline, "", "", ("S", "P", "I", "A"))


def _outline(extent: Extent, j_left: int, k_top: int) -> str:
    """Return the border of a mask as SVG path data; each slice stands for all up to the middle to the next one."""
    downwards = extent[::-1]
    rows = [k_top - row[0] + 0.5 for row in downwards]
    between = [(above + below) / 2 for above, below in pairwise(rows)]
    tops, bottoms = [rows[0] - 0.5, *between], [*between, rows[-1] + 0.5]
    text = ""
    right: list[str] = []
    left: list[str] = []
    for row, top, bottom in (*zip(downwards, tops, bottoms, strict=True), ((), 0.0, 0.0)):
        if len(row) > 1:
            # Anterior, the larger j, is on the left.
            start, end = j_left - row[4], j_left - row[3] + 1
            right += [f"{end} {top:g}", f"{end} {bottom:g}"]
            left += [f"{start} {top:g}", f"{start} {bottom:g}"]
        elif right:
            text += "M" + "L".join((*right, *left[::-1])) + "Z"
            right, left = [], []
    return text
