"""Hold an image of a data set: where it lies, and what its name says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class BidsImage:
    """An image of a BIDS data set; equal and hashed by its path and volume.

    Attributes
    ----------
    path : Path
        The file, as it is in the data set (links are not resolved).
    root : Path
        The data set.
    entities : mapping of str to str
        Long names of pybids (``subject``, ``session``, ``acquisition``, ``run``, ``echo``...) and values as written.
    suffix : str
        For example ``T2w``.
    datatype : {"anat", "dwi", "func"}
        Folder.
    volume : int or None
        For one volume of a series that is an image of its own: its number, from 0. None for the file as a whole.
    """

    path: Path
    root: Path = field(compare=False)
    entities: Mapping[str, str] = field(compare=False)
    suffix: str = field(compare=False)
    datatype: str = field(compare=False)
    volume: int | None = None

    def __post_init__(self) -> None:
        if not self.entities.get("subject"):
            raise ValueError(f"{self.path} has no subject.")
        if self.datatype not in ("anat", "dwi", "func"):
            raise ValueError(f"{self.path} is in {self.datatype!r}, expected anat, dwi or func.")
        object.__setattr__(self, "entities", dict(self.entities))

    @property
    def relative_path(self) -> str:
        """Path relative to the data set, with forward slashes."""
        return self.path.relative_to(self.root).as_posix()

    @property
    def key(self) -> str:
        """Name of the image in messages and records: its relative path, for a volume of its own with ``#<number>``."""
        return self.relative_path + ("" if self.volume is None else f"#{self.volume}")

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
