"""Keep what a person thinks of a result: in the lists that other tools read, and in a table with rank and comment."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bids_deepseg.bids.derivatives import judgements
from bids_deepseg.bids.derivatives.judgements import CORD_KEY, LISTS, image_name, read_list
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.errors import UsageError
from bids_deepseg.files.atomic import make_own_folder, output_errors, write_files, write_if_different
from bids_deepseg.files.locks import holding
from bids_deepseg.files.structured import format_yaml
from bids_deepseg.files.tables import MISSING, format_table, read_rows
from bids_deepseg.review.saving import Author, ConflictError

#: Folder below the results where the group level looks for the lists, and the table beside them.
PLACE, TABLE = "sourcedata", judgements.JUDGEMENTS

MARKS = ("", *judgements.MARKS)
RANKS = ("", *map(str, range(10)))
_COLUMNS = (*judgements.COLUMNS, "author", "date")

#: Most characters of a comment.
_MOST_COMMENT = 2000

_PATIENCE_S = 10.0
_SAVING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a person thinks of the result of an image.

    Attributes
    ----------
    mark : {"", "pass", "fail", "artifact"}
        Empty for none.
    rank : str
        0 (bad) to 9 (good), empty for none.
    comment : str
        Any text in one line.
    """

    mark: str = ""
    rank: str = ""
    comment: str = ""

    def __post_init__(self) -> None:
        if self.mark not in MARKS or self.rank not in RANKS or len(self.comment) > _MOST_COMMENT:
            raise UsageError(
                "The judgement is none of this app. Expected are pass, fail or artifact, a rank from 0 to 9, and a "
                f"comment of up to {_MOST_COMMENT} characters."
            )
        object.__setattr__(self, "comment", " ".join(self.comment.split()))


def read_judgement(image: BidsImage, output_dir: Path) -> Judgement:
    """Read what was said about an image; the table counts more than the lists, as at the group level.

    Raises
    ------
    UsageError
        If a list cannot be read.
    """
    folder = output_dir / PLACE
    row = next((row for row in reversed(_rows(folder)) if row["image"] == image.key), {})
    told = {name: "" if row.get(name, MISSING) == MISSING else row[name] for name in _COLUMNS}
    marks = [mark for mark, name in LISTS.items() if _is_listed(folder / name, image)]
    mark = told["mark"] if told["mark"] in MARKS else ""
    return Judgement(
        mark or next(iter(marks), ""), told["rank"] if told["rank"] in RANKS else "", told["comment"][:_MOST_COMMENT]
    )


def save_judgement(
    image: BidsImage, judgement: Judgement, *, output_dir: Path, expected: Judgement, author: Author
) -> None:
    """Save a judgement; what is said about other images, and below other keys of the lists, stays.

    Parameters
    ----------
    image : BidsImage
        The image.
    judgement : Judgement
        The new one.
    output_dir : Path
        Root of the results.
    expected : Judgement
        The one that was on the page.
    author : Author
        Who judges.

    Raises
    ------
    ConflictError
        If somebody else judged meanwhile.
    UsageError
        If a list there cannot be read; it is left as it is.
    OutputError
        If nothing can be written.
    """
    folder = output_dir / PLACE
    with _saving(output_dir, folder):
        found = read_judgement(image, output_dir)
        if found not in (expected, judgement):
            raise ConflictError(
                f"{image.name} was judged by somebody else, or in another window: {found.mark or 'no mark'}, rank "
                f"{found.rank or 'none'}. Load the page again to see it."
            )
        for mark, name in LISTS.items():
            _write_list(folder / name, image, listed=judgement.mark == mark)
        rows = _rows(folder)
        columns = tuple(dict.fromkeys((*_COLUMNS, *(name for row in rows for name in row))))
        rows = [row for row in rows if row["image"] != image.key]
        if judgement != Judgement():
            words = (judgement.mark, judgement.rank, judgement.comment, author.name, author.date)
            rows.append(dict(zip(_COLUMNS, (image.key, *words), strict=True)))
        rows.sort(key=lambda row: row["image"])
        table = format_table(columns, [[row.get(name) or MISSING for name in columns] for row in rows])
        write_if_different(folder / TABLE, table)


@contextmanager
def _saving(output_dir: Path, folder: Path) -> Iterator[None]:
    """Let one judgement after the other be saved."""
    with _SAVING:
        make_own_folder(output_dir, folder)
        with holding(folder, patience_s=_PATIENCE_S):
            yield


def _rows(folder: Path) -> list[dict[str, str]]:
    """Return the rows of the table, those without an image left out."""
    return [row for row in read_rows(folder / TABLE) if row.get("image")]


def _is_listed(path: Path, image: BidsImage) -> bool:
    """Return whether a list has an image."""
    return path.is_file() and image_name(image.relative_path) in map(image_name, read_list(path).get(CORD_KEY, ()))


def _write_list(path: Path, image: BidsImage, *, listed: bool) -> None:
    """Add an image to a list, or take it out."""
    content = {key: list(entries) for key, entries in read_list(path).items()} if path.is_file() else {}
    if listed == _is_listed(path, image):
        return
    entries = [each for each in content.get(CORD_KEY, []) if image_name(each) != image_name(image.relative_path)]
    content[CORD_KEY] = sorted({*entries, image.relative_path}) if listed else entries
    content = {key: entries for key, entries in content.items() if entries}
    if content:
        text = format_yaml(content)
        write_files([(path, lambda stream: stream.write(text))])
    else:
        with output_errors(path):
            path.unlink(missing_ok=True)
