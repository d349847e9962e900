"""Make the tables of the group level: one row per image, and one per pair of repeated images.

Mean, median and standard deviation (of the sample) are those over the slices with a mask.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.app.group.sources import GroupSources, kind_of, session_of
from bids_deepseg.app.group.statistics import (
    LEAST_IMAGES,
    OUTLIER_SCORE,
    Reference,
    find_references,
    is_outlier,
)
from bids_deepseg.bids.derivatives.failures import FailureRecord
from bids_deepseg.bids.derivatives.judgements import Judgement
from bids_deepseg.bids.derivatives.saved import DamagedResult, SavedResult
from bids_deepseg.bids.source.vertebrae import LEVEL_COLUMN, LEVEL_DESCRIPTION, LEVEL_NAMES
from bids_deepseg.errors import DamagedResultError
from bids_deepseg.files.tables import MISSING, format_json, format_number, format_table
from bids_deepseg.report.group_facts import Pair

_MEASURES = {
    "area_mm2": "cross-sectional area of the cord, perpendicular to its course",
    "diameter_ap_mm": "anterior-posterior diameter of the cord",
    "diameter_rl_mm": "right-left diameter of the cord",
}

_STATISTICS = {"mean": "Mean", "median": "Median", "sd": "Standard deviation of the sample"}

#: Columns that begin every table of images, with their descriptions.
FIRST_COLUMNS: Mapping[str, Mapping[str, object]] = {
    "participant_id": {"Description": "Participant"},
    "session": {"Description": "Session; n/a if there is none"},
    "image": {"Description": "Source image relative to its data set"},
    "desc": {"Description": "Kind of image: value of the entity desc in the name of the result"},
    "verdict": {
        "Description": "Judgement of the result",
        "Levels": {
            "pass": "No check found a problem",
            "warn": "To be looked at",
            "fail": "Not to be used without correction",
            "n/a": "There is no result",
        },
    },
    "reasons": {"Description": "Doubts about the result, or why there is none"},
    "n_slices": {"Description": "Number of slices with a mask"},
    "manual": {"Description": "Whether the mask was drawn by hand", "Levels": {"yes": "A person", "no": "The app"}},
    "review": {
        "Description": "How a reviewer marked the image in sourcedata/qc_judgements.tsv, sourcedata/qc_fail.yml and "
        "sourcedata/qc_artifact.yml",
        "Levels": {
            "pass": "The mask is right",
            "fail": "The mask is wrong",
            "artifact": "The image is not usable",
            "n/a": "It is not marked",
        },
    },
    "review_rank": {"Description": "Rank from 0 to 9 that a reviewer gave the image in sourcedata/qc_judgements.tsv"},
    "review_comment": {"Description": "Comment of a reviewer in sourcedata/qc_judgements.tsv"},
}

#: Columns that say which image a row of another table is about.
PLACE_COLUMNS = ("participant_id", "session", "image", "desc", "verdict")

_LAST_COLUMNS: Mapping[str, Mapping[str, object]] = {
    "area_z_robust": {
        "Description": "Robust z-score of the mean area within images of the same desc: difference from the median, "
        "divided by the median absolute deviation / 0.6745 (where that is 0, by the mean absolute deviation / 0.7979). "
        f"Results with the verdict fail do not count for the median; n/a for fewer than {LEAST_IMAGES} images"
    },
    "area_outlier": {
        "Description": "Whether the mean area is an outlier",
        "Levels": {
            "yes": f"The robust z-score is {OUTLIER_SCORE} or more, or {-OUTLIER_SCORE} or less",
            "no": "The robust z-score lies between",
            "n/a": "There is no robust z-score",
        },
    },
}

_PAIR_COLUMNS: Mapping[str, Mapping[str, object]] = {
    "participant_id": {"Description": "Participant"},
    "desc": {"Description": "Kind of image: value of the entity desc in the name of the results"},
    "between": {"Description": "What differs", "Levels": {"run": "Run of one session", "session": "Session"}},
    "image_1": {"Description": "First source image relative to its data set"},
    "image_2": {"Description": "Second source image relative to its data set"},
    "area_1_mm2": {"Description": "Mean area in the first image", "Units": "mm^2"},
    "area_2_mm2": {"Description": "Mean area in the second image", "Units": "mm^2"},
    "difference_percent": {
        "Description": "Difference of the second area from the first, in percent of their mean",
        "Units": "percent",
    },
}


def morph_table(sources: GroupSources) -> tuple[bytes, bytes]:
    """Return the table of all images and its description."""
    references = find_references(sources.results)
    rows = [_row_of_result(result, references[result.description]) for result in sources.results]
    rows += [_row_of_failure(failure) for failure in sources.failures]
    rows += [_row_of_damaged(damaged) for damaged in sources.damaged]
    own = _columns()
    joined = {name: name if name not in own else f"source_{name}" for name in sources.participant_columns}
    for row in rows:
        row.update(_row_of_review(sources.review.of(row["image"])))
        person = sources.participants.get(row["participant_id"], {})
        row.update({joined[name]: person.get(name, MISSING) for name in sources.participant_columns})
    columns: dict[str, Mapping[str, object]] = own | {
        column: {"Description": f"Column {name} of participants.tsv of the source"} for name, column in joined.items()
    }
    title = "Shape of the spinal cord in every image, one row per image"
    return described_table(title, columns, sorted(rows, key=position))


def level_table(results: Sequence[SavedResult]) -> tuple[bytes, bytes] | None:
    """Return the table of the measures per vertebral level and its description; None if no image has levels."""
    columns: dict[str, Mapping[str, object]] = {
        **{name: FIRST_COLUMNS[name] for name in PLACE_COLUMNS},
        LEVEL_COLUMN: {"Description": LEVEL_DESCRIPTION["Description"], "Levels": LEVEL_DESCRIPTION["Levels"]},
        "level_name": {"Description": "Name of the level"},
        "n_slices": {"Description": "Number of slices of the level with a mask"},
        **_measure_columns(),
    }
    rows = [row for result in results for row in _rows_of_levels(result)]
    if not rows:
        return None
    rows.sort(key=lambda row: (*position(row), int(row[LEVEL_COLUMN])))
    title = "Shape of the spinal cord per vertebral level, one row per image and level"
    return described_table(title, columns, rows)


def repetition_table(pairs: Sequence[Pair]) -> tuple[bytes, bytes]:
    """Return the table of repeated images and its description."""
    rows = [
        {
            "participant_id": f"sub-{pair.subject}",
            "desc": pair.kind,
            "between": pair.between,
            "image_1": pair.first,
            "image_2": pair.second,
            "area_1_mm2": format_number(pair.first_mm2, 4),
            "area_2_mm2": format_number(pair.second_mm2, 4),
            "difference_percent": format_number(pair.percent, 2),
        }
        for pair in pairs
    ]
    return described_table("Mean areas in repeated images, one row per pair of runs or sessions", _PAIR_COLUMNS, rows)


def described_table(
    title: str, columns: Mapping[str, Mapping[str, object]], rows: Iterable[Mapping[str, str]]
) -> tuple[bytes, bytes]:
    """Return a table of rows by column, ``n/a`` for what they lack, and the description of the table."""
    cells = [[row.get(name, MISSING) for name in columns] for row in rows]
    return format_table(list(columns), cells), format_json({"Description": title, **columns})


def reasons_of(result: SavedResult) -> str:
    """Return what speaks against a result, in one line."""
    # That a result is another method's belongs in the table, with any severity.
    shown = (one for one in result.reasons if one.severity != "info" or one.code == "rescued")
    return " ".join(one.message for one in shown)


def _columns() -> dict[str, Mapping[str, object]]:
    """Return the columns in their order, with their descriptions."""
    return {**FIRST_COLUMNS, **_measure_columns(), **_LAST_COLUMNS}


def _measure_columns() -> dict[str, Mapping[str, object]]:
    """Return the columns of the measures."""
    return {
        _column_name(measure, statistic): {"Description": f"{word} of the {text}", "Units": _unit(measure)}
        for measure, text in _MEASURES.items()
        for statistic, word in _STATISTICS.items()
    }


def _column_name(measure: str, statistic: str) -> str:
    """Put the statistic in front of the unit: ``area_mean_mm2``."""
    name, _, unit = measure.rpartition("_")
    return f"{name}_{statistic}_{unit}"


def _unit(measure: str) -> str:
    """Return the unit of a measure as BIDS writes it."""
    return {"mm2": "mm^2"}.get(measure.rpartition("_")[2], "mm")


def position(row: Mapping[str, str]) -> tuple[str, str]:
    """Return the key by which rows are sorted."""
    return row["participant_id"], row["image"]


def _row_of_result(result: SavedResult, reference: Reference) -> dict[str, str]:
    """Return the row of an image with a mask."""
    score = reference.score(result.csa_mean)
    row = place_of(result) | {
        "reasons": reasons_of(result),
        "n_slices": str(result.n_slices),
        "manual": "yes" if result.facts.manual else "no",
        "area_mean_mm2": format_number(result.csa_mean, 4),
        "area_z_robust": format_number(score, 2),
        "area_outlier": ("yes" if is_outlier(score) else "no") if math.isfinite(score) else MISSING,
    }
    return row | _statistics(result.morph())


def _rows_of_levels(result: SavedResult) -> list[dict[str, str]]:
    """Return a row for each vertebral level of which an image has slices with a mask."""
    table = result.morph()
    levels = table.get(LEVEL_COLUMN, np.empty(0))
    with_mask = np.isfinite(table.get("area_mm2", np.empty(0)))
    rows = []
    for level in np.unique(levels[np.isfinite(levels)]).astype(int):
        chosen = (levels == level) & with_mask
        if chosen.any():
            row = {name: text for name, text in place_of(result).items() if name in PLACE_COLUMNS}
            row |= {LEVEL_COLUMN: str(level), "level_name": LEVEL_NAMES[level - 1], "n_slices": str(chosen.sum())}
            rows.append(row | _statistics({name: values[chosen] for name, values in table.items()}))
    return rows


def place_of(result: SavedResult) -> dict[str, str]:
    """Return which image a row is about, and its verdict."""
    return {
        "participant_id": f"sub-{result.subject}",
        "session": f"ses-{result.session}" if result.session else MISSING,
        "image": result.source,
        "desc": result.description,
        "verdict": result.verdict,
    }


def _statistics(table: Mapping[str, NDArray[np.float64]]) -> dict[str, str]:
    """Return mean, median and standard deviation of each measure over some slices."""
    row: dict[str, str] = {}
    for measure in _MEASURES:
        values = table.get(measure, np.empty(0))
        values = values[np.isfinite(values)]
        if len(values):
            row[_column_name(measure, "mean")] = format_number(float(values.mean()), 4)
            row[_column_name(measure, "median")] = format_number(float(np.median(values)), 4)
        if len(values) > 1:
            row[_column_name(measure, "sd")] = format_number(float(values.std(ddof=1)), 4)
    return row


def _row_of_review(said: Judgement) -> dict[str, str]:
    """Return what a person said about an image."""
    rank = MISSING if said.rank is None else str(said.rank)
    return {"review": said.mark or MISSING, "review_rank": rank, "review_comment": said.comment or MISSING}


def _row_of_failure(failure: FailureRecord) -> dict[str, str]:
    """Return the row of an image without result."""
    session = session_of(failure)
    return {
        "participant_id": f"sub-{failure.subject}",
        "session": f"ses-{session}" if session else MISSING,
        "image": failure.source,
        "desc": kind_of(failure) or MISSING,
        "reasons": f"{failure.status}: {failure.message}",
        "n_slices": "0",
    }


def _row_of_damaged(damaged: DamagedResult) -> dict[str, str]:
    """Return the row of an image whose result cannot be used."""
    return {
        "participant_id": f"sub-{damaged.subject}",
        "session": f"ses-{damaged.session}" if damaged.session else MISSING,
        "image": damaged.source,
        "desc": damaged.description,
        "reasons": f"{DamagedResultError.status}: {damaged.message}",
    }
