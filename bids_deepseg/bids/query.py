"""Find the images of a BIDS data set.

Only ``sub-*/[ses-*/]{anat,dwi}`` is listed, one ``scandir`` a folder, so that nothing else (``derivatives``,
``sourcedata``, ``.git``) costs time, and nothing is written. Links are followed; a link to content that is not on this
machine counts as an image, and reading it reports what to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

DEFAULT_SUFFIXES = ("T1w", "UNIT1", "T2w", "T2starw", "T2star", "MEGRE", "PDw", "MTS", "dwi")


@dataclass(frozen=True, slots=True)
class BidsImage:
    """An image of a BIDS data set; equal and hashed by its path.

    Attributes
    ----------
    path : Path
        The file, as it stands in the data set (links are not resolved).
    root : Path
        The data set.
    entities : mapping of str to str
        Long names of pybids (``subject``, ``session``, ``acquisition``, ``run``, ``echo``...) and values as written.
    suffix : str
        For example ``T2w``.
    datatype : {"anat", "dwi"}
        Folder.
    """

    path: Path
    root: Path = field(compare=False)
    entities: Mapping[str, str] = field(compare=False)
    suffix: str = field(compare=False)
    datatype: str = field(compare=False)

    def __post_init__(self) -> None:
        if not self.entities.get("subject"):
            raise ValueError(f"{self.path} has no subject.")
        if self.datatype not in ("anat", "dwi"):
            raise ValueError(f"{self.path} stands in {self.datatype!r}, expected anat or dwi.")
        object.__setattr__(self, "entities", dict(self.entities))

    @property
    def relative_path(self) -> str:
        """Path relative to the data set, with forward slashes."""
        return self.path.relative_to(self.root).as_posix()

    @property
    def name(self) -> str:
        """File name without ``.nii`` or ``.nii.gz``."""
        return self.path.name.removesuffix(".gz").removesuffix(".nii")

    @property
    def subject(self) -> str:
        """Label of the participant, without ``sub-``."""
        return self.entities["subject"]

    @property
    def session(self) -> str | None:
        """Label of the session, without ``ses-``; None if there is none."""
        return self.entities.get("session")


@dataclass(frozen=True, slots=True)
class Selection:
    """What to take from a data set.

    Attributes
    ----------
    participants : frozenset of str or None
        Labels without ``sub-``; None for all.
    sessions : frozenset of str or None
        Labels without ``ses-``; None for all. Images without session are always taken (BEP027).
    suffixes : frozenset of str
        Kinds of images.
    """

    participants: frozenset[str] | None = None
    sessions: frozenset[str] | None = None
    suffixes: frozenset[str] = frozenset(DEFAULT_SUFFIXES)


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """An image file that is not segmented.

    Attributes
    ----------
    path : Path
        The file or folder.
    reason : str
        Why, and what to do.
    """

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What was found.

    Attributes
    ----------
    images : tuple of BidsImage
        Selected images, sorted by path.
    subjects : tuple of str
        Labels of the selected participants, sorted, those without images included.
    without_images : mapping of str to str
        Participants without a selected image, and what was found instead.
    unknown_participants : mapping of str to (str or None)
        Labels that were asked for and do not exist, each with the nearest existing label.
    skipped : tuple of SkippedFile
        Files that were looked at and refused, with the reason.
    unsupported : mapping of str to int
        Number of files of each suffix that was not asked for or cannot be segmented.
    """

    images: tuple[BidsImage, ...]
    subjects: tuple[str, ...]
    without_images: Mapping[str, str]
    unknown_participants: Mapping[str, str | None]
    skipped: tuple[SkippedFile, ...]
    unsupported: Mapping[str, int]


def find_images(bids_dir: Path, selection: Selection) -> QueryResult:
    """Find the selected images of a data set.

    Parameters
    ----------
    bids_dir : Path
        Root of a BIDS data set; only read.
    selection : Selection
        What to take.

    Returns
    -------
    QueryResult
        Images and everything worth telling about what was not taken.

    Raises
    ------
    DatasetError
        If ``bids_dir`` is missing, not a folder, empty, has no ``dataset_description.json`` or no participant.
    SelectionError
        If the labels, sessions or suffixes select nothing.
    """
    raise NotImplementedError
