"""Collect the measures of all images in one table, from the output folder alone.

One row per image, those without result included: mean, median and standard deviation (of the sample) over the slices
with a mask.
"""

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from bids_deepseg.bids.failures import FailureRecord, read_failures
from bids_deepseg.bids.files import write_if_different
from bids_deepseg.bids.naming import parse_name
from bids_deepseg.bids.saved import SavedResult, find_saved
from bids_deepseg.bids.tables import MISSING, format_json, format_number, format_table
from bids_deepseg.errors import DatasetError

logger = logging.getLogger(__name__)

TABLE_NAME = "group_label-SC_morph.tsv"

_MEASURES = {
    "area_mm2": "cross-sectional area of the cord, perpendicular to its course",
    "diameter_ap_mm": "anterior-posterior diameter of the cord",
    "diameter_rl_mm": "right-left diameter of the cord",
}

_STATISTICS = {"mean": "Mean", "median": "Median", "sd": "Standard deviation of the sample"}

_FIRST_COLUMNS: Mapping[str, Mapping[str, object]] = {
    "participant_id": {"Description": "Participant"},
    "session": {"Description": "Session; n/a if there is none"},
    "image": {"Description": "Source image relative to its data set"},
    "verdict": {
        "Description": "Judgement of the result",
        "Levels": {
            "pass": "Nothing calls for a look",
            "warn": "To be looked at",
            "fail": "Not to be used without correction",
            "n/a": "There is no result",
        },
    },
    "reasons": {"Description": "What speaks against the result, or why there is none"},
    "n_slices": {"Description": "Number of slices with a mask"},
}


def write_group_table(output_dir: Path) -> int:
    """Write ``group_label-SC_morph.tsv`` and its description, unless they are there already.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set, the only folder that is read.

    Returns
    -------
    int
        Number of images in the table.

    Raises
    ------
    DatasetError
        If there is no result of the participant level.
    """
    results = list(find_saved(output_dir))
    if not results:
        raise DatasetError(
            f"{output_dir} holds no result of the participant level. Run it first: run.py bids_dir output_dir "
            "participant"
        )
    done = {result.source for result in results}
    failures = [failure for failure in read_failures(output_dir) if failure.source not in done]
    rows = [_row_of_result(result) for result in results] + [_row_of_failure(failure) for failure in failures]
    columns = _columns()
    table = [[row.get(name, MISSING) for name in columns] for row in sorted(rows, key=_position)]
    write_if_different(output_dir / TABLE_NAME, format_table(list(columns), table))
    sidecar = {"Description": "Shape of the spinal cord in every image, one row per image"} | columns
    write_if_different((output_dir / TABLE_NAME).with_suffix(".json"), format_json(sidecar))
    return len(rows)


def _columns() -> dict[str, Mapping[str, object]]:
    """Return the columns in their order, with their descriptions."""
    measures: dict[str, Mapping[str, object]] = {
        _column_name(measure, statistic): {"Description": f"{word} of the {text}", "Units": _unit(measure)}
        for measure, text in _MEASURES.items()
        for statistic, word in _STATISTICS.items()
    }
    return {**_FIRST_COLUMNS, **measures}


def _column_name(measure: str, statistic: str) -> str:
    """Put the statistic in front of the unit: ``area_mean_mm2``."""
    name, _, unit = measure.rpartition("_")
    return f"{name}_{statistic}_{unit}"


def _unit(measure: str) -> str:
    """Return the unit of a measure as BIDS writes it."""
    return {"mm2": "mm^2"}.get(measure.rpartition("_")[2], "mm")


def _position(row: Mapping[str, str]) -> tuple[str, str]:
    """Return the key by which rows are sorted."""
    return row["participant_id"], row["image"]


def _row_of_result(result: SavedResult) -> dict[str, str]:
    """Return the row of an image with a mask."""
    row = {
        "participant_id": f"sub-{result.subject}",
        "session": f"ses-{result.session}" if result.session else MISSING,
        "image": result.source,
        "verdict": result.verdict,
        "reasons": " ".join(reason["Message"] for reason in result.reasons if reason["Severity"] != "info"),
        "n_slices": str(result.n_slices),
    }
    table = result.morph()
    for measure in _MEASURES:
        values = table.get(measure, np.empty(0))
        values = values[np.isfinite(values)]
        if len(values):
            row[_column_name(measure, "mean")] = format_number(float(values.mean()), 4)
            row[_column_name(measure, "median")] = format_number(float(np.median(values)), 4)
        if len(values) > 1:
            row[_column_name(measure, "sd")] = format_number(float(values.std(ddof=1)), 4)
    return row


def _row_of_failure(failure: FailureRecord) -> dict[str, str]:
    """Return the row of an image without result."""
    name = parse_name(failure.source.rpartition("/")[2])
    session = name.entities.get("ses") if name else None
    return {
        "participant_id": f"sub-{failure.subject}",
        "session": f"ses-{session}" if session else MISSING,
        "image": failure.source,
        "reasons": f"{failure.status}: {failure.message}",
        "n_slices": "0",
    }
