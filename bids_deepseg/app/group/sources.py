"""Gather what the group level shows, from the output folder alone: results, failures, missing images, participants."""

import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bids_deepseg.bids.derivatives.failures import DamagedRecord, FailureRecord, find_records
from bids_deepseg.bids.derivatives.judgements import (
    JUDGEMENTS,
    LIST_MARKS,
    LISTS,
    Judgement,
    format_list,
    image_name,
    read_judgements,
    read_review,
)
from bids_deepseg.bids.derivatives.saved import DamagedResult, SavedResult, check_tables, find_results
from bids_deepseg.bids.image import DATATYPES, BidsImage
from bids_deepseg.bids.naming import ENTITIES, derivative_path, description_label, parse_name
from bids_deepseg.bids.source.inheritance import read_json
from bids_deepseg.bids.source.participants import OWN_COLUMNS, read_participants
from bids_deepseg.files.atomic import make_folder
from bids_deepseg.files.facts import text_mapping_of
from bids_deepseg.files.own import remove_own, write_own
from bids_deepseg.report.group_facts import Absence

logger = logging.getLogger(__name__)

#: Where a person puts the lists and the table that were saved while looking at the results.
REVIEW_PLACE = "sourcedata"

#: Where a copy of, or a link to, the source data set may stand; the validator does not look there.
PARTICIPANTS_PLACES = ("sourcedata/participants.tsv", "sourcedata/raw/participants.tsv")

#: Else the columns that the participant level took over from the source.
_OWN_TABLE = "participants.tsv"


@dataclass(frozen=True, slots=True)
class Review:
    """What a person thinks of the images.

    Attributes
    ----------
    lists : mapping of str to str
        Marks of ``qc_fail.yml`` and ``qc_artifact.yml``, by names without folder and extension.
    judgements : mapping of str to Judgement
        Rows of ``qc_judgements.tsv``, by source image.
    """

    lists: Mapping[str, str] = field(default_factory=dict)
    judgements: Mapping[str, Judgement] = field(default_factory=dict)

    def of(self, source: str) -> Judgement:
        """Return what is said about a source image; the mark of the table comes before that of a list."""
        found = self.judgements.get(source, Judgement())
        return found if found.mark else Judgement(self.lists.get(image_name(source), ""), found.rank, found.comment)


def _read_marks(output_dir: Path, sources: Collection[str]) -> Review:
    """Read lists and table; what in them is unknown or contradicts itself is named in a warning."""
    folder = output_dir / REVIEW_PLACE
    review = Review(read_review(folder), read_judgements(folder))
    unknown = set(review.lists) - {image_name(source) for source in sources}
    unknown |= set(review.judgements) - set(sources)
    if unknown:
        logger.warning("Listed in the review, but not among the results: %s.", ", ".join(sorted(unknown)))
    marked = {source: review.judgements[source].mark for source in sources if source in review.judgements}
    twice = [source for source, mark in marked.items() if mark and review.lists.get(image_name(source), mark) != mark]
    if twice:
        logger.warning(
            "%s has another mark than %s for %s; that of the table was taken.",
            JUDGEMENTS,
            " or ".join(LISTS.values()),
            ", ".join(sorted(twice)),
        )
    return review


def write_lists(
    folder: Path, wrong: Collection[str], without_result: Collection[str], marks: Mapping[str, str]
) -> None:
    """Write the lists of images to correct, and remove those of an earlier run that have no entry any more.

    Parameters
    ----------
    folder : Path
        Where they stand.
    wrong : collection of str
        Source images whose result the judge calls wrong. A person who marks one with ``pass`` takes it off the list.
    without_result : collection of str
        Source images without usable result.
    marks : mapping of str to str
        Marks of a person by source image.

    Raises
    ------
    OutputError
        If a list has to be written where a file stands that is not ours.
    """
    listed: dict[str, list[str]] = {mark: [image for image in marks if marks[image] == mark] for mark in LISTS}
    listed["fail"] += [*(image for image in wrong if marks.get(image) != "pass"), *without_result]
    make_folder(folder)
    for mark, images in listed.items():
        if images:
            write_own(folder / LISTS[mark], format_list(image.partition("#")[0] for image in images), LIST_MARKS)
        else:
            remove_own(folder / LISTS[mark], LIST_MARKS)


@dataclass(frozen=True, slots=True)
class GroupSources:
    """All that is in the output folder.

    Attributes
    ----------
    results : tuple of SavedResult
        Complete results, sorted by path.
    failures : tuple of FailureRecord
        Images without result.
    damaged : tuple of DamagedResult
        Results that cannot be used.
    damaged_records : tuple of DamagedRecord
        Records of failures that cannot be read.
    missing : tuple of Absence
        Images that are not in the data set.
    participants : mapping of str to mapping of str to str
        Rows of the source's ``participants.tsv`` by ``participant_id``, without that column; empty if it is not there.
    participant_columns : tuple of str
        Names of its columns; empty if it is not there.
    review : Review
        What a person thinks of the images.
    """

    results: tuple[SavedResult, ...]
    failures: tuple[FailureRecord, ...]
    damaged: tuple[DamagedResult, ...]
    damaged_records: tuple[DamagedRecord, ...]
    missing: tuple[Absence, ...]
    participants: Mapping[str, Mapping[str, str]]
    participant_columns: tuple[str, ...]
    review: Review = field(default_factory=Review)


def read_group_sources(output_dir: Path, without_images: Mapping[str, str]) -> GroupSources:
    """Read everything that the group level needs.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set, the only folder that is read.
    without_images : mapping of str to str
        Participants without a usable image that are in no log yet, and what was found.

    Raises
    ------
    UsageError
        If a list or the table of a person's review cannot be read.
    """
    read = list(find_results(output_dir, check=check_tables))
    results = tuple(each for each in read if isinstance(each, SavedResult))
    done = {result.source for result in results}
    records = list(find_records(output_dir))
    failures = tuple(each for each in records if isinstance(each, FailureRecord) and each.source not in done)
    # What a failure left behind is not a missing result.
    known_failed = {path for path in map(_mask_of, failures) if path}
    damaged = tuple(each for each in read if isinstance(each, DamagedResult) and each.place not in known_failed)
    found = [(result.subject, result.session, result.description) for result in results]
    found += [(each.subject, each.session, each.description) for each in damaged]
    found += [_place_of(failure) for failure in failures]
    known = {subject for subject, _, _ in found}
    reasons = _without_images_in_logs(output_dir) | dict(without_images)
    missing = [
        Absence(subject, None, "", f"no usable image in the data set: {reason}")
        for subject, reason in reasons.items()
        if subject not in known
    ]
    missing += _rarely_missing(found)
    participants, columns = _read_joined_participants(output_dir)
    sources = [result.source for result in results]
    sources += [failure.source for failure in failures] + [each.source for each in damaged]
    review = _read_marks(output_dir, sources)
    damaged_records = tuple(each for each in records if isinstance(each, DamagedRecord))
    missing.sort(key=_order)
    return GroupSources(results, failures, damaged, damaged_records, tuple(missing), participants, columns, review)


def session_of(failure: FailureRecord) -> str | None:
    """Return the session label of an image without result."""
    name = parse_name(failure.source.rpartition("/")[2])
    return name.entities.get("ses") if name else None


def kind_of(failure: FailureRecord) -> str:
    """Return the value of ``desc`` that the result would have; empty if the name is none of BIDS."""
    image = _image_of(failure)
    return description_label(image) if image else ""


def _image_of(failure: FailureRecord) -> BidsImage | None:
    """Return the image without result, None if its name is none of BIDS."""
    source, _, volume = failure.source.partition("#")
    path = PurePosixPath(source)
    name = parse_name(path.name)
    if name is None or path.parent.name not in DATATYPES or "sub" not in name.entities:
        return None
    entities = {ENTITIES.get(key, key): value for key, value in name.entities.items()}
    number = int(volume) if volume.isdecimal() else None
    return BidsImage(Path(path), Path(), entities, name.suffix, path.parent.name, number)


def _mask_of(failure: FailureRecord) -> str | None:
    """Return where the mask of an image without result would stand."""
    image = _image_of(failure)
    return derivative_path(image, "mask").as_posix() if image else None


def _place_of(failure: FailureRecord) -> tuple[str, str | None, str]:
    """Return participant, session and kind of an image without result."""
    return failure.subject, session_of(failure), kind_of(failure)


def _without_images_in_logs(output_dir: Path) -> dict[str, str]:
    """Return the participants in whom a run found no usable image; the last run that looked counts."""
    reasons: dict[str, str] = {}
    for path in sorted((output_dir / "logs").glob("*/summary.json")):
        reasons |= text_mapping_of(read_json(path), "without_input")
    return reasons


def _rarely_missing(found: Sequence[tuple[str, str | None, str]]) -> Iterator[Absence]:
    """Yield what a participant lacks and at least half of the others have: a session, or a kind of a session."""
    participants = {subject for subject, _, _ in found}
    by_session: dict[str | None, set[str]] = defaultdict(set)
    by_kind: dict[tuple[str | None, str], set[str]] = defaultdict(set)
    for subject, session, kind in found:
        by_session[session].add(subject)
        by_kind[session, kind].add(subject)
    for session, having in by_session.items():
        if session is not None and 2 * len(having) >= len(participants):
            reason = f"{len(having)} of {len(participants)} participants have an image of this session"
            yield from (Absence(subject, session, "", reason) for subject in participants - having)
    for (session, kind), having in by_kind.items():
        others = by_session[session]
        if kind and 2 * len(having) >= len(others):
            reason = f"{len(having)} of {len(others)} participants have one"
            yield from (Absence(subject, session, kind, reason) for subject in others - having)


def _order(missing: Absence) -> tuple[str, str, str]:
    """Return the key by which missing images are sorted."""
    return missing.subject, missing.session or "", missing.kind


def _read_joined_participants(output_dir: Path) -> tuple[Mapping[str, Mapping[str, str]], tuple[str, ...]]:
    """Read the source's ``participants.tsv`` if a copy of it is in the output folder."""
    tables = (read_participants(output_dir / place) for place in (*PARTICIPANTS_PLACES, _OWN_TABLE))
    table = next((table for table in tables if table is not None and table.rows), None)
    if table is None:
        return {}, ()
    return table.rows, tuple(name for name in table.columns if name not in OWN_COLUMNS)
