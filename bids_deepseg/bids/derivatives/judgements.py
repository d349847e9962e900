"""Read what a person thinks of the results, and write lists of it.

The page of the group level saves ``qc_judgements.tsv``. ``qc_fail.yml`` and ``qc_artifact.yml`` are what the quality
control of the Spinal Cord Toolbox saves and its manual-correction scripts read: YAML with ``FILES_SEG`` and the like as
keys, and below each a list of images.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from bids_deepseg.errors import UsageError
from bids_deepseg.files.structured import format_yaml, read_table, read_yaml
from bids_deepseg.files.tables import MISSING
from bids_deepseg.files.text import TextError

#: Name of the table.
JUDGEMENTS = "qc_judgements.tsv"

#: What a person may say about an image.
MARKS = ("pass", "fail", "artifact")

#: Columns: the first one must be there.
COLUMNS = ("image", "mark", "rank", "comment")

_RANK = re.compile("[0-9]")

_NOTHING = ("", MISSING)

#: Key of the images whose mask of the cord is meant.
CORD_KEY = "FILES_SEG"

#: A list without entries, as YAML may write it.
_EMPTY = ("", "~", "null")

_FORM = f"A key such as {CORD_KEY} is expected, and below it one image per line after '- '."

#: Marks and the files that give them; the first counts where an image is in both.
LISTS: Mapping[str, str] = {"fail": "qc_fail.yml", "artifact": "qc_artifact.yml"}

#: What stands at the beginning of each list that the app writes: others write lists of the same form.
LIST_MARKS = (b"# Written by bids_deepseg",)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a person thinks of an image.

    Attributes
    ----------
    mark : {"", "pass", "fail", "artifact"}
        Empty if there is none.
    rank : int or None
        From 0 to 9, None if there is none.
    comment : str
        Empty if there is none.
    """

    mark: str = ""
    rank: int | None = None
    comment: str = ""


def read_judgements(folder: Path) -> dict[str, Judgement]:
    """Read the table of a folder.

    Parameters
    ----------
    folder : Path
        Where ``qc_judgements.tsv`` may stand.

    Returns
    -------
    dict of str to Judgement
        By image as in the table of the group level: the path relative to its data set, and the volume if it is one.
        Where an image has several rows, the last one counts. Empty if there is no table.

    Raises
    ------
    UsageError
        If the table cannot be read, has no column ``image``, or holds another mark or rank.
    """
    path = folder / JUDGEMENTS
    try:
        table = read_table(path)
    except FileNotFoundError:
        return {}
    except (OSError, TextError) as error:
        raise UsageError(
            f"The judgements {path} cannot be read: {error}. A table of tab-separated values is expected, UTF-8."
        ) from error
    if COLUMNS[0] not in table.columns:
        raise UsageError(f"{path} has no column {COLUMNS[0]}. The columns {', '.join(COLUMNS)} are expected.")
    return {row["image"]: _judgement(path, row) for row in table.rows if row.get("image", "") not in _NOTHING}


def _judgement(path: Path, row: Mapping[str, str]) -> Judgement:
    """Return what a row says."""
    mark, rank, comment = ("" if (cell := row.get(name, "")) in _NOTHING else cell for name in COLUMNS[1:])
    if mark and mark not in MARKS:
        raise UsageError(
            f"{path} has the mark {mark[:40]!r} for {row['image'][:200]!r}; {', '.join(MARKS)} or {MISSING} is "
            "expected."
        )
    if rank and not _RANK.fullmatch(rank):
        raise UsageError(
            f"{path} has the rank {rank[:40]!r} for {row['image'][:200]!r}; a number from 0 to 9 or {MISSING} is "
            "expected."
        )
    return Judgement(mark, int(rank) if rank else None, comment)


def read_review(folder: Path) -> dict[str, str]:
    """Read the lists of a folder.

    Parameters
    ----------
    folder : Path
        Where ``qc_fail.yml`` and ``qc_artifact.yml`` may stand.

    Returns
    -------
    dict of str to str
        ``fail`` or ``artifact`` for each image that is listed below ``FILES_SEG``, by its name without folder and
        extension.

    Raises
    ------
    UsageError
        If a file cannot be read, or has another form.
    """
    marks: dict[str, str] = {}
    for mark, name in reversed(tuple(LISTS.items())):
        path = folder / name
        if path.is_file():
            marks |= {image_name(entry): mark for entry in read_list(path).get(CORD_KEY, ())}
    return marks


def read_list(path: Path) -> dict[str, tuple[str, ...]]:
    """Read one file: the entries below each key; errors as for :func:`read_review`."""
    try:
        content = read_yaml(path)
    except (OSError, TextError) as error:
        raise UsageError(f"The list {path} cannot be read: {error}. YAML is expected, UTF-8.") from error
    if not isinstance(content or {}, dict):
        raise UsageError(f"{path} holds {_short(content)}. {_FORM}")
    found: dict[str, tuple[str, ...]] = {}
    for key, entries in (content or {}).items():
        listed = [] if entries in _EMPTY else entries
        if not isinstance(listed, list) or not all(isinstance(entry, str) and entry.strip() for entry in listed):
            raise UsageError(f"{path} has {_short(entries)} for {_short(key)}. {_FORM}")
        found[key] = tuple(entry.strip() for entry in listed)
    return found


def format_list(images: Iterable[str]) -> bytes:
    """Return the bytes of a file of ours that lists images below ``FILES_SEG``, each once, sorted."""
    return LIST_MARKS[0] + b" (group level)\n" + format_yaml({CORD_KEY: sorted(set(images))})


def image_name(entry: str) -> str:
    """Return the name of an image without folder and extension, by which entries are compared."""
    return PurePosixPath(entry.replace("\\", "/")).name.partition(".")[0]


def _short(value: object) -> str:
    """Write a value so that it fits into a message."""
    return repr(value)[:80]
