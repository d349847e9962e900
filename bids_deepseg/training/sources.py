"""Read the training data: label maps for painting and real images with what is known about them.

Labels can be brought to one definition of the border: a constant distance inside where the image shows it. Raters draw
a bright cord tighter than a dark one, each in their own way, and a network learns that from them.

Everything is brought to the canonical axes ("L", "A", "S") and kept in memory. What cannot be told from the files (who
is held out, which slices of an image without mask show no cord) is in ``configs/sources.toml``.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.grid import CANONICAL_AXCODES, Grid
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.networks.predictor import load_models
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.pipeline import segment
from bids_deepseg.stages.border import find_border, move
from bids_deepseg.training.synthesis.fields import Array
from bids_deepseg.training.synthesis.shapes import CordShape, ShapeBank, shape_from_slices

_CANONICAL = ("L", "A", "S")
SOURCES_FILE = Path(__file__).parent / "configs" / "sources.toml"


@dataclass(frozen=True, slots=True, eq=False)
class RealImage:
    """A real image with what is known about its cord.

    Attributes
    ----------
    name : str
        Path inside the data folder.
    data : (I, J, K) float32 array
        Canonical axes; brightness divided by the 99.5th percentile.
    mask : (I, J, K) float32 array or None
        Manual mask of the cord, smoothed by half a voxel where voxels are large, with its outline where the image shows
        the border.
    centre_ij : (K, 2) float64 array
        Centre of the cord in pixels; NaN in slices without cord.
    slices : (n,) int array
        Slices that may be used.
    zooms_mm : (float, float, float)
        Voxel size along the canonical axes.
    weight : float, optional
        How often the image is drawn for detection, against another of its kind.
    """

    name: str
    data: Array
    mask: Array | None
    centre_ij: NDArray[np.float64]
    slices: NDArray[np.int64]
    zooms_mm: tuple[float, float, float]
    weight: float = 1.0


def read_canonical(path: Path) -> tuple[NDArray[Any], tuple[float, float, float]]:
    """Read an image and bring its array to the canonical axes; return it with its voxel size in mm."""
    image = nib.load(path)
    turn = ornt_transform(io_orientation(image.affine), axcodes2ornt(_CANONICAL))
    image = image.as_reoriented(turn)
    i, j, k = (float(zoom) for zoom in image.header.get_zooms()[:3])
    return np.asarray(image.dataobj), (i, j, k)


def read_sources() -> dict[str, Any]:
    """Read the table of what cannot be told from the files."""
    with SOURCES_FILE.open("rb") as stream:
        return tomllib.load(stream)


def find_participants(data_dir: Path) -> tuple[str, ...]:
    """Return the participants of whom there is an image with a manual cord mask, without "sub-"."""
    parts = (
        next(part for part in image.parts[::-1] if part.startswith("sub-") and "." not in part)
        for image, _ in find_labelled(data_dir)
    )
    return tuple(sorted({part.removeprefix("sub-") for part in parts}))


def find_labelled(data_dir: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each training image that has a manual cord mask, with the mask."""
    for train in (data_dir / "train", data_dir / "train_more"):
        yield from _find_labelled_in(train)


def _find_labelled_in(train: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the images of one data set that have a manual cord mask, with the mask."""
    for mask in sorted((train / "derivatives" / "labels").glob("sub-*/**/*_label-SC_*_mask.nii.gz")):
        stem, suffix = mask.name.split("_space-orig_label-SC_desc-")
        folder = train / mask.parent.relative_to(train / "derivatives" / "labels")
        image = folder / f"{stem}_{suffix.removesuffix('_mask.nii.gz')}.nii.gz"
        if image.is_file():
            yield image, mask


def load_labelled(image_path: Path, mask_path: Path) -> RealImage:
    """Load an image with its manual mask; its slices without mask are left out, not taken for slices without cord."""
    data, zooms = read_canonical(image_path)
    mask = read_canonical(mask_path)[0] > 0
    slices = np.flatnonzero(mask.any(axis=(0, 1)))
    centre = np.full((mask.shape[2], 2), np.nan)
    for k in slices:
        centre[k] = np.argwhere(mask[:, :, k]).mean(0)
    # Half a voxel of smoothing takes the staircase out of the outline where pixels are larger than the network's.
    sigma = 0.5 if zooms[0] > 0.7 else 0.0
    soft_mask = mask.astype(np.float32)
    if sigma:
        soft_mask = ndimage.gaussian_filter(soft_mask, (sigma, sigma, sigma if zooms[2] < 2 else 0))
    soft_mask = refine_mask(data, soft_mask, zooms)
    return RealImage(_person_path(image_path), _rescaled(data), soft_mask, centre, slices, zooms)


def load_unlabelled(data_dir: Path, entry: dict[str, Any]) -> RealImage:
    """Load an image for a range of slices where there is no cord, or where its centre was marked by hand.

    ``entry`` has ``path``, ``slices = [first, last]`` and optionally ``centres = [[k, i, j], ...]`` in canonical
    voxels, between which the centre is interpolated, and ``weight``.
    """
    data, zooms = read_canonical(data_dir / entry["path"])
    first, last = entry["slices"]
    slices = np.arange(first, min(last, data.shape[2] - 1) + 1)
    centre = np.full((data.shape[2], 2), np.nan)
    if "centres" in entry:
        k, i, j = np.array(sorted(entry["centres"]), float).T
        centre[slices] = np.stack([np.interp(slices, k, i), np.interp(slices, k, j)], axis=1)
    return RealImage(entry["path"], _rescaled(data), None, centre, slices, zooms, entry.get("weight", 1.0))


def load_real_images(data_dir: Path, held_out: tuple[str, ...]) -> tuple[RealImage, ...]:
    """Load all real images but those of the held-out participants; an empty tuple where there is no data."""
    images = [
        load_labelled(image, mask)
        for image, mask in find_labelled(data_dir)
        if not any(f"sub-{participant}" in image.parts for participant in held_out)
    ]
    images += [
        load_unlabelled(data_dir, entry)
        for entry in read_sources()["unlabelled"]
        if (data_dir / entry["path"]).is_file()
        and not any(f"sub-{participant}" in entry["path"] for participant in held_out)
    ]
    images += [
        load_own(data_dir, entry)
        for entry in read_sources()["own"]
        if (data_dir / entry["path"]).is_file()
        and not any(f"sub-{participant}" in entry["path"] for participant in held_out)
    ]
    return tuple(images)


def load_own(data_dir: Path, entry: dict[str, Any]) -> RealImage:
    """Load an image for a range of slices in which the mask of the application was looked at and found good."""
    data, zooms = read_canonical(data_dir / entry["path"])
    mask = own_mask(data_dir / entry["path"])
    first, last = entry["slices"]
    slices = np.array([k for k in range(first, last + 1) if (mask[..., k] >= 0.5).any()])
    centre = np.full((data.shape[2], 2), np.nan)
    for k in slices:
        centre[k] = np.argwhere(mask[..., k] >= 0.5).mean(0)
    return RealImage(entry["path"], _rescaled(data), mask, centre, slices, zooms)


def load_shapes(data_dir: Path, held_out: tuple[str, ...]) -> ShapeBank:
    """Load cord shapes from the template and all label maps but those of the held-out participants.

    The bank is empty where there is no data.
    """
    shapes: list[CordShape] = []
    excluded = [name for participant in held_out for name in read_sources()["label_maps"].get(participant, ())]
    folder = data_dir / "labels"
    for path in sorted([*folder.glob("*_cord.nii.gz"), *(data_dir / "labels_more").glob("*_cord.nii.gz")]):
        name = path.name.removesuffix("_cord.nii.gz")
        if name in excluded:
            continue
        cord, zooms = read_canonical(path)
        fluid, grey = (path.parent / f"{name}_{kind}.nii.gz" for kind in ("csf", "gm"))
        canal = (read_canonical(fluid)[0] > 0) | (cord > 0) if fluid.is_file() else None
        grey_map = read_canonical(grey)[0].astype(np.float32) if grey.is_file() else None
        # Scans of 1 mm have many alike slices.
        shapes += _shapes_of(cord > 0, canal, grey_map, zooms, every=4 if zooms[2] < 2 else 1)
    if (folder / "amu_seg.nii.gz").is_file():
        tissue, zooms = read_canonical(folder / "amu_seg.nii.gz")
        grey_map = read_canonical(folder / "amu_gm.nii.gz")[0].astype(np.float32) / np.float32(255)
        shapes += _shapes_of(tissue == 3, tissue >= 2, grey_map, zooms, every=4)
    return ShapeBank(tuple(shapes))


def _shapes_of(
    cord: NDArray[np.bool_],
    canal: NDArray[np.bool_] | None,
    grey: Array | None,
    zooms: tuple[float, float, float],
    *,
    every: int,
) -> list[CordShape]:
    """Turn every ``every``-th slice of label maps into a shape."""
    shapes = [
        shape_from_slices(
            cord[:, :, k],
            None if canal is None or not canal[:, :, k].any() else canal[:, :, k],
            None if grey is None or not grey[:, :, k].any() else grey[:, :, k],
            zooms[:2],
        )
        for k in range(0, cord.shape[2], every)
    ]
    return [shape for shape in shapes if shape is not None]


def _rescaled(data: NDArray[Any]) -> Array:
    """Divide by the 99.5th percentile of the foreground, so that remapping curves see [0, 1]."""
    values = data.astype(np.float32)
    peak = float(np.percentile(values[values > 0], 99.5)) if (values > 0).any() else 1.0
    return np.asarray(np.clip(values / np.float32(peak), 0, 1.5), np.float32)


def _person_path(path: Path) -> str:
    """Return the path from the participant's folder on."""
    start = next(index for index, part in enumerate(path.parts) if part.startswith("sub-"))
    return "/".join(path.parts[start:])


def refine_mask(
    data: NDArray[np.generic], soft_mask: NDArray[np.float32], zooms_mm: tuple[float, float, float]
) -> Array:
    """Move the outline of a rater's mask to the border in the image.

    Parameters
    ----------
    data, soft_mask : (I, J, K) array
        Image and smoothed mask on canonical axes.
    zooms_mm : (float, float, float)
        Voxel size.

    Returns
    -------
    (I, J, K) float32 array
        The mask, as it was where the image shows no border.
    """
    grid = Grid(data.shape, np.diag([-zooms_mm[0], zooms_mm[1], zooms_mm[2], 1.0]))
    answer = Volume(np.ascontiguousarray(soft_mask, np.float32), grid)
    image = Volume(np.ascontiguousarray(data, np.float32), grid)
    mask = Volume((answer.data >= 0.5).astype(np.uint8), grid)
    return np.asarray(move(answer, find_border(image, answer, mask, threshold=0.5)).data)


def own_mask(path: Path) -> Array:
    """Return the probability that the application gives to an image without manual mask, on canonical axes."""
    image = nib.load(path)
    data = np.asarray(image.dataobj, np.float32)
    volume = Volume(data, Grid(data.shape, image.affine))
    result = segment(volume, load_models(), settings=MethodSettings(rescue="off"))
    probability = reorient(result.probability, CANONICAL_AXCODES).data
    return np.asarray(probability * (reorient(result.mask, CANONICAL_AXCODES).data > 0), np.float32)
