"""Take the names of the image files of a data set apart with pybids, and refuse what cannot be segmented by its name.

pybids parses names only, one of each form (the same keys and suffix). It is imported when a run begins (0.5 s), never
at import of this module.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bids_deepseg.bids.image import ANATOMICAL, USUAL_FOLDERS
from bids_deepseg.bids.naming import ENTITIES, BidsName, parse_name
from bids_deepseg.files.names import printable, shorten

#: Ends of the names of images.
ENDINGS = (".nii", ".nii.gz")

#: Names of images in another spelling, compression or format, or of copies of them.
_IMAGE_NAME = re.compile(r"\.(nii|img|mgz|mnc|nrrd)(\b|_|$)", re.IGNORECASE)

#: Parts of complex data that are no magnitude image.
_OTHER_PARTS = ("phase", "imag", "real")

#: What pybids finds in a path besides entities.
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


def is_image_name(name: str) -> bool:
    """Return whether a name is that of an image, in whichever spelling or format; hidden files are none."""
    return not name.startswith(".") and _IMAGE_NAME.search(name) is not None


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


def describe_found(files: Iterable[FoundFile], folders: tuple[str, ...] = USUAL_FOLDERS) -> str:
    """Say what a participant has instead of selected images, in the folders that were looked into."""
    found = [file for file in files if file.suffix or file.refusal]
    if not found:
        return f"no NIfTI image in its {' and '.join(folders)} folders"
    counts = Counter(file.suffix or "file with an unreadable name" for file in found if file.datatype)
    sessions = sorted({file.entities["session"] for file in found if "session" in file.entities})
    parts = [f"found only {', '.join(f'{n} {suffix}' for suffix, n in sorted(counts.items()))}"] if counts else []
    parts[:1] = [each + (f" in the sessions {shorten(sessions)}" if sessions else "") for each in parts[:1]]
    parts += [_refusal(file) for file in found if file.refusal][:1]
    return "; ".join(parts)


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


def _refusal(file: FoundFile) -> str:
    """Say why a file is refused; the folder of the participant, of whom the message is, needs no name."""
    is_participant = not file.datatype and file.path.name.startswith("sub-") and "." not in file.path.name
    return str(file.refusal) if is_participant else f"{printable(file.path.name)}: {file.refusal}"
