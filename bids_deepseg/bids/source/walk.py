"""List the image files of a data set and take their names apart with pybids.

pybids parses names only, one of each form (the same keys and suffix): its index of a data set takes seconds per
thousand participants, a listing milliseconds. It is imported when a run begins (0.5 s), never at import of this module.
"""

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bids_deepseg.bids.naming import ENTITIES, BidsName, parse_name
from bids_deepseg.bids.source.folders import ANATOMICAL, USUAL_FOLDERS
from bids_deepseg.errors import DatasetError
from bids_deepseg.files.names import is_link, printable, why_no_folder

#: Ends of the names of images.
ENDINGS = (".nii", ".nii.gz")

#: Names of images in another spelling, compression or format, or of copies of them.
_IMAGE_NAME = re.compile(r"\.(nii|img|mgz|mnc|nrrd)(\b|_|$)", re.IGNORECASE)

#: What is said about a folder whose name is almost right.
_SPELLING = "BIDS calls it {}-<label>, in lower case and with a hyphen."

_LABEL = re.compile("[a-zA-Z0-9+]+")

#: Parts of complex data that are no magnitude image.
_OTHER_PARTS = ("phase", "imag", "real")

#: What pybids finds in a path beside entities.
_NO_ENTITIES = frozenset({"suffix", "datatype", "extension", "fmap", "scans"})

#: Maps a name and its datatype to entities by long names.
NameParser = Callable[[BidsName, str], dict[str, str]]


@dataclass(frozen=True, slots=True)
class FoundFile:
    """An image file by its name.

    Attributes
    ----------
    path : Path
        The file.
    datatype : str
        Its folder: anat, dwi or func.
    suffix : str
        Last part of its name, empty when the name cannot be taken apart.
    entities : mapping of str to str
        Long names and values; empty when the file is refused.
    refusal : str or None
        Why it is not segmented, whatever the selection.
    """

    path: Path
    datatype: str
    suffix: str
    entities: Mapping[str, str]
    refusal: str | None = None


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


def look_at_files(paths: Iterable[Path], bids_dir: Path, parse: NameParser) -> Iterator[FoundFile]:
    """Take the names of image files apart, and pass over other files.

    A name present compressed and uncompressed is taken once.

    Parameters
    ----------
    paths : iterable of Path
        Files in the folders of images.
    bids_dir : Path
        Root of the data set.
    parse : callable
        From :func:`name_parser`.
    """
    every = {path for path in paths if is_image_name(path.name)}
    for path in sorted(every):
        found = _look_at(path, path.parent.name, bids_dir, parse)
        if found.refusal is None and path.with_name(f"{path.name}.gz") in every:
            reason = f"{path.name}.gz exists beside it and is used. Remove one of the two."
            found = FoundFile(path, found.datatype, "", {}, reason)
        yield found


def name_parser() -> NameParser:
    """Return a function that maps a name to its entities by pybids' long names."""
    from bids.layout import Config, parse_file_entities  # noqa: PLC0415 - takes 0.5 s, needed for real runs only

    config = Config.load("bids")

    @cache
    def long_names(keys: tuple[str, ...], ending: str, datatype: str) -> tuple[str, ...]:
        # The values are numbers that tell the keys apart; what pybids does not know is taken as it is in the name.
        form = "_".join(f"{key}-{number}" for number, key in enumerate(keys, 1))
        found = parse_file_entities(f"/sub-1/{datatype}/{form}_{ending}", config=[config])
        by_number = {str(value): name for name, value in found.items() if name not in _NO_ENTITIES}
        return tuple(ENTITIES.get(key) or by_number.get(str(number), key) for number, key in enumerate(keys, 1))

    def parse(name: BidsName, datatype: str) -> dict[str, str]:
        names = long_names(tuple(name.entities), name.suffix + name.extension, datatype)
        return dict(zip(names, name.entities.values(), strict=True))

    return parse


def _list(folder: Path) -> list[str]:
    """Return the names in a folder, sorted."""
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries)


def _list_root(bids_dir: Path) -> list[str]:
    """Return the names in the root folder of a data set.

    Raises
    ------
    DatasetError
        If it cannot be listed, or is that of no data set.
    """
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


def is_image_name(name: str) -> bool:
    """Return whether a name is that of an image, in whichever spelling or format; hidden files are none."""
    return not name.startswith(".") and _IMAGE_NAME.search(name) is not None


def _look_at(path: Path, datatype: str, bids_dir: Path, parse: NameParser) -> FoundFile:
    """Take one name apart, and refuse what cannot be segmented whatever the selection."""
    name = parse_name(path.name)
    suffix = name.suffix if name else ""
    refusal = _refuse_ending(path.name) or _refuse_name(path, name, bids_dir)
    if refusal or name is None:
        return FoundFile(path, datatype, suffix, {}, refusal)
    if (suffix == "dwi" and datatype != "dwi") or (datatype == "dwi" and suffix in ANATOMICAL):
        return FoundFile(path, datatype, suffix, {}, f"A {suffix} image does not belong in {datatype}/. Move it.")
    entities = parse(name, datatype)
    part = entities.get("part")
    refusal = (
        f"It is the {part} part of complex data; only magnitude images are segmented." if part in _OTHER_PARTS else None
    )
    return FoundFile(path, datatype, suffix, entities, refusal)


def _refuse_ending(name: str) -> str | None:
    """Say what is wrong with the end of the name of an image."""
    if not name.endswith(ENDINGS):
        if name.lower().endswith(ENDINGS):
            return "BIDS writes .nii and .nii.gz in lower case. Rename it."
        return "Images end with .nii or .nii.gz. Convert or rename it, or move it away if it is left over."
    extra = name.removesuffix(".gz").removesuffix(".nii").partition(".")[1:]
    if any(extra):
        return (
            f"Its name has {printable(''.join(extra))!r} before the ending; a BIDS name has no other dot. Rename "
            "it, or move it away if it is a copy."
        )
    return None


def _refuse_name(path: Path, name: BidsName | None, bids_dir: Path) -> str | None:
    """Say what is wrong with the name of an image, or how it disagrees with its folder."""
    if name is None:
        return "Its name is not of the form sub-<label>_..._<suffix>.nii.gz. Rename it."
    folders = dict(part.split("-", 1) for part in path.relative_to(bids_dir).parts[:-2])
    odd = next((key for key in ("sub", "ses") if name.entities.get(key) != folders.get(key)), None)
    return odd and f"Its name and its folder disagree on {odd}-. Rename or move it."
