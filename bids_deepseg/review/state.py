"""Know what a review is about: its folders, its images, what may be written, and the image that was read last."""

import hashlib
import os
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bids_deepseg.bids.derivatives.provenance import SOURCE_LINK
from bids_deepseg.bids.source.corrections import find_correction
from bids_deepseg.bids.source.given_centerline import read_centerline
from bids_deepseg.bids.source.inheritance import read_json
from bids_deepseg.bids.source.reader import LoadedImage
from bids_deepseg.errors import BidsDeepsegError, DatasetError
from bids_deepseg.files.facts import text_mapping_of, text_of
from bids_deepseg.files.names import leads_to_folder, printable
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.review.images import ReviewImage, list_images
from bids_deepseg.review.judging import read_judgement
from bids_deepseg.review.rerun import Runner
from bids_deepseg.review.saving import centerline_place, mask_place, version_of
from bids_deepseg.review.voxels import page_grid, read_for_page

#: Distance of the points that are taken from the centerline of a result.
_STEP_MM = 15.0


@dataclass(frozen=True, slots=True)
class Places:
    """Folders of a review.

    Attributes
    ----------
    output_dir : Path
        Results.
    bids_dir : Path
        The data set.
    corrections : Path
        Where corrections are saved.
    """

    output_dir: Path
    bids_dir: Path
    corrections: Path

    @property
    def key(self) -> str:
        """Checksum that tells the drafts of one review from those of another, in one browser."""
        text = "\n".join(str(path.resolve()) for path in (self.output_dir, self.corrections))
        return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def find_dataset(output_dir: Path, given: Path | None) -> Path:
    """Return the data set of results: the one that was given, else the one that they state to lie around them.

    Raises
    ------
    DatasetError
        If there is none.
    """
    if given is not None:
        if not leads_to_folder(given):
            raise DatasetError(f"The data set {given} does not exist. Correct --bids-dir.")
        return given
    links = text_mapping_of(read_json(output_dir / "dataset_description.json"), "DatasetLinks")
    stated = links.get(SOURCE_LINK, "")
    around = output_dir / stated if stated and ":" not in stated else None
    if around is not None and leads_to_folder(around):
        return around.resolve()
    raise DatasetError(
        f"{output_dir} does not state where its data set is. The images are needed to show them. Give --bids-dir DIR."
    )


def why_not_writable(folder: Path) -> str:
    """Return why nothing can be written in a folder, empty if it can; nothing is written to find out.

    Parameters
    ----------
    folder : Path
        A folder, or where one will be made.
    """
    existing = next((each for each in (folder, *folder.absolute().parents) if os.path.lexists(each)), Path("/"))
    if not leads_to_folder(existing):
        return f"{printable(existing)} is no folder."
    if not os.access(existing, os.W_OK | os.X_OK):
        return f"User {os.getuid()} may not write in {printable(existing)}, or its drive is read-only."
    return ""


@dataclass(slots=True)
class Review:
    """A review that goes on.

    Attributes
    ----------
    places : Places
        Its folders.
    runner : Runner
        Starts runs.
    author : str
        Who reviews, as it is on the page at first.
    """

    places: Places
    runner: Runner
    author: str = ""
    _images: Mapping[str, ReviewImage] = field(default_factory=dict)
    _read: tuple[str, LoadedImage] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def describe(self) -> dict[str, Any]:
        """Return what the page shows first: the list of images, and what can be done."""
        images = list_images(self.places.output_dir, self.places.bids_dir)
        self._images = {each.id: each for each in images}
        places = self.places
        return {
            "key": places.key,
            "title": text_of(read_json(places.bids_dir / "dataset_description.json"), "Name") or places.bids_dir.name,
            "output": printable(places.output_dir),
            "corrections": printable(places.corrections),
            "author": self.author,
            "output_problem": why_not_writable(places.output_dir),
            "corrections_problem": why_not_writable(places.corrections),
            "images": [self._entry(each) for each in images],
        }

    def find(self, image_id: str) -> ReviewImage | None:
        """Return an image by its name in addresses, as it was listed last."""
        if not self._images:
            self.describe()
        return self._images.get(image_id)

    def details(self, listed: ReviewImage) -> dict[str, Any]:
        """Return what the page shows of one image, with the versions of its corrections.

        Raises
        ------
        ImageError
            If the image, or a correction of it, cannot be read.
        """
        image, corrections = listed.image, self.places.corrections
        grid = self.read(listed).volume.grid
        correction = find_correction(image, corrections)
        mask = mask_place(image, corrections)
        judgement = read_judgement(image, self.places.output_dir)
        return {
            **self._entry(listed),
            "messages": list(listed.messages),
            "shape": list(page_grid(grid).shape),
            "mask_version": version_of(mask),
            "mask_name": printable(mask.relative_to(corrections)),
            "centerline_version": version_of(centerline_place(image, corrections)),
            "centerline_name": printable(centerline_place(image, corrections).relative_to(corrections)),
            "correction": {} if correction is None else correction.facts(),
            "points": self._points(listed, grid),
            "suggested": self._suggested(listed, grid),
            "judgement": {"mark": judgement.mark, "rank": judgement.rank, "comment": judgement.comment},
        }

    def read(self, listed: ReviewImage) -> LoadedImage:
        """Read an image; the one that was read last is kept.

        Raises
        ------
        ImageError
            If it cannot be read.
        """
        with self._lock:
            if self._read is None or self._read[0] != listed.id:
                self._read = None
                self._read = (listed.id, read_for_page(listed))
            return self._read[1]

    def forget(self) -> None:
        """Read images again from now on: a run may have changed what is segmented."""
        with self._lock:
            self._read = None

    def _entry(self, listed: ReviewImage) -> dict[str, Any]:
        """Return the entry of an image in the list."""
        area = listed.area_mm2
        return {
            "id": listed.id,
            "name": printable(listed.image.key),
            "verdict": listed.verdict,
            "reasons": listed.n_weighty,
            "area": None if area is None else round(area, 1),
            "manual": listed.saved is not None and listed.saved.facts.manual,
        }

    def _points(self, listed: ReviewImage, grid: Grid) -> list[list[float]]:
        """Return the points of the corrected centerline, in voxels of the page."""
        path = centerline_place(listed.image, self.places.corrections)
        return in_voxels(read_centerline(path, grid), grid) if version_of(path) else []

    @staticmethod
    def _suggested(listed: ReviewImage, grid: Grid) -> list[list[float]]:
        """Return some points of the centerline of the result, in voxels of the page."""
        try:
            points = np.empty((0, 3)) if listed.saved is None else listed.saved.centerline()
        except BidsDeepsegError:
            return []
        if not len(points):
            return []
        steps = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])
        wanted = np.linspace(0, steps[-1], max(2, round(steps[-1] / _STEP_MM) + 1))
        return in_voxels(points[np.unique(np.searchsorted(steps, wanted).clip(max=len(points) - 1))], grid)


def in_voxels(points_mm: "np.ndarray[Any, np.dtype[np.float64]]", grid: Grid) -> list[list[float]]:
    """Return points of the world in voxels of the page."""
    found: list[list[float]] = page_grid(grid).world_to_voxel(points_mm).round(4).tolist()
    return found


def in_world(voxels: Sequence[Sequence[float]], grid: Grid) -> list[list[float]]:
    """Return points in voxels of the page in RAS+ mm."""
    found: list[list[float]] = page_grid(grid).voxel_to_world(np.array(voxels, np.float64).reshape(-1, 3)).tolist()
    return found
