"""Data sets to measure on: phantoms of any size, and many small images."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np

from bids_deepseg.example.phantom import make_phantom


class Size(NamedTuple):
    """Shape and voxel size along R-L, P-A, I-S."""

    shape: tuple[int, int, int]
    zooms: tuple[float, float, float]


#: A small image, during which networks are loaded and their graphs are built.
WARM_UP = Size((96, 96, 16), (1.0, 1.0, 3.0))

#: A usual T2w image.
USUAL = Size((64, 256, 224), (1.0, 1.0, 1.0))


def write_phantoms(folder: Path, sizes: Iterable[Size]) -> Path:
    """Write a data set with one T2w phantom for each participant, in the order of the sizes."""
    describe(folder)
    for number, (shape, zooms) in enumerate(sizes):
        image = make_phantom(np.random.default_rng(number), contrast="t2", shape=shape, zooms=zooms).image
        data = np.rint(image.data).astype(np.int16)
        nib.Nifti1Image(data, image.grid.affine).to_filename(_place(folder, f"{number:04d}"))
    return folder


def write_whole_spine(folder: Path) -> Path:
    """Write an image of the whole spine, 400 x 400 x 1200 voxels of 0.5 mm, slice by slice."""
    describe(folder)
    image = nib.Nifti1Image(np.zeros((1, 1, 1), np.int16), np.diag([-0.5, 0.5, 0.5, 1.0]))
    image.header.set_data_shape((400, 400, 1200))
    i, j = np.indices((400, 400))
    with gzip.open(_place(folder, "spine"), "wb", compresslevel=1) as stream:
        stream.write(image.header.binaryblock + bytes(4))
        for level in range(1200):
            middle = 200 + 20 * np.sin(level / 200)
            cord = np.hypot(i - 200, j - middle) < 12
            canal = np.hypot(i - 200, j - middle) < 20
            plane = np.where(cord, 300, np.where(canal, 600, 150)).astype("<i2")
            stream.write(plane.tobytes(order="F"))
    return folder


def write_many(folder: Path, n_participants: int) -> Path:
    """Write a data set of very small images, all the same tube."""
    from tests.helpers.fake_engine import cord  # noqa: PLC0415 - imports the tests

    describe(folder)
    image = cord((32, 32, 4))
    content = gzip.compress(nib.Nifti1Image(image.astype(np.int16), np.diag([-1.0, 1.0, 1.0, 1.0])).to_bytes(), 1)
    for number in range(n_participants):
        _place(folder, f"{number:04d}").write_bytes(content)
    return folder


def describe(folder: Path) -> None:
    """Write the description of a data set."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset_description.json").write_text(json.dumps({"Name": "Speed", "BIDSVersion": "1.10.0"}))


def _place(folder: Path, label: str) -> Path:
    """Return the path of the image of a participant, in a folder that exists."""
    path = folder / f"sub-{label}" / "anat" / f"sub-{label}_T2w.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
