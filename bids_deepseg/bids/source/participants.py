"""Read what the source data set tells of its participants, to join it to the results.

Columns with dates are left out: a derivative data set tells no date of a scan or of a birth, whatever its source tells.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bids_deepseg.bids.source.inheritance import read_json
from bids_deepseg.files.tables import MISSING, read_rows

_ID = "participant_id"

#: Columns of ``participants.tsv`` of the results that are not from the source.
OWN_COLUMNS = (_ID, "n_images", "n_failed", "qc")

_DATE_NAME = re.compile(r"(^|_)(date|birth|birthday|birthdate|dob|acq_?time|scan_?time|datetime)(_|$)", re.IGNORECASE)

_DATE_VALUE = re.compile(
    r"\d{4}-\d{1,2}(-\d{1,2}.*)?|\d{1,4}[./]\d{1,2}[./]\d{1,4}.*|(19|20)\d{2}(0\d|1[0-2])([0-2]\d|3[01])"
)

#: Keys of a column's description that BIDS knows, with the type of their values.
_DESCRIPTION_KEYS = {"LongName": str, "Description": str, "Levels": dict, "Units": str, "TermURL": str}


@dataclass(frozen=True, slots=True)
class People:
    """Rows of the source's ``participants.tsv``.

    Attributes
    ----------
    columns : mapping of str to mapping of str to object
        Names and descriptions of the columns, without ``participant_id``.
    rows : mapping of str to mapping of str to str
        Rows by ``participant_id``.
    """

    columns: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rows: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def value(self, participant: str, column: str) -> str:
        """Return a value, ``n/a`` if it is not known."""
        return self.rows.get(participant, {}).get(column, "") or MISSING


def read_people(bids_dir: Path) -> People:
    """Read ``participants.tsv`` and ``participants.json`` of a data set; a missing table has no columns.

    Parameters
    ----------
    bids_dir : Path
        Root of the source data set.
    """
    rows = {row[_ID].strip(): row for row in read_rows(bids_dir / "participants.tsv") if row.get(_ID, "").strip()}
    names = dict.fromkeys(name.strip() for row in rows.values() for name in row)
    told = read_json(bids_dir / "participants.json")
    columns = {
        name: _description(name, told.get(name))
        for name in names
        if name and name != _ID and not _is_date(name, [row.get(name, "") for row in rows.values()])
    }
    return People(columns, rows)


def _is_date(name: str, values: list[str]) -> bool:
    """Tell whether a column holds dates, by its name or by a value."""
    return bool(_DATE_NAME.search(name)) or any(_DATE_VALUE.fullmatch(value.strip()) for value in values)


def _description(name: str, told: Any) -> dict[str, Any]:
    """Return the description of a column, as far as the source gives a valid one."""
    given = told if isinstance(told, dict) else {}
    valid = {key: given[key] for key, kind in _DESCRIPTION_KEYS.items() if isinstance(given.get(key), kind)}
    return {"Description": f"Column {name} of participants.tsv of the source"} | valid
