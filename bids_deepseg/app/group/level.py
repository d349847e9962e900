"""Write the tables and the page of the group level, from the output folder alone."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bids_deepseg import __version__
from bids_deepseg.app.group.review import write_lists
from bids_deepseg.app.group.sources import PARTICIPANTS_PLACES, GroupSources, kind_of, read_group_sources
from bids_deepseg.app.group.statistics import (
    LEAST_IMAGES,
    OUTLIER_SCORE,
    find_references,
    find_repetitions,
    within_variation,
)
from bids_deepseg.app.group.structures import structure_tables, table_name
from bids_deepseg.app.group.table import level_table, morph_table, reasons_of, repetition_table
from bids_deepseg.bids.derivatives.failures import DamagedRecord
from bids_deepseg.bids.derivatives.layout import place
from bids_deepseg.bids.derivatives.ownership import own_marks
from bids_deepseg.bids.derivatives.saved import DamagedResult
from bids_deepseg.errors import DamagedResultError, DatasetError
from bids_deepseg.files.names import as_utf8
from bids_deepseg.files.own import remove_own, write_own
from bids_deepseg.report.group import (
    Absence,
    GroupImage,
    GroupPage,
    KindSummary,
    Pair,
    PairSummary,
    render_group,
)
from bids_deepseg.report.seal import PAGE_MARKS
from bids_deepseg.structures.tasks import TASKS

logger = logging.getLogger(__name__)

TABLE_NAME = "group_label-SC_morph.tsv"
PAIRS_NAME = "group_label-SC_desc-retest_morph.tsv"
LEVELS_NAME = "group_label-SC_desc-levels_morph.tsv"
PAGE_NAME = "group.html"
_ALL_TABLES = (TABLE_NAME, PAIRS_NAME, LEVELS_NAME, *map(table_name, TASKS.values()))


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
    _write_review(output_dir / "logs", sources)
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


def describe_group(output_dir: Path, sources: GroupSources) -> GroupPage:
    """Gather what the page shows.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set; only the pages of participants are looked for.
    sources : GroupSources
        What is in it.
    """
    references = find_references(sources.results)
    pairs = find_repetitions(sources.results)
    groups = sorted({(pair.between, pair.first.description) for pair in pairs})
    return GroupPage(
        images=tuple(sorted(_images(sources), key=lambda image: (image.subject, image.title))),
        kinds=tuple(
            KindSummary(kind, found.n_images, found.median_mm2, found.spread_mm2) for kind, found in references.items()
        ),
        missing=tuple(Absence(each.subject, each.session, each.kind, each.reason) for each in sources.missing),
        pairs=tuple(
            Pair(
                subject=pair.first.subject,
                kind=pair.first.description,
                between=pair.between,
                first=pair.first.source,
                second=pair.second.source,
                first_mm2=pair.first.csa_mean,
                second_mm2=pair.second.csa_mean,
                percent=pair.percent,
            )
            for pair in pairs
        ),
        pair_summaries=tuple(
            PairSummary(between, kind, len(same), within_variation(same))
            for between, kind in groups
            for same in [[pair for pair in pairs if (pair.between, pair.first.description) == (between, kind)]]
        ),
        pages=frozenset(
            path.stem.removeprefix("sub-") for path in place(output_dir, PAGE_NAME).parent.glob("sub-*.html")
        ),
        participant_columns=sources.participant_columns,
        participant_places=PARTICIPANTS_PLACES,
        tables=tuple(name for name in _ALL_TABLES if place(output_dir, name).is_file()),
        outlier_score=OUTLIER_SCORE,
        least_images=LEAST_IMAGES,
    )


def _images(sources: GroupSources) -> list[GroupImage]:
    """Return the rows of the page, results first."""
    references = find_references(sources.results)
    images = [
        GroupImage(
            subject=result.subject,
            title=result.source,
            kind=result.description,
            verdict=result.verdict,
            area_mm2=result.csa_mean,
            score=references[result.description].score(result.csa_mean),
            n_slices=result.n_slices,
            note=reasons_of(result),
        )
        for result in sources.results
    ]
    images += [
        GroupImage(
            subject=failure.subject,
            title=failure.source,
            kind=kind_of(failure),
            verdict="failed",
            note=f"{failure.status}: {failure.message}",
        )
        for failure in sources.failures
    ]
    images += [
        GroupImage(
            subject=damaged.subject,
            title=damaged.source,
            kind=damaged.description,
            verdict="failed",
            note=f"{DamagedResultError.status}: {damaged.message}",
        )
        for damaged in sources.damaged
    ]
    return images


def _write_table(path: Path, content: tuple[bytes, bytes]) -> None:
    """Write a table and its description, unless somebody else's file stands there."""
    for each, text in zip((path, path.with_suffix(".json")), content, strict=True):
        write_own(each, text, own_marks(each.name))


def _remove_table(path: Path) -> None:
    """Remove a table of an earlier run and its description."""
    for each in (path, path.with_suffix(".json")):
        remove_own(each, own_marks(each.name))
