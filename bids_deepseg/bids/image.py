"""Hold an image of a data set: where it lies, what its name says, and which kinds of images there are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from bids_deepseg.networks.specs import contrast_of_suffix

#: Suffixes of the images that are segmented unless others are asked for.
DEFAULT_SUFFIXES = ("T1w", "UNIT1", "T2w", "T2starw", "T2star", "MEGRE", "PDw", "MTS", "dwi")

#: Those that BIDS puts into anat; dwi holds other suffixes besides dwi (sbref, and maps of the scanner).
ANATOMICAL = frozenset(DEFAULT_SUFFIXES) - {"dwi"}

#: Folders that are always looked into.
USUAL_FOLDERS = ("anat", "dwi")

#: Suffixes of echo-planar series, and their folder. They are segmented only if they are asked for: most are of brains,
#: and a mask of the mean of a series is seldom wanted.
_FOLDERS_ASKED_FOR = MappingProxyType({"bold": "func", "cbv": "func", "sbref": "func", "epi": "func"})

#: All folders that may hold images with a result.
DATATYPES = (*USUAL_FOLDERS, "func")


def folders_of(suffixes: Iterable[str]) -> tuple[str, ...]:
    """Return the folders that are looked into for images with some suffixes."""
    more = {_FOLDERS_ASKED_FOR[suffix] for suffix in suffixes if suffix in _FOLDERS_ASKED_FOR}
    return (*USUAL_FOLDERS, *sorted(more))


#: Suffix of an image whose name says nothing; it stands for no contrast.
_NO_SUFFIX = "image"


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


def image_outside_dataset(path: Path, contrast: str = "auto") -> BidsImage:
    """Return an image that is in no data set in the form in which data sets hold theirs.

    Parameters
    ----------
    path : Path
        The file. If its name ends in a suffix of BIDS, that is its suffix.
    contrast : str, optional
        As asked for, ``auto`` for that of the suffix.

    Returns
    -------
    BidsImage
        Its data set is the folder of the file. No result shows its label.
    """
    ending = path.name.removesuffix(".gz").removesuffix(".nii").rpartition("_")[2]
    known = ending if contrast_of_suffix(ending) else _NO_SUFFIX
    suffix = "dwi" if contrast == "dwi" else known
    # A diffusion series that is segmented as another contrast is read as any other series.
    if suffix == "dwi" and contrast not in ("auto", "dwi"):
        suffix = _NO_SUFFIX
    datatype = "dwi" if suffix == "dwi" else "anat"
    return BidsImage(path, path.parent, {"subject": "image"}, suffix, datatype)
