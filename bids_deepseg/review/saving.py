"""Save what a person drew or clicked as a correction, under the names that the app reads back.

A *version* is the sha256 of a file, empty while there is none. Whoever saves states the version that was on the page;
if another one stands there by now, somebody else saved meanwhile, and nothing is written.
"""

import gzip
import hashlib
import io
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from bids_deepseg import __version__
from bids_deepseg.bids.derivatives.description import BIDS_VERSION
from bids_deepseg.bids.derivatives.ownership import APP_NAME
from bids_deepseg.bids.derivatives.provenance import SOURCE_LINK, source_reference
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import derivative_path
from bids_deepseg.bids.nifti.reading import write_nifti
from bids_deepseg.bids.source.corrections import find_correction
from bids_deepseg.bids.source.inheritance import read_json
from bids_deepseg.bids.source.reader import LoadedImage, fingerprint
from bids_deepseg.errors import ImageError
from bids_deepseg.files.atomic import make_own_folder, output_errors, write_files, write_if_different
from bids_deepseg.files.facts import mappings_of
from bids_deepseg.files.locks import holding
from bids_deepseg.files.names import leads_to_file
from bids_deepseg.files.tables import format_columns, format_json
from bids_deepseg.geometry.grid import CANONICAL_AXCODES, Grid
from bids_deepseg.geometry.volume import Volume, reorient

#: Keys that only automatic results have: a sidecar with one of them was copied with the mask, and does not describe it.
_AUTOMATIC = frozenset({"QC", "ConfigHash", "Measures"})

#: Time to wait for another server that saves in the same folder.
_PATIENCE_S = 10.0

#: End of the name of a correction that was set aside; the app passes it over.
_ASIDE = ".replaced-"

#: Distance in voxels from the outermost voxel centres up to which a point lies in the image.
_BORDER_VOXELS = 0.5

_COLUMNS = ("x_mm", "y_mm", "z_mm")

_SAVING = threading.Lock()


class ConflictError(Exception):
    """Somebody else saved a newer version, or has the thing in use."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who corrects, and when.

    Attributes
    ----------
    name : str
        Name, or empty.
    date : str
        Date and time with the time zone.
    """

    name: str
    date: str

    @classmethod
    def now(cls, name: str) -> "Author":
        """Return somebody at this moment."""
        return cls(" ".join(name.split()), datetime.now().astimezone().isoformat(timespec="seconds"))

    def facts(self) -> dict[str, str]:
        """Return what is written of it."""
        return {"Author": self.name, "Date": self.date} if self.name else {"Date": self.date}


def mask_place(image: BidsImage, corrections: Path) -> Path:
    """Return where the corrected mask of an image is, or will be.

    Raises
    ------
    ImageError
        If there are several.
    """
    found = find_correction(image, corrections)
    if found is None or found.kind != "mask":
        return corrections / derivative_path(image, "mask")
    if len(found.paths) > 1:
        names = ", ".join(path.name for path in found.paths)
        raise ImageError(f"Several corrected masks were found: {names}. One is expected. Remove the others.")
    return found.paths[0]


def centerline_place(image: BidsImage, corrections: Path) -> Path:
    """Return where the corrected centerline of an image is saved; of several files, the app reads this one."""
    return corrections / derivative_path(image, "centerline_tsv")


def version_of(path: Path) -> str:
    """Return the version of a file."""
    if not leads_to_file(path):
        return ""
    with output_errors(path):
        return str(fingerprint(path)["SHA256"])


def save_mask(
    image: BidsImage, loaded: LoadedImage, mask: Volume, *, corrections: Path, expected: str, author: Author
) -> str:
    """Save a corrected mask with its sidecar.

    Parameters
    ----------
    image : BidsImage
        The image.
    loaded : LoadedImage
        As it was read; the mask gets its header and shape.
    mask : Volume
        uint8 mask on its grid.
    corrections : Path
        Root of the corrections.
    expected : str
        Version that was on the page.
    author : Author
        Who drew it.

    Returns
    -------
    str
        The new version.

    Raises
    ------
    ConflictError
        If another version stands there.
    ImageError
        If the mask is empty, or several corrected masks exist.
    OutputError
        If it cannot be written.
    """
    if not mask.data.any():
        raise ImageError("The mask is empty. Draw the cord, or leave the image as it is. Nothing was saved.")
    buffer = io.BytesIO()
    write_nifti(buffer, mask.data.reshape(loaded.shape), loaded.header)
    content = buffer.getvalue()
    path = mask_place(image, corrections)
    if path.suffix == ".nii":
        content = gzip.decompress(content)
    with _saving(image, path, corrections, expected):
        _write(path, content, _sidecar(path, image, corrections, author))
    return hashlib.sha256(content).hexdigest()


def save_centerline(
    image: BidsImage,
    grid: Grid,
    points_mm: Sequence[Sequence[float]],
    *,
    corrections: Path,
    expected: str,
    author: Author,
    set_aside: str = "",
) -> str:
    """Save the points of a centerline with their sidecar; parameters and errors as for :func:`save_mask`.

    Parameters
    ----------
    grid : Grid
        Native grid of the image.
    points_mm : (N, 3) floats
        Points in RAS+ mm.
    set_aside : str, optional
        Version of a corrected mask that is set aside, since the app would use it and not the centerline.

    Raises
    ------
    ConflictError
        Also if there is a corrected mask and its version was not stated.
    """
    content = table_of_points(points_mm, grid)
    path = centerline_place(image, corrections)
    with _saving(image, path, corrections, expected):
        mask = mask_place(image, corrections)
        mask_version = version_of(mask)
        if mask_version != set_aside:
            raise ConflictError(
                "There is a corrected mask of this image, which the app uses in place of a centerline. Choose to set "
                "it aside, or correct the mask itself. Nothing was saved."
            )
        described = {name: {"Description": "World coordinate, RAS+", "Units": "mm"} for name in _COLUMNS}
        _write(path, content, _sidecar(path, image, corrections, author) | described)
        if mask_version:
            _set_aside(mask)
    return hashlib.sha256(content).hexdigest()


def table_of_points(points_mm: Sequence[Sequence[float]], grid: Grid) -> bytes:
    """Return the table of points in RAS+ mm, from inferior to superior.

    Raises
    ------
    ImageError
        If there are none, or one lies outside the image.
    """
    points = np.array(points_mm, np.float64).reshape(-1, 3)
    _check_points(points, grid)
    points = points[np.argsort(points[:, 2], kind="stable")]
    return format_columns(dict(zip(_COLUMNS, points.T, strict=True)), dict.fromkeys(_COLUMNS, 3))


def _check_points(points: np.ndarray[Any, np.dtype[np.float64]], grid: Grid) -> None:
    """Refuse points that are none of the image."""
    if not len(points) or not np.isfinite(points).all():
        raise ImageError("There is no point. Click the cord, at best at several heights. Nothing was saved.")
    canonical = reorient(Volume(np.zeros(grid.shape, np.uint8), grid), CANONICAL_AXCODES).grid
    ijk = canonical.world_to_voxel(points)
    inside = (ijk >= -_BORDER_VOXELS - 1e-3) & (ijk <= np.array(canonical.shape) - _BORDER_VOXELS + 1e-3)
    if not inside.all():
        raise ImageError("A point lies outside the image. Nothing was saved.")


@contextmanager
def _saving(image: BidsImage, path: Path, corrections: Path, expected: str) -> Iterator[None]:
    """Keep others from the folder, and make sure that nobody saved meanwhile."""
    with _SAVING:
        make_own_folder(corrections, path.parent)
        with holding(path.parent, patience_s=_PATIENCE_S):
            if version_of(path) != expected:
                raise ConflictError(
                    f"{path.name} was saved by somebody else, or in another window, since this page loaded it. "
                    f"Nothing of it was replaced, and your drawing of {image.name} is kept in this browser. Load the "
                    "newer one and look at both."
                )
            _describe(corrections, image)
            yield


def _write(path: Path, content: bytes, sidecar: Mapping[str, Any]) -> None:
    """Write a file after its sidecar."""
    described = _sidecar_path(path)
    text = format_json(sidecar)
    write_files([(described, lambda stream: stream.write(text)), (path, lambda stream: stream.write(content))])


def _sidecar(path: Path, image: BidsImage, corrections: Path, author: Author) -> dict[str, Any]:
    """Return the sidecar of a correction; what others stated in it about the making stays."""
    before = read_json(_sidecar_path(path))
    before = {} if _AUTOMATIC & set(before) else before
    linked = corrections.resolve().is_relative_to(image.root.resolve())
    maker = {"Name": "Manual", "Description": f"{APP_NAME} {__version__} review", **author.facts()}
    return {
        **before,
        "Manual": True,
        **author.facts(),
        "Sources": [source_reference(image, linked=linked)],
        "GeneratedBy": [*mappings_of(before, "GeneratedBy"), maker],
    }


def _sidecar_path(path: Path) -> Path:
    """Return the JSON file beside a correction."""
    return path.with_name(path.name.removesuffix(".gz").rpartition(".")[0] + ".json")


def _set_aside(path: Path) -> None:
    """Rename a correction and its sidecar, so that the app passes them over and nothing is lost."""
    stamp = datetime.now().astimezone().strftime("%Y%m%dT%H%M%S%f")
    for each in (path, _sidecar_path(path)):
        if os.path.lexists(each):
            with output_errors(each):
                each.rename(each.with_name(f"{each.name}{_ASIDE}{stamp}"))


def _describe(corrections: Path, image: BidsImage) -> None:
    """Make the folder of the corrections a data set, unless it is one."""
    path = corrections / "dataset_description.json"
    if os.path.lexists(path):
        return
    root, folder = image.root.resolve(), corrections.resolve()
    content: dict[str, Any] = {
        "Name": "Corrections by hand",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "Manual", "Description": f"drawn on the page of {APP_NAME} review"}],
    }
    if folder.is_relative_to(root) and folder != root:
        content["DatasetLinks"] = {SOURCE_LINK: Path(os.path.relpath(root, folder)).as_posix()}
    write_if_different(path, format_json(content))
