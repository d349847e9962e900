"""Find and read what a person corrected by hand: masks and centerlines in a folder that was named.

Terms: a *correction* of an image is a file in that folder whose name says to which image it belongs; it replaces the
automatic mask, or the automatic centerline. Nothing is looked for unless the folder was given: manual masks inside
a data set may be there to test the app, not to be its result.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import derivative_path
from bids_deepseg.bids.nifti.reading import read_numbers
from bids_deepseg.bids.source.given_centerline import centerline_names, find_centerline_file
from bids_deepseg.bids.source.inheritance import read_json
from bids_deepseg.bids.source.reader import fingerprint
from bids_deepseg.errors import ImageError
from bids_deepseg.files.names import is_link, leads_to_file
from bids_deepseg.geometry.grid import CANONICAL_AXCODES, Grid
from bids_deepseg.geometry.volume import Volume, reorient, reorient_onto

#: What follows the name of the image in the name of its corrected mask, besides the names of this app. ``_seg-manual``
#: and ``_seg`` are those of the manual-correction scripts of the Spinal Cord Toolbox, ``_label-SC_seg`` is that of
#: many published data sets.
MASK_SUFFIXES = ("_label-SC_mask", "_label-SC_seg", "_label-SC_seg-manual", "_seg-manual", "_seg")

_IMAGE_ENDINGS = (".nii.gz", ".nii")

#: Distance of the corners of two grids, in voxels, up to which they are the same: programs round the header.
_SAME_GRID_VOXELS = 0.1

#: Difference from 0 and from the mask's value up to which a voxel has this value.
_BINARY_TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person corrected in one image.

    Attributes
    ----------
    kind : {"mask", "centerline"}
        What it replaces.
    paths : tuple of Path
        The file; several files for one image are an error that is reported when they are read.
    """

    kind: Literal["mask", "centerline"]
    paths: tuple[Path, ...]

    @property
    def path(self) -> Path:
        """The file.

        Raises
        ------
        ImageError
            If there are several, or its sidecar says that it was not corrected.
        """
        if len(self.paths) > 1:
            names = ", ".join(path.name for path in self.paths)
            raise ImageError(f"Several corrected {self.kind}s were found: {names}. One is expected. Remove the others.")
        (path,) = self.paths
        if _states_automatic(self._sidecar()):
            raise ImageError(
                f"The sidecar of {path.name} says that it was not corrected ('Manual': false). If it was, set this "
                "to true, and state who did it and when ('Author', 'Date'); if not, remove it from the corrections."
            )
        return path

    def facts(self) -> dict[str, str]:
        """Return what is recorded about it: kind, name, checksum, and who and when if its sidecar says so.

        Never raises: what cannot be read has no checksum, and the error is reported when it is used.
        """
        facts = {"Kind": self.kind, "File": ", ".join(path.name for path in self.paths), "SHA256": self._checksum()}
        return facts | _author(self._sidecar())

    def _checksum(self) -> str:
        """Return the sha256 of the file, of all if there are several."""
        try:
            return " ".join(str(fingerprint(path)["SHA256"]) for path in self.paths)
        except OSError:
            return ""

    def _sidecar(self) -> Mapping[str, Any]:
        """Return the JSON file beside it, an empty mapping if there is none."""
        return read_json(self.paths[0].with_name(_stem(self.paths[0].name) + ".json"))


def find_correction(image: BidsImage, folder: Path) -> Correction | None:
    """Find the correction of an image.

    Parameters
    ----------
    image : BidsImage
        The image.
    folder : Path
        Looked into are the folder of the image below it (``sub-01/anat``) and the folder itself.

    Returns
    -------
    Correction or None
        A mask, if there is one, otherwise a centerline, or None.
    """
    masks = tuple(path for path in _mask_places(image, folder) if _is_there(path))
    if masks:
        return Correction("mask", masks)
    line = find_centerline_file(image, folder)
    return Correction("centerline", (line,)) if line else None


def read_corrected_mask(correction: Correction, grid: Grid) -> Volume:
    """Read a corrected mask on the voxels of its image.

    Parameters
    ----------
    correction : Correction
        Of the kind ``mask``.
    grid : Grid
        Native grid of the image. The mask may have its axes in another order and direction.

    Returns
    -------
    Volume
        uint8 mask on ``grid``.

    Raises
    ------
    ImageError
        If the file cannot be read, is empty, is not a mask, or does not have the voxels of the image.
    """
    path = correction.path
    values, header = read_numbers(path, "The corrected mask")
    shape = header.shape
    if len(shape) < 2 or set(shape[3:]) - {1}:
        raise ImageError(f"The corrected mask {path.name} has {len(shape)} dimensions. Three are expected.")
    n_i, n_j, n_k = (*shape, 1)[:3]
    given = Volume(_binary(path, values.reshape(n_i, n_j, n_k)), Grid((n_i, n_j, n_k), header.affine))
    canonical = reorient(given, CANONICAL_AXCODES)
    wanted = reorient(Volume(np.zeros(grid.shape, np.uint8), grid), CANONICAL_AXCODES).grid
    if canonical.grid.shape != wanted.shape or _largest_shift(canonical.grid, wanted) > _SAME_GRID_VOXELS:
        raise ImageError(
            f"The corrected mask {path.name} does not have the voxels of its image: it has {_describe(given.grid)}, "
            f"the image {_describe(grid)}. Draw the mask on the image itself, or resample it to that and look at it."
        )
    return reorient_onto(Volume(canonical.data, wanted), grid)


def unused_files(images: "tuple[BidsImage, ...]", folder: Path) -> tuple[Path, ...]:
    """Find files that look like corrections of the participants of these images and belong to none of them."""
    known = {path for image in images for path in _mask_places(image, folder)}
    known |= {folder / name for image in images for name in centerline_names(image)}
    subjects = {f"sub-{image.subject}" for image in images}
    # Folders that cannot be listed, or vanish meanwhile, are passed over.
    below = (Path(here, name) for here, _, names in os.walk(folder) for name in names)
    endings = (*_IMAGE_ENDINGS, ".csv", ".tsv")
    found = (path for path in below if path.name.startswith("sub-") and path.name.endswith(endings))
    return tuple(
        sorted(
            path
            for path in found
            if path not in known and path.name.partition("_")[0] in subjects and _looks_like_one(path.name)
        )
    )


def _looks_like_one(name: str) -> bool:
    """Return whether a name is that of a mask or a centerline of a cord, of whichever image."""
    if "_label-" in name:
        return "_label-SC" in name or "_label-centerline" in name
    return "centerline" in name or _stem(name).endswith(("_seg", "-manual"))


def _mask_places(image: BidsImage, folder: Path) -> Iterator[Path]:
    """Yield where a corrected mask may stand."""
    own = derivative_path(image, "mask")
    yield from _places(folder, own.parent, [_stem(own.name)], _IMAGE_ENDINGS)
    if image.volume is None:
        yield from _places(folder, own.parent, [image.name + suffix for suffix in MASK_SUFFIXES], _IMAGE_ENDINGS)


def _places(folder: Path, inner: PurePosixPath, stems: list[str], endings: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files of these names in the folder of the image and in the outermost one."""
    for place in (folder / inner, folder):
        for stem in stems:
            yield from (place / f"{stem}{ending}" for ending in endings)


def _is_there(path: Path) -> bool:
    """Return whether there is a file, or a link to one whose content is not on this machine."""
    return leads_to_file(path) or is_link(path)


def _stem(name: str) -> str:
    """Return a file name without its extension, ``.nii.gz`` counting as one."""
    return name.removesuffix(".gz").rpartition(".")[0]


def _states_automatic(sidecar: Mapping[str, Any]) -> bool:
    """Return whether a sidecar says that no person had a hand in the file."""
    return sidecar.get("Manual") is False and not _author(sidecar)


def _author(sidecar: Mapping[str, Any]) -> dict[str, str]:
    """Return who corrected a file and when, from its keys or from the last ``Manual`` entry of ``GeneratedBy``."""
    makers = sidecar.get("GeneratedBy")
    entries = [entry for entry in makers if isinstance(entry, dict)] if isinstance(makers, list) else []
    by_hand = [entry for entry in entries if entry.get("Name") == "Manual"]
    sources = [*by_hand[-1:], sidecar]
    found = {key: next((s[key] for s in sources if isinstance(s.get(key), str)), "") for key in ("Author", "Date")}
    return {key: value for key, value in found.items() if value}


def _binary(path: Path, values: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the voxels of a mask whose value, 1 or another one, is the same everywhere in the cord."""
    top = float(values.max()) if np.isfinite(values).all() else np.nan
    if not np.isfinite(top):
        raise ImageError(f"The corrected mask {path.name} holds NaN or infinite voxels. 0 and 1 are expected.")
    if not values.any():
        raise ImageError(
            f"The corrected mask {path.name} is empty: all voxels are 0. Draw the cord, or remove the file."
        )
    inside = np.abs(values - top) <= _BINARY_TOLERANCE * abs(top)
    if top <= 0 or (~inside & (np.abs(values) > _BINARY_TOLERANCE * top)).any():
        raise ImageError(
            f"The corrected mask {path.name} holds more than two values, from {values.min():g} to {top:g}. 0 and 1 are "
            "expected. Save the label of the cord alone; threshold a probability."
        )
    return inside.astype(np.uint8)


def _largest_shift(one: Grid, other: Grid) -> float:
    """Return the largest distance between the same corners of two grids of one shape, in the smallest voxel size."""
    corners = np.array(np.meshgrid(*([-0.5, n - 0.5] for n in one.shape))).reshape(3, -1).T
    distance = np.linalg.norm(one.voxel_to_world(corners) - other.voxel_to_world(corners), axis=1)
    return float(distance.max() / min(one.zooms))


def _describe(grid: Grid) -> str:
    """Return size and place of a grid."""
    first = ", ".join(f"{value:.1f}" for value in grid.affine[:3, 3])
    sizes = " x ".join(f"{zoom:.2f}" for zoom in grid.zooms)
    return f"{' x '.join(map(str, grid.shape))} voxels of {sizes} mm, the first at ({first}) mm"
