"""Draw the small picture of an image that the page of a participant carries for the page of the group.

It shows the cord from its side, anterior on the left, and across its middle, with the outline of the mask. The source
image is not in the output folder, so that the group level cannot draw it: it takes it from the page of the participant,
where it stands in the head, as a line that no browser shows.
"""

import base64
import html
import io
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bids_deepseg.geometry.grid import AXIS_IS, AXIS_PA, AXIS_RL
from bids_deepseg.report.cord import CordImage
from bids_deepseg.report.figures import window_of
from bids_deepseg.report.views import TILE_MM

#: Height in pixels, and greatest width of the view from the side. The view across is a square.
_HEIGHT, _WIDEST = 96, 96
_GAP = 2
#: What the view from the side shows around the cord.
_ASIDE_MM, _BEYOND_MM = 20.0, 8.0
#: The colour of outlines on all pages.
_OUTLINE = (255, 47, 179)
#: Of a JPEG with full resolution of colour: outlines are thin.
_QUALITY = 70

#: Begin of a JPEG file in base64.
_JPEG = "/9j/"
_META = re.compile(
    rf'<meta name="thumbnail" content="(image-[0-9]+) ([0-9]{{1,3}})x([0-9]{{1,3}}) ({_JPEG}[A-Za-z0-9+/=]{{1,60000}}) '
    r'([^"]+)">'
)


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A small picture.

    Attributes
    ----------
    jpeg : str
        The file in base64.
    width, height : int
        Size in pixels.
    anchor : str
        Name of the image's place in the page of the participant.
    """

    jpeg: str
    width: int
    height: int
    anchor: str = ""


def find_thumbnails(head: str) -> dict[str, Thumbnail]:
    """Return the pictures in the head of the page of a participant by image, as it is named there.

    Parameters
    ----------
    head : str
        HTML, to the end of the head or beyond.
    """
    return {
        html.unescape(title): Thumbnail(jpeg, int(width), int(height), anchor)
        for anchor, width, height, jpeg, title in _META.findall(head.partition("<body")[0])
    }


def draw_thumbnail(cord: CordImage, anchor: str) -> Thumbnail:
    """Draw an image with its mask, if it has one.

    Parameters
    ----------
    cord : CordImage
        Image and results on canonical axes.
    anchor : str
        Name of its place in the page of the participant.
    """
    parts = [_from_side(cord), _across(cord)]
    width = sum(part.width for part in parts) + _GAP
    picture = Image.new("RGB", (width, _HEIGHT))
    picture.paste(parts[0], (0, 0))
    picture.paste(parts[1], (parts[0].width + _GAP, 0))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=_QUALITY, subsampling=0, optimize=True)
    return Thumbnail(base64.b64encode(buffer.getvalue()).decode("ascii"), width, _HEIGHT, anchor)


def _from_side(cord: CordImage) -> Image.Image:
    """Draw the view along the cord, superior on top; all of the image where no cord was seen."""
    found = np.flatnonzero(cord.found) if cord.seen else np.arange(len(cord.found))
    beyond, aside = (round(mm / cord.zooms[axis]) for mm, axis in ((_BEYOND_MM, AXIS_IS), (_ASIDE_MM, AXIS_PA)))
    k = np.arange(max(0, found[0] - beyond), min(len(cord.found), found[-1] + beyond + 1))[::-1]
    n_j = cord.data.shape[AXIS_PA]
    j = np.arange(n_j)[::-1]
    if cord.seen:
        at = cord.course[found, AXIS_PA]
        j = np.arange(max(0, int(at.min()) - aside), min(n_j, int(at.max()) + aside + 2))[::-1]
    i = np.rint(cord.course[k, AXIS_RL]).astype(int)
    index = (i[:, None], j[None, :], k[:, None])
    height_mm, width_mm = len(k) * cord.zooms[AXIS_IS], len(j) * cord.zooms[AXIS_PA]
    return _paint(cord, index, width_mm / height_mm)


def _across(cord: CordImage) -> Image.Image:
    """Draw the middle slice of the mask or the cord, anterior on top; all of it where no cord was seen."""
    has_mask = cord.mask is not None and bool(cord.mask.any())
    present = np.flatnonzero(cord.mask.any((0, 1)) if cord.mask is not None and has_mask else cord.found)
    k = int(present[len(present) // 2]) if len(present) else len(cord.found) // 2
    n_i, n_j = cord.data.shape[:2]
    i, j = np.arange(n_i), np.arange(n_j)[::-1]
    if cord.seen:
        half = TILE_MM / 2
        i, j = (
            np.arange(max(0, round(at - half / zoom)), max(1, min(n, round(at + half / zoom) + 1)))
            for at, zoom, n in zip(cord.course[k], cord.zooms[:2], (n_i, n_j), strict=True)
        )
        j = j[::-1]
    aspect = len(i) * cord.zooms[AXIS_RL] / (len(j) * cord.zooms[AXIS_PA])
    return _paint(cord, (i[None, :], j[:, None], np.array([[k]])), aspect)


def _paint(cord: CordImage, index: tuple[NDArray[np.intp], ...], aspect: float) -> Image.Image:
    """Draw the voxels ``index``, which broadcast to (H, W), into the box, and the border of the mask over them."""
    values = cord.data[index]
    low, high = window_of(values)
    grey = np.rint(255 * np.clip((values - low) / (high - low), 0, 1)).astype(np.uint8)
    width = max(8, min(_WIDEST, round(_HEIGHT * aspect)))
    height = max(8, min(_HEIGHT, round(width / aspect)))
    colours = np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BILINEAR).convert("RGB")).copy()
    if cord.mask is not None:
        mask = Image.fromarray(np.where(cord.mask[index], np.uint8(255), np.uint8(0)))
        inside = np.asarray(mask.resize((width, height), Image.Resampling.BOX)) >= 128
        colours[inside & ~_eroded(inside)] = _OUTLINE
    box = Image.new("RGB", (width, _HEIGHT))
    box.paste(Image.fromarray(colours), (0, (_HEIGHT - height) // 2))
    return box


def _eroded(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels whose four neighbours are inside."""
    padded = np.pad(inside, 1)
    return padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
