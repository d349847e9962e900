"""Images with a known cord: real ones with a manual mask, and phantoms.

They come in two parts: limits are set on ``tune``, and reported on ``report``. The development data take no part.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np

from bids_deepseg.example.phantom import make_phantom
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume, reorient
from suite.degrade import Pair, cut

#: People of the training data on whom limits are set; the others are reported.
TUNE_PEOPLE = ("train01", "train02", "train06")

#: Half of the field of view kept around the cord along left-right and back-front, and the length of the slabs in mm.
_HALF_MM = (38.0, 38.0)
_SLAB_MM = 30.0


class Source(NamedTuple):
    """An image and what is known of it."""

    name: str
    part: str
    contrast: str
    pair: Pair


def all_sources(data: Path | None) -> Iterator[Source]:
    """Yield phantoms, and real images where ``data`` (with a folder ``train``) is given."""
    yield from phantoms()
    if data is not None:
        yield from real_images(data / "train")


def phantoms() -> Iterator[Source]:
    """Yield invented necks in three contrasts."""
    for seed in range(6):
        contrast = ("t2", "t2s", "t1")[seed % 3]
        rng = np.random.default_rng(1000 + seed)
        thick = contrast == "t2s"
        shape, zooms = ((140, 140, 8), (0.6, 0.6, 5.0)) if thick else ((70, 80, 40), (1.0, 1.0, 1.0))
        image, cord = make_phantom(rng, contrast=contrast, shape=shape, zooms=zooms)
        yield Source(f"phantom{seed} {contrast}", "tune" if seed < 3 else "report", contrast, Pair(image, cord))


def real_images(train: Path) -> Iterator[Source]:
    """Yield the images of the training data that have a manual mask, cut to slabs around the cord."""
    labels = train / "derivatives" / "labels"
    for path in sorted(labels.rglob("*_label-SC_desc-*_mask.nii.gz")):
        suffix = path.name.split("_desc-")[1].split("_")[0]
        stem = path.name.split("_space-")[0]
        image = _read(train / path.parent.relative_to(labels) / f"{stem}_{suffix}.nii.gz")
        cord = _read(path)
        person = stem.split("_")[0].removeprefix("sub-")
        contrast = "t2" if suffix == "T2w" else "t2s"
        for number, pair in enumerate(_slabs(Pair(image, Volume((cord.data > 0).astype(np.float32), cord.grid)))):
            part = "tune" if person in TUNE_PEOPLE else "report"
            yield Source(f"{stem.removeprefix('sub-')} {suffix} {number}", part, contrast, pair)


def _read(path: Path) -> Volume:
    """Read an image to canonical axes."""
    image = nib.load(path)
    data = np.nan_to_num(np.asarray(image.dataobj, np.float32)).reshape(image.shape[:3])
    return reorient(Volume(data, Grid(data.shape, image.affine)), ("L", "A", "S"))


def _slabs(pair: Pair) -> Iterator[Pair]:
    """Cut the field of view around the cord, and long images to their upper and lower ends."""
    zooms, shape = pair.image.grid.zooms, pair.image.data.shape
    inside = np.argwhere(pair.cord.data > 0)
    low, high = inside.min(0), inside.max(0)
    starts, ends = [0, 0], [0, 0]
    for axis in range(2):
        margin = _HALF_MM[axis] / zooms[axis]
        starts[axis] = max(0, math.floor(low[axis] - margin))
        ends[axis] = min(shape[axis], math.ceil(high[axis] + margin))
    n = round(_SLAB_MM / zooms[2])
    whole = zooms[2] > 2 or shape[2] <= 2 * n
    ranges = [(0, shape[2])] if whole else [(n // 2, n // 2 + n), (shape[2] - n, shape[2])]
    for first, last in ranges:
        yield cut(pair, (starts[0], starts[1], first), (ends[0], ends[1], last))
