"""List the participants of a data set, and the image files of one, from its folders or from pybids' index of it.

A listing takes milliseconds per thousand participants; pybids' index of a data set takes seconds.

The index is a database in a folder that the user names (``--bids-database-dir``), never inside the data set. It pays
off where listing folders is slow and pybids has an index already; our own listing is faster than making one. Files
added to the data set after the index was made are not in it.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bids_deepseg.bids.image import DATATYPES, USUAL_FOLDERS
from bids_deepseg.bids.source.found import FoundFile, NameParser, is_image_name, look_at_files
from bids_deepseg.errors import DatasetError, UsageError
from bids_deepseg.files.names import is_link, leads_to_file, printable, why_no_folder

#: What is said about a folder whose name is almost right.
_SPELLING = "BIDS calls it {}-<label>, in lower case and with a hyphen."

_LABEL = re.compile("[a-zA-Z0-9+]+")

#: pybids need not look into what no image of ours is in.
_IGNORED = re.compile(r"/(derivatives|sourcedata|code|stimuli|models|\.[^/]*)(/|$)")

#: File of the database in its folder, by pybids.
_DATABASE = "layout_index.sqlite"


def list_participants(bids_dir: Path) -> tuple[str, ...]:
    """Return the labels of all participants of a data set, sorted.

    A link to a folder that is not here, or a file in place of the folder, is a participant all the same:
    :func:`find_files` says what is wrong with it.

    Raises
    ------
    DatasetError
        If the folder is missing, empty, unreadable, no BIDS data set or has no participant.
    """
    names = _list_root(bids_dir)
    labels = [name[4:] for name in names if name.startswith("sub-") and _is_participant(bids_dir / name)]
    if not labels:
        odd = [name for name in names if _is_misspelt(name, "sub-")]
        hint = f" {_SPELLING.format('sub')} Rename {printable(odd[0])}." if odd else ""
        raise DatasetError(
            f"{bids_dir} has no sub-* folder. A BIDS data set with at least one participant is expected.{hint}"
        )
    return tuple(labels)


def misspelt_participants(bids_dir: Path) -> tuple[FoundFile, ...]:
    """Return the folders of a data set that would be those of participants if they were called ``sub-<label>``."""
    return tuple(
        _refused(bids_dir / name, f"{_SPELLING.format('sub')} Rename it.")
        for name in _list_root(bids_dir)
        if _is_misspelt(name, "sub-") and why_no_folder(bids_dir / name) is None
    )


def find_files(
    bids_dir: Path, subject: str, parse: NameParser, folders: tuple[str, ...] = USUAL_FOLDERS
) -> Iterator[FoundFile]:
    """List the image files of one participant, without and with sessions.

    Parameters
    ----------
    bids_dir : Path
        Root of the data set.
    subject : str
        Label.
    parse : callable
        From :func:`name_parser`.
    folders : tuple of str, optional
        Folders of images that are looked into.

    Yields
    ------
    FoundFile
        In the order of their names within each folder; a folder that cannot be looked into is one refused file.
    """
    top = bids_dir / f"sub-{subject}"
    names, refused = _look_into(top)
    if refused:
        yield refused
    yield from _find_below(top, names, bids_dir, parse, folders)
    for name in names:
        if name.startswith("ses-"):
            inner, refused = _look_into(top / name)
            if refused:
                yield refused
            yield from _find_below(top / name, inner, bids_dir, parse, folders)
        elif _is_misspelt(name, "ses-") and why_no_folder(top / name) is None:
            yield _refused(top / name, f"{_SPELLING.format('ses')} Rename it.")


def _list(folder: Path) -> list[str]:
    """Return the names in a folder, sorted."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def _list_root(bids_dir: Path) -> list[str]:
    """Return the names in the root folder of a data set."""
    mounted = "In a container, is it mounted? For example: -v /path/on/host:/bids_dataset:ro"
    try:
        names = _list(bids_dir)
    except NotADirectoryError as error:
        raise DatasetError(f"{bids_dir} is a file. The root folder of a BIDS data set is expected.") from error
    except FileNotFoundError as error:
        if is_link(bids_dir):
            raise DatasetError(f"The data set {bids_dir} is a link to no existing folder. {mounted}") from error
        raise DatasetError(f"The data set {bids_dir} does not exist. {mounted}") from error
    except OSError as error:
        raise DatasetError(f"The data set {bids_dir} cannot be listed: {error.strerror}. {mounted}") from error
    if not names:
        raise DatasetError(f"The data set {bids_dir} is empty. {mounted}")
    if "dataset_description.json" not in names:
        raise DatasetError(
            f"{bids_dir} has no dataset_description.json, so it is not a BIDS data set. Give the folder with this "
            "file and the sub-* folders."
        )
    return names


def _is_participant(path: Path) -> bool:
    """Return whether a name in the root is that of a participant: any folder, and what is in place of one."""
    if why_no_folder(path) is None:
        return True
    return _LABEL.fullmatch(path.name[4:]) is not None or (is_link(path) and not set("._") & set(path.name))


def _is_misspelt(name: str, start: str) -> bool:
    """Return whether a name begins as another one, but for upper case or ``_`` for ``-``."""
    return not name.startswith(start) and name.lower().startswith((start, f"{start[:-1]}_")) and "." not in name


def _look_into(folder: Path) -> tuple[list[str], FoundFile | None]:
    """Return the names in a folder; or none, and what is wrong with it."""
    problem = why_no_folder(folder)
    if problem is None:
        try:
            return _list(folder), None
        except OSError as error:
            problem = f"It cannot be listed: {error.strerror}. Make it readable."
    return [], _refused(folder, problem)


def _refused(path: Path, reason: str) -> FoundFile:
    """Return a folder, or a file outside the folders of images, that is not looked into."""
    return FoundFile(path, "", "", {}, reason)


def _find_below(
    folder: Path, names: list[str], bids_dir: Path, parse: NameParser, folders: tuple[str, ...]
) -> Iterator[FoundFile]:
    """List the image files in the folders of images below that of a participant or session."""
    for datatype in folders:
        if datatype in names:
            inner, refused = _look_into(folder / datatype)
            if refused:
                yield refused
            yield from look_at_files((folder / datatype / name for name in inner), bids_dir, parse)
    for name in names:
        if name not in folders and name.lower() in folders:
            yield _refused(folder / name, f"BIDS writes {name.lower()} in lower case. Rename it.")
        elif is_image_name(name):
            places = " and ".join(folders)
            yield _refused(folder / name, f"It lies beside the folders {places}, not inside one of them. Move it.")


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
