"""Gather what the page of the group level shows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from bids_deepseg.app.group.sources import PARTICIPANTS_PLACES, GroupSources, kind_of, session_of
from bids_deepseg.app.group.statistics import (
    LEAST_IMAGES,
    OUTLIER_SCORE,
    Profiles,
    Reference,
    find_profiles,
    find_references,
    find_repetitions,
    within_variation,
)
from bids_deepseg.app.group.structures import table_name
from bids_deepseg.app.group.table import reasons_of
from bids_deepseg.bids.derivatives.description import identity_of
from bids_deepseg.bids.derivatives.failures import FailureRecord
from bids_deepseg.bids.derivatives.layout import place
from bids_deepseg.bids.derivatives.saved import DamagedResult, SavedResult
from bids_deepseg.bids.source.inheritance import read_json
from bids_deepseg.errors import DamagedResultError
from bids_deepseg.files.own import read_head
from bids_deepseg.files.tables import MISSING
from bids_deepseg.report.group_facts import GroupImage, GroupPage, KindSummary, PairSummary
from bids_deepseg.report.hints import what_to_do
from bids_deepseg.report.seal import HEAD_BYTES, PAGE_MARKS
from bids_deepseg.report.thumbnail import Thumbnail, find_thumbnails
from bids_deepseg.structures.tasks import TASKS

TABLE_NAME = "group_label-SC_morph.tsv"
PAIRS_NAME = "group_label-SC_desc-retest_morph.tsv"
LEVELS_NAME = "group_label-SC_desc-levels_morph.tsv"
PAGE_NAME = "group.html"
ALL_TABLES = (TABLE_NAME, PAIRS_NAME, LEVELS_NAME, *map(table_name, TASKS.values()))

#: The head of a page ends within this size for the images of most participants, and within the second for all.
_HEAD_BYTES, _MOST_BYTES = 2**18, 2**24


def describe_group(output_dir: Path, sources: GroupSources) -> GroupPage:
    """Gather what the page shows.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set; only the pages of participants are read.
    sources : GroupSources
        What is in it.
    """
    references = find_references(sources.results)
    profiles = {
        kind: find_profiles([result for result in sources.results if result.description == kind]) for kind in references
    }
    people = {each.subject for each in sources.results} | {each.subject for each in sources.failures}
    thumbnails = _read_thumbnails(output_dir, sorted(people))
    pairs = sorted(find_repetitions(sources.results), key=lambda pair: -abs(pair.percent))
    groups = sorted({(pair.between, pair.kind) for pair in pairs})
    return GroupPage(
        images=tuple(_complete(image, sources, thumbnails) for image in _images(sources, references, profiles)),
        kinds=tuple(
            KindSummary(kind, found.n_images, found.median_mm2, found.spread_mm2) for kind, found in references.items()
        ),
        missing=sources.missing,
        pairs=tuple(pairs),
        pair_summaries=tuple(
            PairSummary(between, kind, len(same), within_variation(same))
            for between, kind in groups
            for same in [[pair for pair in pairs if (pair.between, pair.kind) == (between, kind)]]
        ),
        pages=frozenset(
            path.stem.removeprefix("sub-") for path in place(output_dir, PAGE_NAME).parent.glob("sub-*.html")
        ),
        participant_columns=sources.participant_columns,
        participant_places=PARTICIPANTS_PLACES,
        tables=tuple(name for name in ALL_TABLES if place(output_dir, name).is_file()),
        outlier_score=OUTLIER_SCORE,
        least_images=LEAST_IMAGES,
        levels={kind: found.levels for kind, found in profiles.items() if found.levels},
        identity=identity_of(read_json(output_dir / "dataset_description.json")),
    )


def _complete(image: GroupImage, sources: GroupSources, thumbnails: Mapping[tuple[str, str], Thumbnail]) -> GroupImage:
    """Add the picture of an image, and what is known of its participant and said by a reviewer."""
    person = sources.participants.get(f"sub-{image.subject}", {})
    said = sources.review.of(image.title)
    return replace(
        image,
        thumbnail=thumbnails.get((image.subject, image.title)),
        person=tuple(person.get(name, MISSING) for name in sources.participant_columns),
        mark=said.mark,
        rank="" if said.rank is None else str(said.rank),
        comment=said.comment,
    )


def _images(
    sources: GroupSources, references: Mapping[str, Reference], profiles: Mapping[str, Profiles]
) -> Iterator[GroupImage]:
    """Yield the rows of the page, results first."""
    along = {kind: iter(found.areas) for kind, found in profiles.items()}
    for result in sources.results:
        yield _image_of_result(result, references[result.description], next(along[result.description]))
    yield from map(_image_of_failure, sources.failures)
    yield from map(_image_of_damaged, sources.damaged)


def _image_of_result(result: SavedResult, reference: Reference, along: tuple[float, ...]) -> GroupImage:
    """Return the row of an image with a mask."""
    return GroupImage(
        subject=result.subject,
        title=result.source,
        kind=result.description,
        verdict=result.verdict,
        session=result.session or "",
        area_mm2=result.csa_mean,
        score=reference.score(result.csa_mean),
        n_slices=result.n_slices,
        note=reasons_of(result),
        along=along,
    )


def _image_of_failure(failure: FailureRecord) -> GroupImage:
    """Return the row of an image without result."""
    return GroupImage(
        subject=failure.subject,
        title=failure.source,
        kind=kind_of(failure),
        verdict="failed",
        session=session_of(failure) or "",
        note=f"{failure.status}: {failure.message}",
        advice=what_to_do(failure.status),
    )


def _image_of_damaged(damaged: DamagedResult) -> GroupImage:
    """Return the row of an image whose result cannot be used."""
    return GroupImage(
        subject=damaged.subject,
        title=damaged.source,
        kind=damaged.description,
        verdict="failed",
        session=damaged.session or "",
        note=f"{DamagedResultError.status}: {damaged.message}",
        advice=what_to_do(DamagedResultError.status),
    )


def _read_thumbnails(output_dir: Path, subjects: Iterable[str]) -> dict[tuple[str, str], Thumbnail]:
    """Return the pictures by participant and image; none of a participant without a page of ours."""
    return {
        (subject, title): thumbnail
        for subject in subjects
        for title, thumbnail in find_thumbnails(_head(place(output_dir, f"sub-{subject}.html"))).items()
    }


def _head(path: Path) -> str:
    """Return the head of a page of ours, or nothing."""
    head = read_head(path, _HEAD_BYTES)
    if not any(mark in head[:HEAD_BYTES] for mark in PAGE_MARKS):
        return ""
    if len(head) == _HEAD_BYTES and b"<body" not in head:
        head = read_head(path, _MOST_BYTES)
    return head.decode("utf-8", "replace")
