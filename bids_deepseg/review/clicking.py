"""Know what the page shows on which a person clicks the centerline of one image, outside any review."""

import hashlib
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.source.given_centerline import read_centerline
from bids_deepseg.bids.source.reader import LoadedImage
from bids_deepseg.errors import UsageError
from bids_deepseg.files.atomic import make_folder, write_if_different
from bids_deepseg.files.names import printable
from bids_deepseg.review.images import ReviewImage
from bids_deepseg.review.saving import ConflictError, table_of_points, version_of
from bids_deepseg.review.state import in_voxels, why_not_writable
from bids_deepseg.review.voxels import page_grid, read_for_page

#: Tables of points that the app reads, and what separates their columns.
_SEPARATORS = {".csv": b",", ".tsv": b"\t"}


def check_target(target: Path) -> None:
    """Raise unless points can be saved in a file of this name.

    Raises
    ------
    UsageError
        If it does not end in ``.csv`` or ``.tsv``.
    """
    if target.suffix not in _SEPARATORS:
        raise UsageError(
            f"The points cannot be saved as {printable(target)}. A name that ends in .csv or .tsv is expected."
        )


@dataclass(slots=True)
class Clicking:
    """The clicking of one centerline that goes on.

    Attributes
    ----------
    image : BidsImage
        The image.
    target : Path
        Where the points are saved, a table that the app reads; points that are there already are begun with.
    begin : Path or None
        Points to begin with where there are none yet.
    done : threading.Event
        Set when the person has finished.
    volume_rule : str
        What is shown of a series.
    """

    image: BidsImage
    target: Path
    begin: Path | None = None
    done: threading.Event = field(default_factory=threading.Event)
    volume_rule: str = "auto"
    _loaded: LoadedImage | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def _listed(self) -> ReviewImage:
        return ReviewImage(self.image, "none", (), rule=self.volume_rule)

    def describe(self) -> dict[str, Any]:
        """Return what the page shows first."""
        paths = "\n".join(os.path.realpath(path) for path in (self.image.path, self.target))
        return {
            "task": "points",
            "key": hashlib.sha256(paths.encode("utf-8", "surrogateescape")).hexdigest()[:16],
            "title": printable(self.image.path.name),
            "output": printable(self.target),
            "corrections": printable(self.target.parent),
            "author": "",
            "output_problem": "",
            "corrections_problem": why_not_writable(self.target.parent),
            "images": [self._entry()],
        }

    def find(self, image_id: str) -> ReviewImage | None:
        """Return the image if that is its name in addresses."""
        return self._listed if image_id == self._listed.id else None

    def details(self, listed: ReviewImage) -> dict[str, Any]:
        """Return what the page shows of the image.

        Raises
        ------
        ImageError
            If the image or the points cannot be read.
        """
        grid = self.read(listed).volume.grid
        version = version_of(self.target)
        source = self.target if version else self.begin
        return {
            **self._entry(),
            "messages": [],
            "shape": list(page_grid(grid).shape),
            "mask_version": "",
            "mask_name": "",
            "centerline_version": version,
            "centerline_name": printable(self.target),
            "correction": {},
            "points": [] if source is None else in_voxels(read_centerline(source, grid), grid),
            "suggested": [],
            "judgement": {"mark": "", "rank": "", "comment": ""},
        }

    def read(self, listed: ReviewImage) -> LoadedImage:
        """Read the image once.

        Raises
        ------
        ImageError
            If it cannot be read.
        """
        with self._lock:
            if self._loaded is None:
                self._loaded = read_for_page(listed)
            return self._loaded

    def save_points(self, points_mm: Sequence[Sequence[float]], expected: str) -> str:
        """Save the points; return the version of the file.

        Parameters
        ----------
        points_mm : (N, 3) floats
            Points in RAS+ mm.
        expected : str
            Version that was on the page.

        Raises
        ------
        ConflictError
            If another version stands there.
        ImageError
            If they are no points in the image.
        OutputError
            If they cannot be written.
        """
        content = table_of_points(points_mm, self.read(self._listed).volume.grid)
        content = content.replace(b"\t", _SEPARATORS[self.target.suffix])
        with self._lock:
            if version_of(self.target) != expected:
                raise ConflictError(
                    f"{self.target.name} was saved by somebody else since this page loaded it. Nothing was replaced."
                )
            make_folder(self.target.parent)
            write_if_different(self.target, content)
        return version_of(self.target)

    def _entry(self) -> dict[str, Any]:
        name = printable(self.image.path.name)
        return {"id": self._listed.id, "name": name, "verdict": "none", "reasons": 0, "area": None, "manual": False}
