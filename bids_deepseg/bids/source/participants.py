"""Read what the source data set says about its participants, to add it to the results.

Columns with dates are left out: the results never contain the date of a scan or a birth, even if the source does.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bids_deepseg.bids.source.inheritance import read_json
from bids_deepseg.files.facts import Facts, mapping_of, text_mapping_of, text_of
from bids_deepseg.files.names import shorten
from bids_deepseg.files.tables import MISSING, read_foreign_table
from bids_deepseg.files.text import warn_once

_ID = "participant_id"

#: Columns of ``participants.tsv`` of the results that are not from the source.
OWN_COLUMNS = (_ID, "n_images", "n_failed", "qc")

_DATE_NAME = re.compile(r"(^|_)(date|birth|birthday|birthdate|dob|acq_?time|scan_?time|datetime)(_|$)", re.IGNORECASE)

_DATE_VALUE = re.compile(
    r"\d{4}-\d{1,2}(-\d{1,2}.*)?|\d{1,4}[./]\d{1,2}[./]\d{1,4}.*|(19|20)\d{2}(0\d|1[0-2])([0-2]\d|3[01])"
)

#: Keys of a column's description that BIDS knows and whose values are texts.
_DESCRIPTION_KEYS = ("LongName", "Description", "Units", "TermURL")

#: Participants whose rows are named as doubtful.
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True)
class Participants:
    """What a ``participants.tsv`` says, whoever wrote it.

    Attributes
    ----------
    columns : mapping of str to mapping of str to object
        Names of the columns, without ``participant_id``, and their descriptions as far as they were read.
    rows : mapping of str to mapping of str to str
        Rows by ``participant_id``, with ``sub-`` in front also where the file leaves it out.
    """

    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def value(self, participant: str, column: str) -> str:
        """Return a value, ``n/a`` if it is not known."""
        return self.rows.get(participant, {}).get(column, "") or MISSING


def read_source_participants(bids_dir: Path) -> Participants:
    """Read ``participants.tsv`` and ``participants.json`` of a data set; a missing table has no columns."""
    table = read_participants(bids_dir / "participants.tsv")
    if table is None:
        return Participants()
    stated = read_json(bids_dir / "participants.json")
    columns = {
        name: _description(name, mapping_of(stated, name))
        for name in table.columns
        if not _is_date(name, [row.get(name, "") for row in table.rows.values()])
    }
    return Participants(columns, table.rows)


def read_participants(path: Path) -> Participants | None:
    """Read a ``participants.tsv``.

    Returns
    -------
    Participants or None
        None if there is no such file. One that cannot be read, or has no column ``participant_id``, has no columns and
        no rows, and is named in a warning.
    """
    table = read_foreign_table(path)
    if table is None:
        return Participants() if path.exists() or path.is_symlink() else None
    if _ID not in table.columns:
        warn_once(f"{path} has no column {_ID}, so it was not used. Give the column of the participants that name.")
        return Participants()
    named = [(row[_ID], row) for row in table.rows if row.get(_ID, MISSING) not in ("", MISSING)]
    participants = [(name if name.startswith("sub-") else f"sub-{name}", row) for name, row in named]
    twice = [name for name, count in Counter(name for name, _ in participants).items() if count > 1]
    if twice:
        warn_once(f"{path} has several rows for {shorten(twice, _MOST_NAMED)}. One is expected; the last one was used.")
    return Participants({name: {} for name in table.columns if name and name != _ID}, dict(participants))


def _is_date(name: str, values: list[str]) -> bool:
    """Return whether a column holds dates, by its name or by a value."""
    return bool(_DATE_NAME.search(name)) or any(_DATE_VALUE.fullmatch(value.strip()) for value in values)


def _description(name: str, stated: Facts) -> dict[str, Any]:
    """Return the description of a column, as far as the source gives a valid one."""
    texts = {key: text for key in _DESCRIPTION_KEYS if (text := text_of(stated, key))}
    # A level is described by a text, or by an object of texts (Description, TermURL).
    levels = mapping_of(stated, "Levels")
    valid = {level: text_of(levels, level) or text_mapping_of(levels, level) for level in levels}
    kept = {level: value for level, value in valid.items() if value}
    return (
        {"Description": f"Column {name} of participants.tsv of the source"} | texts | ({"Levels": kept} if kept else {})
    )
