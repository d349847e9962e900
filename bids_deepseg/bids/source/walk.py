"""List the image files of a data set and take their names apart with pybids.

pybids parses names only, one of each form (the same keys and suffix): its index of a data set takes seconds per
thousand participants, a listing milliseconds. It is imported when a run begins (0.5 s), never at import of this module.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bids_deepseg.bids.naming import ENTITIES, BidsName, parse_name
from bids_deepseg.errors import DatasetError

DATATYPES = ("anat", "dwi")

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
        Its folder, anat or dwi.
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

    Raises
    ------
    DatasetError
        If the folder is missing, empty, unreadable, no BIDS data set or has no participant.
    """
    mounted = "In a container, is it mounted? For example: -v /path/on/host:/bids_dataset:ro"
    try:
        names = _list(bids_dir)
    except NotADirectoryError as error:
        raise DatasetError(f"{bids_dir} is a file. The root folder of a BIDS data set is expected.") from error
    except FileNotFoundError as error:
        raise DatasetError(f"The data set {bids_dir} does not exist. {mounted}") from error
    except OSError as error:
        raise DatasetError(f"The data set {bids_dir} cannot be listed: {error.strerror}. {mounted}") from error
    if not names:
        raise DatasetError(f"The data set {bids_dir} is empty. {mounted}")
    if "dataset_description.json" not in names:
        raise DatasetError(
            f"{bids_dir} has no dataset_description.json, so it is no BIDS data set. Give the folder that holds this "
            "file and the sub-* folders."
        )
    labels = [name[4:] for name in names if name.startswith("sub-") and (bids_dir / name).is_dir()]
    if not labels:
        raise DatasetError(
            f"{bids_dir} has no sub-* folder. A BIDS data set with at least one participant is expected."
        )
    return tuple(labels)


def find_files(bids_dir: Path, subject: str, parse: NameParser) -> Iterator[FoundFile]:
    """List the image files of one participant, without and with sessions.

    Parameters
    ----------
    bids_dir : Path
        Root of the data set.
    subject : str
        Label.
    parse : callable
        From :func:`name_parser`.

    Yields
    ------
    FoundFile
        In the order of their names within each folder; a folder that cannot be listed is one refused file.
    """
    top = bids_dir / f"sub-{subject}"
    try:
        sessions = [name for name in _list(top) if name.startswith("ses-") and (top / name).is_dir()]
        for folder in (top, *(top / session for session in sessions)):
            for datatype in DATATYPES:
                if (folder / datatype).is_dir():
                    yield from _find_in(folder / datatype, datatype, bids_dir, parse)
    except OSError as error:
        yield FoundFile(
            Path(error.filename or top), "", "", {}, f"It cannot be listed: {error.strerror}. Make it readable."
        )


def look_at_files(paths: Iterable[Path], bids_dir: Path, parse: NameParser) -> Iterator[FoundFile]:
    """Take the names of image files apart; a name present compressed and uncompressed is taken once.

    Parameters
    ----------
    paths : iterable of Path
        Image files.
    bids_dir : Path
        Root of the data set.
    parse : callable
        From :func:`name_parser`.
    """
    every = set(paths)
    for path in sorted(every):
        if path.with_name(f"{path.name}.gz") in every:
            yield _beside_compressed(path)
        else:
            yield _look_at(path, path.parent.name, bids_dir, parse)


def name_parser() -> NameParser:
    """Return a function that maps a name to its entities by pybids' long names."""
    from bids.layout import Config, parse_file_entities  # noqa: PLC0415 - takes 0.5 s, needed for real runs only

    config = Config.load("bids")

    @cache
    def long_names(keys: tuple[str, ...], ending: str, datatype: str) -> tuple[str, ...]:
        # The values are numbers that tell the keys apart; what pybids does not know is taken as it stands in the name.
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


def _find_in(folder: Path, datatype: str, bids_dir: Path, parse: NameParser) -> Iterator[FoundFile]:
    """List the image files of one folder; a name present compressed and uncompressed is taken once."""
    names = [name for name in _list(folder) if name.endswith((".nii", ".nii.gz")) and not name.startswith(".")]
    for name in names:
        path = folder / name
        if f"{name}.gz" in names:
            yield _beside_compressed(path)
        else:
            yield _look_at(path, datatype, bids_dir, parse)


def _beside_compressed(path: Path) -> FoundFile:
    """Refuse an image beside which the same one lies compressed."""
    return FoundFile(
        path, path.parent.name, "", {}, f"{path.name}.gz stands beside it and is taken. Remove one of the two."
    )


def _look_at(path: Path, datatype: str, bids_dir: Path, parse: NameParser) -> FoundFile:
    """Take one name apart, and refuse what cannot be segmented whatever the selection."""
    name = parse_name(path.name)
    if name is None:
        return FoundFile(
            path, datatype, "", {}, "Its name is not of the form sub-<label>_..._<suffix>.nii.gz. Rename it."
        )
    folders = dict(part.split("-", 1) for part in path.relative_to(bids_dir).parts[:-2])
    for key in ("sub", "ses"):
        if name.entities.get(key) != folders.get(key):
            message = f"Its name and its folder disagree on {key}-. Rename or move it."
            return FoundFile(path, datatype, name.suffix, {}, message)
    if (name.suffix == "dwi") != (datatype == "dwi"):
        return FoundFile(
            path, datatype, name.suffix, {}, f"A {name.suffix} image does not belong into {datatype}/. Move it."
        )
    entities = parse(name, datatype)
    part = entities.get("part")
    refusal = (
        f"It is the {part} part of complex data; only magnitude images are segmented." if part in _OTHER_PARTS else None
    )
    return FoundFile(path, datatype, name.suffix, entities, refusal)
