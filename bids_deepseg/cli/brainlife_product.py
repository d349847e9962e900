"""Put results where brainlife.io looks for them; make ``product.json``: messages, thumbnail, area along the cord."""

import base64
import io
import json
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bids_deepseg.bids.derivatives.failures import read_failures
from bids_deepseg.bids.derivatives.saved import DamagedResult, SavedResult, check_tables, read_result
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.nifti.reading import read_numbers
from bids_deepseg.bids.source.query import Selection, find_images
from bids_deepseg.bids.source.reader import read_image
from bids_deepseg.errors import BidsDeepsegError, DamagedResultError
from bids_deepseg.files.atomic import write_if_different
from bids_deepseg.files.tables import format_json
from bids_deepseg.geometry.grid import CANONICAL_AXCODES
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.report.figures import window_of

#: Most bytes; brainlife asks for a small file.
MOST_BYTES = 64_000

#: Longest side of the thumbnail, tried in this order until the file is small enough.
_SIDES = (224, 160, 112, 64)

_MOST_POINTS = 400

#: Whose mask becomes ``mask/mask.nii.gz``.
_PREFERENCE = ("T2w", "T2starw", "T1w", "dwi")

_COLOUR = (255, 47, 179)


def collect_outputs(data: Path, output: Path, config: Mapping[str, Any]) -> None:
    """Copy the first mask and the reports into the current folder, and write ``product.json``.

    Parameters
    ----------
    data, output : Path
        Source data set and results.
    config : mapping
        Content of ``config.json``.
    """
    try:
        images = sorted(find_images(data, Selection()).images, key=_rank)
    except BidsDeepsegError:
        images = []
    read = [(image, read_result(image, output)) for image in images]
    checked = [(image, check_tables(each) if isinstance(each, SavedResult) else each) for image, each in read]
    found = [(image, each) for image, each in checked if isinstance(each, SavedResult)]
    for old in (Path("mask"), Path("report/html")):
        shutil.rmtree(old, ignore_errors=True)
        old.mkdir(parents=True)
    if found:
        shutil.copyfile(found[0][1].mask, Path("mask/mask.nii.gz"))
    for page in sorted(output.glob("sub-*.html")):
        shutil.copyfile(page, Path("report/html") / page.name)
    messages = [("error", f"{failure.source}: {failure.message}") for failure in read_failures(output)]
    messages += [("error", each.message) for _, each in checked if isinstance(each, DamagedResult)]
    if not images:
        messages.append(("error", "There is no image that can be segmented: T1w, T2w, T2*w or diffusion."))
    if config.get("threshold") not in (None, "", 0.5):
        messages.append(("warning", "The threshold is 0.5 for every image; the one in config.json was not used."))
    write_if_different(Path("product.json"), format_json(make_product(found, messages)))


def make_product(
    results: Sequence[tuple[BidsImage, SavedResult]], messages: Sequence[tuple[str, str]] = ()
) -> dict[str, Any]:
    """Return the content of ``product.json``.

    Parameters
    ----------
    results : sequence of (BidsImage, SavedResult)
        Images with a result; the first is shown.
    messages : sequence of (str, str)
        Type (``info``, ``warning``, ``error``) and text of what is shown beside the results.

    Returns
    -------
    dict
        An object that takes less than :data:`MOST_BYTES`.
    """
    entries = [_message(kind, text) for kind, text in messages] + [_describe(saved) for _, saved in results]
    if not results:
        return {"brainlife": entries}
    image, saved = results[0]
    area = saved.csa_mean
    product: dict[str, Any] = {
        "brainlife": [*entries[:50], _plot(saved)],
        "mask": {
            "meta": {"subject": saved.subject, **({"session": saved.session} if saved.session else {})},
            "datatype_tags": ["spinal_cord"],
            "tags": ["space-orig"],
        },
        "csa_mean": None if math.isnan(area) else area,
        "verdict": saved.verdict,
    }
    for side in _SIDES:
        picture = {"type": "image/png", "name": "overlay", "base64": _thumbnail(image, saved, side)}
        shown = product | {"brainlife": [*product["brainlife"], picture]}
        if len(json.dumps(shown, indent=2)) < MOST_BYTES:
            return shown
    return product


def _message(kind: str, text: str) -> dict[str, str]:
    """Return a message of bounded length."""
    return {"type": kind, "msg": text[:500]}


def _describe(saved: SavedResult) -> dict[str, str]:
    """Tell one result."""
    area = "unknown" if math.isnan(saved.csa_mean) else f"{saved.csa_mean:.1f} mm²"
    reasons = " ".join(reason.message for reason in saved.reasons if reason.severity != "info")
    kind = {"pass": "info", "warn": "warning"}.get(saved.verdict, "error")
    return _message(kind, f"{saved.source}: {saved.verdict}, mean area {area}. {reasons}".strip())


def _plot(saved: SavedResult) -> dict[str, Any]:
    """Return the area along the cord for Plotly."""
    table = saved.morph()
    area = table.get("area_mm2", np.empty(0))
    present = np.flatnonzero(np.isfinite(area))
    chosen = present[:: max(1, math.ceil(len(present) / _MOST_POINTS))]
    numbers = table["slice"][chosen] if len(chosen) else np.empty(0)
    return {
        "type": "plotly",
        "name": "Area along the cord",
        "data": [{"x": [int(n) for n in numbers], "y": [round(float(a), 1) for a in area[chosen]], "type": "scatter"}],
        "layout": {
            "xaxis": {"title": "Slice"},
            "yaxis": {"title": "Cross-sectional area (mm²)", "rangemode": "tozero"},
        },
    }


def _thumbnail(image: BidsImage, saved: SavedResult, side: int) -> str:
    """Return a sagittal slice through the mask as PNG in base64: superior on top, anterior on the left."""
    volume = read_image(image).volume
    values, header = read_numbers(saved.mask, "The mask")
    if math.prod(header.shape) != math.prod(volume.grid.shape):
        raise DamagedResultError(f"{saved.mask.name} does not have the voxels of its image.")
    mask = Volume(values.astype(np.uint8).reshape(volume.grid.shape), volume.grid)
    seen, inside = (reorient(each, CANONICAL_AXCODES) for each in (volume, mask))
    columns = np.flatnonzero(inside.data.any((1, 2)))
    middle = int(np.median(columns)) if len(columns) else seen.grid.shape[0] // 2
    grey = _turn(seen.data[middle])
    low, high = window_of(grey)
    levels = np.clip((grey - low) / (high - low), 0, 1) * 255
    pixels = np.repeat(levels[..., None], 3, axis=2)
    cord = _turn(inside.data[middle]) > 0
    pixels[cord] = 0.4 * pixels[cord] + 0.6 * np.array(_COLOUR)
    height_mm, width_mm = grey.shape[0] * seen.grid.zooms[2], grey.shape[1] * seen.grid.zooms[1]
    scale = side / max(height_mm, width_mm)
    size = (max(1, round(width_mm * scale)), max(1, round(height_mm * scale)))
    picture = Image.fromarray(pixels.astype(np.uint8)).resize(size, Image.Resampling.BILINEAR)
    buffer = io.BytesIO()
    picture.quantize(64).save(buffer, "PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode("ascii")


def _turn(plane: NDArray[Any]) -> NDArray[np.float64]:
    """Turn a plane of posterior-anterior and inferior-superior to rows from superior, columns from anterior."""
    return plane.T[::-1, ::-1].astype(np.float64)


def _rank(image: BidsImage) -> tuple[int, str]:
    """Return the key by which images are preferred."""
    rank = _PREFERENCE.index(image.suffix) if image.suffix in _PREFERENCE else len(_PREFERENCE)
    return rank, image.relative_path
