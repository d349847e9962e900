"""Make the tables of the group level about structures inside the cord: one table per task, one row per image."""

from collections.abc import Mapping, Sequence

import numpy as np

from bids_deepseg.app.group.table import FIRST_COLUMNS, PLACE_COLUMNS, described_table, place_of, position
from bids_deepseg.bids.derivatives.saved import SavedResult
from bids_deepseg.files.tables import MISSING, format_number
from bids_deepseg.structures.tasks import TASKS, Task


def table_name(task: Task) -> str:
    """Return the name of the table of a task."""
    return f"group_label-{task.label}_morph.tsv"


def structure_tables(results: Sequence[SavedResult]) -> dict[str, tuple[bytes, bytes] | None]:
    """Return the table of each task and its description, by name; None for a task that no image has."""
    tables: dict[str, tuple[bytes, bytes] | None] = {}
    for task in TASKS.values():
        rows = [_row(result, task) for result in results if result.task is task and result.structure_mask is not None]
        title = f"Size of the {task.noun} inside the spinal cord, one row per image"
        table = described_table(title, _columns(task), sorted(rows, key=position))
        tables[table_name(task)] = table if rows else None
    return tables


def _columns(task: Task) -> dict[str, Mapping[str, object]]:
    """Return the columns in their order, with their descriptions."""
    noun = task.noun
    return {
        **{name: FIRST_COLUMNS[name] for name in PLACE_COLUMNS},
        "verdict": {**FIRST_COLUMNS["verdict"], "Description": f"Judgement of the {noun}, given the cord"},
        "verdict_image": {**FIRST_COLUMNS["verdict"], "Description": "Judgement of the whole result, cord included"},
        "reasons": {"Description": f"Doubts about the {noun}"},
        "n_slices": {"Description": f"Number of slices with {noun}"},
        "volume_mm3": {"Description": f"Volume of the mask of the {noun}", "Units": "mm^3"},
        **({"objects": {"Description": "Number of separate objects"}} if task.counted else {}),
        **{
            f"area_{name}_mm2": {
                "Description": f"{name.capitalize()} of the area of the {noun} over the slices with {noun}, "
                "perpendicular to the course of the cord",
                "Units": "mm^2",
            }
            for name in ("mean", "median")
        },
        "cord_fraction_mean": {
            "Description": f"Mean over these slices of the part of the cord's area that is {noun}",
            "Units": "1",
        },
    }


def _row(result: SavedResult, task: Task) -> dict[str, str]:
    """Return the row of one image."""
    stated = result.structure()
    messages = [one.message for one in (stated.reasons if stated else ()) if one.severity != "info"]
    table = result.structure_morph()
    area, fraction = (table.get(name, np.empty(0)) for name in ("area_mm2", "cord_fraction"))
    present = np.isfinite(area) & (area > 0)
    row = place_of(result) | {
        "verdict": (stated and stated.verdict) or MISSING,
        "verdict_image": result.verdict,
        "reasons": " ".join(messages) or MISSING,
        "n_slices": str(int(present.sum())),
    }
    if stated is not None and stated.volume_mm3 is not None:
        row["volume_mm3"] = format_number(stated.volume_mm3, 4)
    if task.counted and stated is not None and stated.n_objects is not None:
        row["objects"] = str(stated.n_objects)
    if present.any():
        row["area_mean_mm2"] = format_number(float(area[present].mean()), 4)
        row["area_median_mm2"] = format_number(float(np.median(area[present])), 4)
        row["cord_fraction_mean"] = format_number(float(fraction[present].mean()), 4)
    return row
