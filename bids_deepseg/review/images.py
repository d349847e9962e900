"""List the images that a person reviews, the worst first, from the output folder alone."""

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bids_deepseg.bids.derivatives.failures import FailureRecord, read_failures
from bids_deepseg.bids.derivatives.saved import DamagedResult, SavedResult, find_results
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import ENTITIES, parse_name

#: The order of the list: no result, then from bad to good.
VERDICTS = ("none", "fail", "warn", "pass")

_DATATYPES = ("anat", "dwi")


@dataclass(frozen=True, slots=True)
class ReviewImage:
    """An image with what is known of its result.

    Attributes
    ----------
    image : BidsImage
        The image, below the data set.
    verdict : {"none", "fail", "warn", "pass"}
        Verdict of the judge; ``none`` without a result that can be used.
    messages : tuple of str
        Reasons of the verdict, or why there is no result.
    n_weighty : int
        Reasons that are more than a note.
    score : float or None
        Score of the result, if other methods were tried beside it.
    saved : SavedResult or None
        The result.
    rule : str
        What is taken of a series where no result states it.
    """

    image: BidsImage
    verdict: str
    messages: tuple[str, ...]
    n_weighty: int = 0
    score: float | None = None
    saved: SavedResult | None = None
    rule: str = "auto"

    @property
    def id(self) -> str:
        """Name of the image in addresses: a checksum, so that no path of a file is ever part of one."""
        return hashlib.sha256(self.image.key.encode("utf-8", "surrogateescape")).hexdigest()[:16]

    @property
    def area_mm2(self) -> float | None:
        """Mean cross-sectional area, None if it is unknown."""
        return None if self.saved is None or math.isnan(self.saved.csa_mean) else self.saved.csa_mean

    @property
    def volume_rule(self) -> str:
        """What was segmented of a series."""
        return self.rule if self.saved is None else str(self.saved.facts.options.get("volume", "auto"))

    @property
    def badness(self) -> tuple[int, float, int, str]:
        """Key by which images are sorted: verdict, lowest score, most reasons, name."""
        score = math.inf if self.score is None else self.score
        return VERDICTS.index(self.verdict), score, -self.n_weighty, self.image.key


def list_images(output_dir: Path, bids_dir: Path) -> tuple[ReviewImage, ...]:
    """Find all images that the participant level has seen.

    Parameters
    ----------
    output_dir : Path
        Root of the results.
    bids_dir : Path
        The data set.

    Returns
    -------
    tuple of ReviewImage
        The worst first: without result, ``fail``, ``warn``, ``pass``; of equal ones, those with the lowest score.
    """
    found: dict[str, ReviewImage] = {}
    for one in (*find_results(output_dir), *read_failures(output_dir)):
        listed = _listed(one, bids_dir)
        if listed is not None:
            found.setdefault(listed.image.key, listed)
    return tuple(sorted(found.values(), key=lambda image: image.badness))


def _listed(one: SavedResult | DamagedResult | FailureRecord, bids_dir: Path) -> ReviewImage | None:
    """Return one entry of the list, None if it names no image of a data set."""
    image = image_of(one.source, bids_dir)
    if image is None:
        return None
    if isinstance(one, DamagedResult):
        return ReviewImage(image, "none", (one.message,))
    if isinstance(one, FailureRecord):
        return ReviewImage(image, "none", (f"{one.status}: {one.message}",))
    weighty = [reason for reason in one.reasons if reason.severity != "info"]
    messages = (*(reason.message for reason in weighty), *_notes(one))
    score = next((tried.score for tried in one.tries if tried.kept), None)
    return ReviewImage(image, one.verdict, messages, len(weighty), score, one)


def _notes(saved: SavedResult) -> Iterator[str]:
    """Yield what is only to be known."""
    return (reason.message for reason in saved.reasons if reason.severity == "info")


def image_of(source: str, bids_dir: Path) -> BidsImage | None:
    """Return the image of a data set that a result or a record names.

    Parameters
    ----------
    source : str
        Path relative to the data set, with ``#<number>`` for a volume of its own. Nothing outside the data set counts.
    bids_dir : Path
        The data set.
    """
    file, _, volume = source.partition("#")
    path = PurePosixPath(file)
    name = parse_name(path.name)
    is_inside = not path.is_absolute() and ".." not in path.parts and "\0" not in file
    if not is_inside or name is None or "sub" not in name.entities or path.parent.name not in _DATATYPES:
        return None
    if path.parts[0] != f"sub-{name.entities['sub']}" or not file.endswith((".nii", ".nii.gz")):
        return None
    entities = {ENTITIES.get(key, key): value for key, value in name.entities.items()}
    number = int(volume) if volume.isdecimal() else None
    return BidsImage(bids_dir / path, bids_dir, entities, name.suffix, path.parent.name, number)
