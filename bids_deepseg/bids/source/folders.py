"""Name the kinds of images and their folders, and say which of them are looked into."""

from collections.abc import Iterable
from types import MappingProxyType

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
