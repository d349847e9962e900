"""Read ``qc_judgements.tsv``, in which the page of the group level saves what a person thinks of each image."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bids_deepseg.errors import UsageError
from bids_deepseg.files.structured import read_table
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
