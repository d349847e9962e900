"""Keep what a stream of samples is made of in one file, for a machine that has neither the data nor TensorFlow.

Some masks of the training data are the application's own, and the application runs on TensorFlow or OpenVINO only. A
machine with a GPU and JAX needs neither: the images, masks and shapes are loaded where the application runs, and travel
as one archive of NumPy, rounded to half precision.
"""

from pathlib import Path
from typing import Any

import numpy as np

from bids_deepseg.training.samples import SampleSettings, SampleStream
from bids_deepseg.training.sources import RealImage
from bids_deepseg.training.synthesis.fields import Array
from bids_deepseg.training.synthesis.shapes import CordShape, ShapeBank

_SHAPE_MAPS = ("cord_mm", "canal_mm", "grey")
_HELD_OUT = "held_out"
#: Stands for a map that a shape has not.
_ABSENT = np.zeros(0, np.float16)


def save_prepared(stream: SampleStream, held_out: tuple[str, ...], path: Path) -> None:
    """Write the shapes and images of a stream.

    Parameters
    ----------
    stream : SampleStream
        Of any network of the cord.
    held_out : tuple of str
        Participants who were left out of it.
    path : Path
        The archive, ``.npz``.
    """
    arrays: dict[str, Any] = {_HELD_OUT: np.array(held_out, np.str_)}
    for n, shape in enumerate(stream.bank.shapes):
        for name in _SHAPE_MAPS:
            arrays[f"shape{n:05d}/{name}"] = _halved(getattr(shape, name))
        arrays[f"shape{n:05d}/half_mm"] = np.array(shape.half_mm)
    for n, image in enumerate(stream.images):
        arrays |= {
            f"image{n:05d}/name": np.array(image.name),
            f"image{n:05d}/data": _halved(image.data),
            f"image{n:05d}/mask": _halved(image.mask),
            f"image{n:05d}/centre_ij": image.centre_ij,
            f"image{n:05d}/slices": image.slices,
            f"image{n:05d}/numbers": np.array([*image.zooms_mm, image.weight]),
        }
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)


def load_prepared(path: Path, settings: SampleSettings, seed: int) -> SampleStream:
    """Read the shapes and images of a stream, for a network and a seed of the caller's choice."""
    with np.load(path, allow_pickle=False) as archive:
        groups: dict[str, dict[str, Any]] = {}
        for key in set(archive.files) - {_HELD_OUT}:
            group, _, name = key.partition("/")
            groups.setdefault(group, {})[name] = archive[key]
    ordered = [groups[name] for name in sorted(groups)]
    images = tuple(_image(group) for group in ordered if "name" in group)
    shapes = tuple(_shape(group) for group in ordered if "name" not in group)
    return SampleStream(settings, ShapeBank(shapes), images, seed)


def held_out_of(path: Path) -> tuple[str, ...]:
    """Return the participants who were left out of an archive."""
    with np.load(path, allow_pickle=False) as archive:
        return tuple(str(participant) for participant in archive[_HELD_OUT])


def _image(group: dict[str, Any]) -> RealImage:
    """Return an image of an archive."""
    i_mm, j_mm, k_mm, weight = (float(number) for number in group["numbers"])
    data, mask = group["data"].astype(np.float32), _restored(group["mask"])
    name = str(group["name"])
    return RealImage(name, data, mask, group["centre_ij"], group["slices"], (i_mm, j_mm, k_mm), weight)


def _shape(group: dict[str, Any]) -> CordShape:
    """Return a shape of an archive."""
    half_x_mm, half_y_mm = (float(half) for half in group["half_mm"])
    canal, grey = _restored(group["canal_mm"]), _restored(group["grey"])
    return CordShape(group["cord_mm"].astype(np.float32), canal, grey, (half_x_mm, half_y_mm))


def _halved(values: Array | None) -> Any:
    """Round to half precision: 0.1 % of the brightness, 4 micrometres next to an outline."""
    return _ABSENT if values is None else values.astype(np.float16)


def _restored(values: Any) -> Array | None:
    """Return what was rounded, None for what was not there."""
    return values.astype(np.float32) if values.size else None
