"""Turn arrays into pictures that stand inside a page: windowed grey pixels as data URIs, lines as SVG path data.

Rows run from top to bottom and columns from left to right, as on the screen.
"""

import base64
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

#: Percentiles of the visible pixels shown as black and as white.
_WINDOW_PERCENTILES = (1.0, 99.5)
#: Pictures with more pixels than this are compressed with loss, to keep pages small; the loss cannot be seen.
_LOSSLESS_PIXELS = 2500
_JPEG_QUALITY = 88


def window_of(values: NDArray[np.floating], *, least_span: float = 0.0) -> tuple[float, float]:
    """Return the values to be shown as black and as white; those of a constant picture span ``least_span`` or 1."""
    if values.size == 0:
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, _WINDOW_PERCENTILES))
    if high - low <= least_span:
        return low, low + (least_span or 1.0)
    return low, high


def picture_uri(
    values: NDArray[np.floating], window: tuple[float, float], *, most_pixels: int = 1000, quality: int = _JPEG_QUALITY
) -> str:
    """Return a grey picture as a data URI.

    Parameters
    ----------
    values : (H, W) float array
        Brightness.
    window : (float, float)
        Values shown as black and as white.
    most_pixels : int
        Longer sides are reduced to this length.
    quality : int
        That of the JPEG.

    Returns
    -------
    str
        ``data:`` URI of a PNG, or of a JPEG where the picture is large.
    """
    scaled = (values - window[0]) / (window[1] - window[0])
    grey = np.rint(255 * np.clip(scaled, 0, 1)).astype(np.uint8)
    picture = Image.fromarray(grey)
    if max(picture.size) > most_pixels:
        factor = most_pixels / max(picture.size)
        width, height = (max(1, round(side * factor)) for side in picture.size)
        picture = picture.resize((width, height), Image.Resampling.BOX)
    return encoded_uri(picture, quality)[0]


def encoded_uri(picture: Image.Image, quality: int) -> tuple[str, int]:
    """Return a grey picture as a data URI, and its size in bytes; large pictures are JPEG of this quality."""
    buffer = io.BytesIO()
    if picture.width * picture.height > _LOSSLESS_PIXELS:
        kind = "jpeg"
        picture.save(buffer, "JPEG", quality=quality, optimize=True)
    else:
        kind = "png"
        picture.save(buffer, "PNG", optimize=True)
    content = buffer.getvalue()
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}", len(content)


def line_paths(x: NDArray[np.floating], y: NDArray[np.floating]) -> str:
    """Return the SVG path through points, interrupted where ``x`` is NaN; single points become dots."""
    text = ""
    pen_down = False
    finite = np.isfinite(x)
    for index in range(len(x)):
        if not finite[index]:
            pen_down = False
            continue
        text += f"{'L' if pen_down else 'M'}{x[index]:.1f} {y[index]:.1f}"
        alone = not pen_down and (index + 1 == len(x) or not finite[index + 1])
        if alone:
            text += "h0"
        pen_down = True
    return text


def nice_ticks(highest: float, *, most: int = 4) -> list[float]:
    """Return round numbers from 0 to ``highest`` or just above, at most ``most`` steps."""
    step = 10.0 ** np.floor(np.log10(max(highest, 1e-6) / most))
    for factor in (1.0, 2.0, 2.5, 5.0, 10.0):
        if step * factor * most >= highest:
            step *= factor
            break
    return [float(step * index) for index in range(int(np.ceil(highest / step - 1e-9)) + 1)]
