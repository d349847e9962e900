"""Small BIDS data sets, and results to write for their images."""

import json
from pathlib import Path
from types import MappingProxyType

import nibabel as nib
import numpy as np

from bids_deepseg.bids.derivatives.layout import ResultFiles
from bids_deepseg.bids.derivatives.provenance import CacheKey
from bids_deepseg.bids.derivatives.writer import ImageProducts, write_products
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.source.query import Selection, find_images
from bids_deepseg.bids.source.reader import read_image
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.networks.specs import ModelSpec
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.findings import Finding
from bids_deepseg.stages.metrics import COLUMNS, CordMetrics
from bids_deepseg.stages.segmentation import Segmentation

#: Oblique, anisotropic, not canonical, without shear, and exact in float32.
AFFINE = np.array([[0.0, 1.0, 3.0, -10.5], [-0.5, 0.0, 0.0, 20.25], [0.0, -0.75, 4.0, -30.0], [0, 0, 0, 1]])

WARNING = Finding("gap", "warn", "The mask has 1 gaps of 10 mm or more. Look at them.")


def write_image(path, shape=(6, 7, 5), *, data=None, affine=AFFINE, dtype=np.int16):
    """Write an image with values that differ, and return its path."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if data is None:
        data = (np.arange(np.prod(shape)) % 97).reshape(shape).astype(dtype)
    image = nib.Nifti1Image(data, affine)
    image.header["descrip"] = b"TE=4.9;Time=101010.000;John Doe"
    image.header.set_xyzt_units("mm", "sec")
    image.set_sform(affine, 1)
    image.set_qform(affine, 2, strip_shears=True)
    nib.save(image, path)
    return path


def make_dataset(root, images, **description):
    """Write a raw data set: ``images`` are paths relative to ``root`` and shapes."""
    root.mkdir(parents=True, exist_ok=True)
    facts = {"Name": "Small", "BIDSVersion": "1.10.0", "Authors": ["A. One", "B. Two"], "License": "CC0"} | description
    (root / "dataset_description.json").write_text(json.dumps(facts))
    for name, shape in dict(images).items():
        write_image(root / name, shape)
    return root


def image_of(root, name, **entities):
    """Return the image of a path relative to a data set, as the query would."""
    path = Path(root) / name
    named = dict(part.split("-") for part in path.name.split("_")[:-1])
    long = {"subject": named["sub"]} | ({"session": named["ses"]} if "ses" in named else {})
    suffix = path.name.split("_")[-1].split(".")[0]
    return BidsImage(path, Path(root), long | entities, suffix, path.parent.name)


def segmentation_of(volume, findings=()):
    """Return a result for a volume: a bar along its third axis, one slice empty."""
    mask = np.zeros(volume.grid.shape, np.uint8)
    mask[1:3, 1:4, : max(1, mask.shape[2] - 1)] = 1
    middle = np.zeros_like(mask)
    middle[1, 2, :] = 1
    n_slices = mask.shape[2]
    columns = {name: np.linspace(-0.00001, 70.123456, n_slices) for name in COLUMNS}
    columns["slice"] = np.arange(n_slices, dtype=float)
    columns["area_mm2"] = np.where(mask.any((0, 1)), 6 + 0.1 * np.arange(n_slices), np.nan)
    ij, k = np.full((n_slices, 2), [1.25, 2.5]), np.arange(n_slices)
    return Segmentation(
        probability=Volume((mask * np.float32(0.875)), volume.grid),
        mask=Volume(mask, volume.grid),
        centerline=Centerline(ij, k, volume.grid, np.ones(n_slices), 1.0),
        centerline_mask=Volume(middle, volume.grid),
        metrics=CordMetrics(MappingProxyType(columns)),
        findings=tuple(findings),
    )


def stamp_of(*, version="0.1.0", sha256="ab" * 32, **changes):
    """Return the cache_key of a run with two networks."""
    specs = tuple(
        ModelSpec(name, "any", (64, 64), 0.5, 0.5, {}, Path("absent"), sha256) for name in ("detection", "segmentation")
    )
    return CacheKey(version=version, models=specs, **{"options": {"contrast": "auto"}} | changes)


def write_result(image, output_dir, *, findings=(), cache_key=None, links=None):
    """Read an image and write a made-up result for it; return the files."""
    loaded = read_image(image)
    products = ImageProducts(
        image, loaded, segmentation_of(loaded.volume, findings), cache_key or stamp_of(), links or {}
    )
    return write_products(products, ResultFiles.of_image(output_dir, image))


def contents(folder):
    """Return the bytes of all files below a folder by relative path."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def all_images(root, **selection):
    """Return the images of a data set."""
    return find_images(root, Selection(**selection)).images
