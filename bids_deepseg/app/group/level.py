"""Write the tables and the page of the group level, from the output folder alone."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bids_deepseg import __version__
from bids_deepseg.app.group.page import LEVELS_NAME, PAGE_NAME, PAIRS_NAME, TABLE_NAME, describe_group
from bids_deepseg.app.group.sources import PARTICIPANTS_PLACES, GroupSources, read_group_sources, write_lists
from bids_deepseg.app.group.statistics import find_repetitions
from bids_deepseg.app.group.structures import structure_tables
from bids_deepseg.app.group.table import level_table, morph_table, repetition_table
from bids_deepseg.bids.derivatives.failures import DamagedRecord
from bids_deepseg.bids.derivatives.layout import place
from bids_deepseg.bids.derivatives.ownership import own_marks
from bids_deepseg.bids.derivatives.saved import DamagedResult
from bids_deepseg.errors import DatasetError
from bids_deepseg.files.names import as_utf8
from bids_deepseg.files.own import remove_own, write_own
from bids_deepseg.report.group import render_group
from bids_deepseg.report.seal import PAGE_MARKS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GroupOutcome:
    """What the group level found: the number of rows of its table, and what could not be used."""

    n_rows: int
    damaged: tuple[DamagedResult, ...]
    damaged_records: tuple[DamagedRecord, ...]


def write_group(output_dir: Path, without_images: Mapping[str, str] | None = None) -> GroupOutcome:
    """Write ``group_label-SC_morph.tsv``, the other tables that have rows, and ``group.html``.

    Files that are there already with the same content stay as they are.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set, the only folder that is read.
    without_images : mapping of str to str, optional
        Participants without a usable image in this run, and what was found; the logs do not have it yet.

    Returns
    -------
    GroupOutcome
        Number of images in the table, and the results that could not be used: one that is damaged costs itself only.

    Raises
    ------
    DatasetError
        If there is no result of the participant level.
    OutputError
        If something stands in the place of a file that is not ours, or a file cannot be written.
    """
    sources = read_group_sources(output_dir, without_images or {})
    if not sources.results and not sources.damaged:
        raise DatasetError(
            f"{output_dir} holds no result of the participant level. Run it first: run.py bids_dir output_dir "
            "participant"
        )
    if not sources.participant_columns:
        logger.info(
            "No participants.tsv of the source is joined: there is none with columns in %s.",
            " or ".join(PARTICIPANTS_PLACES),
        )
    _write_table(place(output_dir, TABLE_NAME), morph_table(sources))
    pairs = find_repetitions(sources.results)
    others = {
        LEVELS_NAME: level_table(sources.results),
        PAIRS_NAME: repetition_table(pairs) if pairs else None,
        **structure_tables(sources.results),
    }
    for name, table in others.items():
        if table is None:
            _remove_table(place(output_dir, name))
        else:
            _write_table(place(output_dir, name), table)
    page = render_group(describe_group(output_dir, sources), version=__version__)
    write_own(place(output_dir, PAGE_NAME), as_utf8(page), PAGE_MARKS)
    # Last: a list of somebody else in the place of ours is an error, and costs nothing but our list.
    _write_review(output_dir / "logs", sources)
    n_rows = len(sources.results) + len(sources.failures) + len(sources.damaged)
    return GroupOutcome(n_rows, sources.damaged, sources.damaged_records)


def _write_review(folder: Path, sources: GroupSources) -> None:
    """Write the lists of images to correct: those without usable result, and those that a person marked."""
    wrong = [result.source for result in sources.results if result.verdict == "fail"]
    failed = [failure.source for failure in sources.failures]
    marks = {
        image: sources.review.of(image).mark for image in [*(result.source for result in sources.results), *failed]
    }
    write_lists(folder, wrong, failed, marks)


def _write_table(path: Path, content: tuple[bytes, bytes]) -> None:
    """Write a table and its description, unless somebody else's file stands there."""
    for each, text in zip((path, path.with_suffix(".json")), content, strict=True):
        write_own(each, text, own_marks(each.name))


def _remove_table(path: Path) -> None:
    """Remove a table of an earlier run and its description."""
    for each in (path, path.with_suffix(".json")):
        remove_own(each, own_marks(each.name))
