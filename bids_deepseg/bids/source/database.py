"""List the image files of a data set from pybids' index of it, instead of from its folders.

The index is a database in a folder that the user names (``--bids-database-dir``), never inside the data set. It pays
off where listing folders is slow and pybids has an index already; our own listing is faster than making one. Files
added to the data set after the index was made are not in it.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bids_deepseg.bids.source.folders import DATATYPES
from bids_deepseg.errors import UsageError
from bids_deepseg.files.names import leads_to_file

#: pybids need not look into what no image of ours is in.
_IGNORED = re.compile(r"/(derivatives|sourcedata|code|stimuli|models|\.[^/]*)(/|$)")

#: File of the database in its folder, by pybids.
_DATABASE = "layout_index.sqlite"


@dataclass(frozen=True, slots=True)
class FileIndex:
    """The image files of a data set.

    Attributes
    ----------
    files : mapping of str to tuple of Path
        Paths by label of the participant, sorted by path; participants without image files included.
    """

    files: Mapping[str, tuple[Path, ...]]

    @property
    def participants(self) -> tuple[str, ...]:
        """Labels, sorted."""
        return tuple(sorted(self.files))


def has_index(database_dir: Path) -> bool:
    """Return whether a folder holds an index."""
    return leads_to_file(database_dir / _DATABASE)


def read_index(bids_dir: Path, database_dir: Path, *, reset: bool = False) -> FileIndex:
    """Read the index of a data set; it is made if it is not there.

    Parameters
    ----------
    bids_dir : Path
        Root of the data set.
    database_dir : Path
        Folder of the index.
    reset : bool, optional
        Make it anew.

    Raises
    ------
    UsageError
        If the folder cannot be used, or holds the index of something else.
    """
    from bids import BIDSLayout, BIDSLayoutIndexer  # noqa: PLC0415 - takes seconds

    root = bids_dir.resolve()
    indexer = BIDSLayoutIndexer(validate=False, index_metadata=False, ignore=[_IGNORED])
    try:
        layout = BIDSLayout(
            root, validate=False, database_path=database_dir, reset_database=reset or not has_index(database_dir),
            indexer=indexer,
        )  # fmt: skip
        paths = [Path(path) for path in layout.get_files()]
    except Exception as error:
        # pybids and the library of its database raise errors of many kinds.
        raise UsageError(
            f"The index in {database_dir} cannot be used: {error}. An index of {bids_dir} by pybids is expected, in a "
            "folder that can be written to. Make it again with --reset-database."
        ) from error
    if paths and not any(path.is_relative_to(root) for path in paths):
        raise UsageError(
            f"The index in {database_dir} is that of another folder: it lists {paths[0]}, the data set is {root}. "
            "Make it again with --reset-database, or give another folder."
        )
    files: dict[str, list[Path]] = defaultdict(list)
    for path in sorted(path for path in paths if path.is_relative_to(root)):
        steps = path.relative_to(root).parts
        if steps[0].startswith("sub-") and len(steps) > 1:
            found = files[steps[0][4:]]
            if _is_image(steps):
                # As a listing would give it: links on the way to the data set are not resolved.
                found.append(bids_dir.joinpath(*steps))
    return FileIndex({label: tuple(found) for label, found in files.items()})


def _is_image(steps: tuple[str, ...]) -> bool:
    """Return whether a path is ``sub-*/[ses-*/]{anat,dwi,func}/*.nii[.gz]``."""
    depth_is_right = len(steps) == 3 or (len(steps) == 4 and steps[1].startswith("ses-"))
    return depth_is_right and steps[-2] in DATATYPES and steps[-1].endswith((".nii", ".nii.gz"))
