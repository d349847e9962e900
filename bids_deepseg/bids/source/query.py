"""Find the images of a BIDS data set.

Only ``sub-*/[ses-*/]{anat,dwi}`` is listed (and ``func`` if its suffixes are asked for), one ``scandir`` a folder, so
that nothing else (``derivatives``, ``sourcedata``, ``.git``) costs time, and nothing is written. Links are followed; a
link to content that is not on this machine counts as an image, and reading it reports what to do.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bids_deepseg.bids.image import DEFAULT_SUFFIXES, BidsImage, folders_of
from bids_deepseg.bids.source.filters import (
    ImageFilter,
    UnknownValue,
    WantedValues,
    nearest,
    unknown_among,
    unknown_values,
)
from bids_deepseg.bids.source.found import (
    FoundFile,
    NameParser,
    describe_found,
    look_at_files,
    name_parser,
)
from bids_deepseg.bids.source.walk import FileIndex, find_files, list_participants, misspelt_participants
from bids_deepseg.errors import SelectionError
from bids_deepseg.files.names import shorten, why_no_folder


@dataclass(frozen=True, slots=True)
class Selection:
    """What to take from a data set.

    Attributes
    ----------
    participants : frozenset of str or None
        Labels without ``sub-``; None for all.
    sessions : frozenset of str or None
        Labels without ``ses-``; None for all. Images without session are always taken (BEP027).
    suffixes : frozenset of str
        Kinds of images.
    filters : tuple of ImageFilter
        Conditions on the entities of images.
    excluded : frozenset of str
        Labels without ``sub-`` of participants that are left out.
    """

    participants: frozenset[str] | None = None
    sessions: frozenset[str] | None = None
    suffixes: frozenset[str] = frozenset(DEFAULT_SUFFIXES)
    filters: tuple[ImageFilter, ...] = ()
    excluded: frozenset[str] = frozenset()

    @property
    def wanted(self) -> WantedValues:
        """What was asked for besides participants, which must exist; the usual suffixes need not."""
        suffixes = frozenset() if self.suffixes == frozenset(DEFAULT_SUFFIXES) else self.suffixes
        return WantedValues(self.sessions or frozenset(), suffixes, self.filters)


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """An image file that is not segmented.

    Attributes
    ----------
    path : Path
        The file or folder.
    reason : str
        Why, and what to do.
    """

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class QueryResult:
    """What was found.

    Attributes
    ----------
    images : tuple of BidsImage
        Selected images, sorted by path.
    subjects : tuple of str
        Labels of the selected participants, sorted, those without images included.
    without_images : mapping of str to str
        Participants without a selected image, and what was found instead.
    unknown : tuple of UnknownValue
        Participants, sessions, suffixes and values of filters that were asked for and exist nowhere.
    skipped : tuple of SkippedFile
        Files that were looked at and refused, with the reason.
    unsupported : mapping of str to int
        Number of files of each suffix that was not asked for or cannot be segmented.
    n_filtered : int
        Number of files that only a filter leaves out.
    """

    images: tuple[BidsImage, ...]
    subjects: tuple[str, ...]
    without_images: Mapping[str, str]
    unknown: tuple[UnknownValue, ...]
    skipped: tuple[SkippedFile, ...]
    unsupported: Mapping[str, int]
    n_filtered: int = 0


def find_images(bids_dir: Path, selection: Selection, index: FileIndex | None = None) -> QueryResult:
    """Find the selected images of a data set.

    Parameters
    ----------
    bids_dir : Path
        Root of a BIDS data set; only read.
    selection : Selection
        What to take.
    index : FileIndex, optional
        The files of the data set; its folders are listed if there is none.

    Returns
    -------
    QueryResult
        Images, and what to report about files that were not taken.

    Raises
    ------
    DatasetError
        If ``bids_dir`` is missing, not a folder, empty, has no ``dataset_description.json`` or no participant.
    SelectionError
        If the labels, sessions or suffixes select nothing.
    """
    existing = _existing_participants(bids_dir, index)
    subjects, unknown = _choose_participants(existing, selection)
    parse = name_parser()
    folders = folders_of(selection.suffixes)
    files = {subject: _files_of(subject, bids_dir, parse, index, folders) for subject in subjects}
    taken = {subject: [file for file in files[subject] if _is_taken(file, selection)] for subject in subjects}
    every = [file for subject in subjects for file in files[subject]]

    def others() -> list[FoundFile]:
        rest = (subject for subject in existing if subject not in files)
        return [file for subject in rest for file in _files_of(subject, bids_dir, parse, index, folders)]

    unknown += unknown_values(every, others, selection.wanted)
    refused = every if selection.participants else [*misspelt_participants(bids_dir), *every]
    if not any(taken.values()):
        _check_not_filtered_out(every, selection)
    return QueryResult(
        images=tuple(
            BidsImage(file.path, bids_dir, file.entities, file.suffix, file.datatype)
            for subject in subjects
            for file in sorted(taken[subject], key=lambda file: file.path)
        ),
        subjects=subjects,
        without_images={subject: describe_found(files[subject], folders) for subject in subjects if not taken[subject]},
        unknown=unknown,
        skipped=tuple(SkippedFile(file.path, file.refusal) for file in refused if file.refusal),
        unsupported=Counter(
            file.suffix for file in every if not file.refusal and file.suffix not in selection.suffixes
        ),
        n_filtered=sum(_is_wanted(file, selection) and not _passes(file, selection) for file in every),
    )


def _existing_participants(bids_dir: Path, index: FileIndex | None) -> tuple[str, ...]:
    """Return the labels of all participants; an index does not know those whose folder is not here."""
    if index is None:
        return list_participants(bids_dir)
    beside = (label for label in list_participants(bids_dir) if label not in index.files)
    away = [label for label in beside if why_no_folder(bids_dir / f"sub-{label}")]
    return tuple(sorted([*index.participants, *away]))


def _files_of(
    subject: str, bids_dir: Path, parse: NameParser, index: FileIndex | None, folders: tuple[str, ...]
) -> tuple[FoundFile, ...]:
    """List the image files of a participant."""
    if index is not None and subject in index.files:
        inside = (path for path in index.files[subject] if path.parent.name in folders)
        return tuple(look_at_files(inside, bids_dir, parse))
    return tuple(find_files(bids_dir, subject, parse, folders))


def _choose_participants(
    existing: tuple[str, ...], selection: Selection
) -> tuple[tuple[str, ...], tuple[UnknownValue, ...]]:
    """Return the labels that are selected, and what was asked for and does not exist."""
    wanted = frozenset(existing) if selection.participants is None else selection.participants
    unknown = unknown_among("participant", wanted, existing)
    chosen = tuple(label for label in existing if label in wanted)
    if not chosen:
        asked = shorten(str(each).removeprefix("participant ") for each in unknown)
        raise SelectionError(
            f"No participant has the label {asked}. The data set has {shorten(existing)}. "
            "Give labels that exist, with or without sub-."
        )
    chosen = tuple(label for label in chosen if label not in selection.excluded)
    if not chosen:
        raise SelectionError("All participants are left out by --exclude-participant-label. Leave out fewer.")
    return chosen, (*unknown, *unknown_among("participant to leave out", selection.excluded, existing))


def _is_taken(file: FoundFile, selection: Selection) -> bool:
    """Return whether a file is selected."""
    return _is_wanted(file, selection) and _passes(file, selection)


def _is_wanted(file: FoundFile, selection: Selection) -> bool:
    """Return whether a file is selected but for the filters; one without session is in every session."""
    in_session = selection.sessions is None or file.entities.get("session", None) in {None, *selection.sessions}
    return file.refusal is None and file.suffix in selection.suffixes and in_session


def _passes(file: FoundFile, selection: Selection) -> bool:
    """Return whether a file meets all filters."""
    return all(each.accepts(file) for each in selection.filters)


def _check_not_filtered_out(files: Iterable[FoundFile], selection: Selection) -> None:
    """Raise when there are images of usual kinds, and only the filters leave none."""
    usable = [file for file in files if not file.refusal and file.suffix in {*DEFAULT_SUFFIXES, *selection.suffixes}]
    if not usable:
        return
    suffixes = sorted({file.suffix for file in usable})
    sessions = sorted({file.entities["session"] for file in usable if "session" in file.entities})
    asked = [f"suffixes {shorten(sorted(selection.suffixes))}"]
    if selection.sessions is not None:
        near = {label: nearest(label, sessions) for label in sorted(selection.sessions)}
        labels = ", ".join(f"{label} (nearest: {n})" if n and n != label else label for label, n in near.items())
        asked.append(f"sessions {labels}")
    asked += [f"filter {each}" for each in selection.filters]
    raise SelectionError(
        f"No image is selected by the {' and '.join(asked)}. The selected participants have the suffixes "
        f"{shorten(suffixes)} and the sessions {shorten(sessions)}. Change the filters."
    )
