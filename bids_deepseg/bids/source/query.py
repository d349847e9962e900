"""Find the images of a BIDS data set.

Only ``sub-*/[ses-*/]{anat,dwi}`` is listed, one ``scandir`` a folder, so that nothing else (``derivatives``,
``sourcedata``, ``.git``) costs time, and nothing is written. Links are followed; a link to content that is not on this
machine counts as an image, and reading it reports what to do.
"""

import difflib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bids_deepseg.bids.source.database import FileIndex
from bids_deepseg.bids.source.filters import ImageFilter
from bids_deepseg.bids.source.walk import FoundFile, find_files, list_participants, look_at_files, name_parser
from bids_deepseg.errors import SelectionError

DEFAULT_SUFFIXES = ("T1w", "UNIT1", "T2w", "T2starw", "T2star", "MEGRE", "PDw", "MTS", "dwi")


@dataclass(frozen=True, slots=True)
class BidsImage:
    """An image of a BIDS data set; equal and hashed by its path and volume.

    Attributes
    ----------
    path : Path
        The file, as it stands in the data set (links are not resolved).
    root : Path
        The data set.
    entities : mapping of str to str
        Long names of pybids (``subject``, ``session``, ``acquisition``, ``run``, ``echo``...) and values as written.
    suffix : str
        For example ``T2w``.
    datatype : {"anat", "dwi"}
        Folder.
    volume : int or None
        For one volume of a series that is an image of its own: its number, from 0. None for the file as a whole.
    """

    path: Path
    root: Path = field(compare=False)
    entities: Mapping[str, str] = field(compare=False)
    suffix: str = field(compare=False)
    datatype: str = field(compare=False)
    volume: int | None = None

    def __post_init__(self) -> None:
        if not self.entities.get("subject"):
            raise ValueError(f"{self.path} has no subject.")
        if self.datatype not in ("anat", "dwi"):
            raise ValueError(f"{self.path} stands in {self.datatype!r}, expected anat or dwi.")
        object.__setattr__(self, "entities", dict(self.entities))

    @property
    def relative_path(self) -> str:
        """Path relative to the data set, with forward slashes."""
        return self.path.relative_to(self.root).as_posix()

    @property
    def key(self) -> str:
        """Name of the image in messages and records: its relative path, for a volume of its own with ``#<number>``."""
        return self.relative_path + ("" if self.volume is None else f"#{self.volume}")

    @property
    def name(self) -> str:
        """File name without ``.nii`` or ``.nii.gz``."""
        return self.path.name.removesuffix(".gz").removesuffix(".nii")

    @property
    def subject(self) -> str:
        """Label of the participant, without ``sub-``."""
        return self.entities["subject"]

    @property
    def session(self) -> str | None:
        """Label of the session, without ``ses-``; None if there is none."""
        return self.entities.get("session")


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
    """

    participants: frozenset[str] | None = None
    sessions: frozenset[str] | None = None
    suffixes: frozenset[str] = frozenset(DEFAULT_SUFFIXES)
    filters: tuple[ImageFilter, ...] = ()


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
    unknown_participants : mapping of str to (str or None)
        Labels that were asked for and do not exist, each with the nearest existing label.
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
    unknown_participants: Mapping[str, str | None]
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
        Images and everything worth telling about what was not taken.

    Raises
    ------
    DatasetError
        If ``bids_dir`` is missing, not a folder, empty, has no ``dataset_description.json`` or no participant.
    SelectionError
        If the labels, sessions or suffixes select nothing.
    """
    existing = index.participants if index else list_participants(bids_dir)
    subjects, unknown = _choose_participants(existing, selection.participants)
    parse = name_parser()
    files = {
        subject: tuple(
            look_at_files(index.files[subject], bids_dir, parse) if index else find_files(bids_dir, subject, parse)
        )
        for subject in subjects
    }
    taken = {subject: [file for file in files[subject] if _is_taken(file, selection)] for subject in subjects}
    every = [file for subject in subjects for file in files[subject]]
    if not any(taken.values()):
        _check_not_filtered_out(every, selection)
    return QueryResult(
        images=tuple(
            BidsImage(file.path, bids_dir, file.entities, file.suffix, file.datatype)
            for subject in subjects
            for file in sorted(taken[subject], key=lambda file: file.path)
        ),
        subjects=subjects,
        without_images={subject: _tell_found(files[subject]) for subject in subjects if not taken[subject]},
        unknown_participants=unknown,
        skipped=tuple(SkippedFile(file.path, file.refusal) for file in every if file.refusal),
        unsupported=Counter(
            file.suffix for file in every if not file.refusal and file.suffix not in selection.suffixes
        ),
        n_filtered=sum(_is_wanted(file, selection) and not _passes(file, selection) for file in every),
    )


def _choose_participants(
    existing: tuple[str, ...], wanted: frozenset[str] | None
) -> tuple[tuple[str, ...], dict[str, str | None]]:
    """Return the existing labels among the wanted ones, and the others with the nearest existing label."""
    if wanted is None:
        return existing, {}
    unknown = {label: _nearest(label, existing) for label in sorted(wanted - set(existing))}
    chosen = tuple(label for label in existing if label in wanted)
    if not chosen:
        asked = ", ".join(f"{label} (nearest: {near})" if near else label for label, near in unknown.items())
        raise SelectionError(
            f"No participant has the label {asked or '(none given)'}. The data set has {_shorten(existing)}. "
            "Give labels that exist, with or without sub-."
        )
    return chosen, unknown


def _nearest(label: str, existing: Iterable[str]) -> str | None:
    """Return the existing label that resembles most, None when none does."""
    return next(iter(difflib.get_close_matches(label, list(existing), n=1, cutoff=0.3)), None)


def _is_taken(file: FoundFile, selection: Selection) -> bool:
    """Tell whether a file is selected."""
    return _is_wanted(file, selection) and _passes(file, selection)


def _is_wanted(file: FoundFile, selection: Selection) -> bool:
    """Tell whether a file is selected but for the filters; one without session is in every session."""
    in_session = selection.sessions is None or file.entities.get("session", None) in {None, *selection.sessions}
    return file.refusal is None and file.suffix in selection.suffixes and in_session


def _passes(file: FoundFile, selection: Selection) -> bool:
    """Tell whether a file meets all filters."""
    return all(each.accepts(file) for each in selection.filters)


def _check_not_filtered_out(files: Iterable[FoundFile], selection: Selection) -> None:
    """Raise when there are images of usual kinds, and only the filters leave none."""
    usable = [file for file in files if not file.refusal and file.suffix in {*DEFAULT_SUFFIXES, *selection.suffixes}]
    if not usable:
        return
    suffixes = sorted({file.suffix for file in usable})
    sessions = sorted({file.entities["session"] for file in usable if "session" in file.entities})
    asked = [f"suffixes {_shorten(sorted(selection.suffixes))}"]
    if selection.sessions is not None:
        near = {label: _nearest(label, sessions) for label in sorted(selection.sessions)}
        labels = ", ".join(f"{label} (nearest: {n})" if n and n != label else label for label, n in near.items())
        asked.append(f"sessions {labels}")
    asked += [f"filter {each}" for each in selection.filters]
    raise SelectionError(
        f"No image is selected by the {' and '.join(asked)}. The selected participants have the suffixes "
        f"{_shorten(suffixes)} and the sessions {_shorten(sessions)}. Change the filters."
    )


def _tell_found(files: Iterable[FoundFile]) -> str:
    """Say what a participant has instead of selected images."""
    found = [file for file in files if file.suffix or file.refusal]
    if not found:
        return "no NIfTI image in its anat and dwi folders"
    counts = Counter(file.suffix or "file with an unreadable name" for file in found)
    sessions = sorted({file.entities["session"] for file in found if "session" in file.entities})
    told = "found only " + ", ".join(f"{n} {suffix}" for suffix, n in sorted(counts.items()))
    refused = next((f"; {file.path.name}: {file.refusal}" for file in found if file.refusal), "")
    return told + (f" in the sessions {_shorten(sessions)}" if sessions else "") + refused


def _shorten(labels: Iterable[str], most: int = 10) -> str:
    """Join labels for a message, not more than ten of them."""
    labels = list(labels)
    more = f" and {len(labels) - most} more" if len(labels) > most else ""
    return (", ".join(labels[:most]) or "(none)") + more
