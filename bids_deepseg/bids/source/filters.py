"""Choose images by the entities of their names, with the filter files of fMRIPrep.

A filter file is a JSON object. Each key is a suffix in lower case (``t2w``) or a folder (``anat``, ``dwi``, ``func``),
each value says which entities its images must have::

    {"t2w": {"acquisition": "ax", "session": ["pre", "post"], "reconstruction": null, "run": "*"}}

A text is the value, a list any of them, ``null`` means that the entity is absent, ``"*"`` that it has any value. Images
to which no key applies are taken.

A typo leaves images out, which is easily missed among hundreds of others.
"""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_deepseg.bids.image import folders_of
from bids_deepseg.bids.naming import ENTITIES
from bids_deepseg.bids.source.found import FoundFile
from bids_deepseg.errors import UsageError
from bids_deepseg.files.structured import read_strict_json

#: Any value; absent.
ANY, _NONE = "*", None

#: Names besides the entities that filter files use.
_PARTS = ("suffix", "datatype")

#: Entities whose values are numbers: 1 and 01 are the same.
_INDICES = frozenset({"run", "echo", "flip", "inv", "split", "chunk"})

_NUMBER = re.compile("[0-9]+")

Values = tuple[str | None, ...]

#: Values of which the nearest existing one is looked for: comparing thousands with thousands takes minutes.
_MOST_COMPARED = 20

#: Characters of a value up to which it is compared.
_LONGEST_COMPARED = 100


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """One key of a filter file.

    Attributes
    ----------
    key : str
        Suffix in lower case, or folder.
    conditions : tuple of (str, tuple of (str or None))
        Entities by the long names of pybids, and the values of which one is needed.
    """

    key: str
    conditions: tuple[tuple[str, Values], ...]

    def applies_to(self, file: FoundFile) -> bool:
        """Return whether the filter is about a file."""
        return self.key in (file.suffix.lower(), file.datatype)

    def accepts(self, file: FoundFile) -> bool:
        """Return whether a file meets all conditions, or is none of the filter's business."""
        if not self.applies_to(file):
            return True
        return all(_matches(name, self.fact(file, name), values) for name, values in self.conditions)

    @staticmethod
    def fact(file: FoundFile, name: str) -> str | None:
        """Return the value of an entity of a file, its suffix or its folder."""
        return {**file.entities, "suffix": file.suffix, "datatype": file.datatype}.get(name)

    def __str__(self) -> str:
        words = {ANY: "any", _NONE: "absent"}
        return f"{self.key}: " + "; ".join(
            f"{name} {' or '.join(words.get(value, str(value)) for value in values)}"
            for name, values in self.conditions
        )


def read_filters(path: Path, suffixes: Iterable[str]) -> tuple[ImageFilter, ...]:
    """Read a filter file.

    Parameters
    ----------
    path : Path
        JSON file.
    suffixes : iterable of str
        Suffixes that are selected; a key that none of them has is an error.

    Raises
    ------
    UsageError
        If the file cannot be read, has an unknown key or entity, or contradicts ``suffixes``.
    """
    try:
        content = read_strict_json(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"The filter file {path} cannot be read: {error}. A JSON object is expected.") from error
    suffixes = tuple(suffixes)
    known = [suffix.lower() for suffix in suffixes] + list(folders_of(suffixes))
    filters = []
    for key, entities in content.items():
        if key not in known:
            raise UsageError(
                f"The filter file {path} has the key {key!r}, which no selected image has{_nearest(key, known)}. "
                f"Choose from: {', '.join(dict.fromkeys(known))}."
            )
        if not isinstance(entities, dict):
            raise UsageError(f'The filter file {path} has {entities!r} for {key!r}. {{"entity": value}} is expected.')
        filters.append(ImageFilter(key, tuple(_condition(path, key, item) for item in entities.items())))
    return tuple(filters)


def check_labels(filters: Iterable[ImageFilter], labels: Mapping[str, Iterable[str]]) -> None:
    """Refuse a filter that excludes everything that an option asks for.

    Parameters
    ----------
    filters : iterable of ImageFilter
        From :func:`read_filters`.
    labels : mapping of str to iterable of str
        Labels that options ask for, by entity; none for all.

    Raises
    ------
    UsageError
        If an entity has no value in common with the option.
    """
    for each in filters:
        for name, values in each.conditions:
            wanted = set(labels.get(name, ()))
            if wanted and not wanted & set(values) and not {ANY, _NONE} & set(values):
                raise UsageError(
                    f"The filter {each} contradicts the options, which select the {name} {', '.join(sorted(wanted))}. "
                    "Change one of them."
                )


def _condition(path: Path, key: str, item: tuple[str, Any]) -> tuple[str, Values]:
    """Read one entity of a filter and its values."""
    name, value = item
    known = [*ENTITIES.values(), *_PARTS]
    if name not in known:
        near = ENTITIES.get(name)
        hint = f"; did you mean {near!r}?" if near else _nearest(name, known)
        raise UsageError(
            f"The filter file {path} has the entity {name!r} for {key!r}, which does not exist{hint}. "
            "The long names of pybids are expected, for example acquisition."
        )
    values = value if isinstance(value, list) else [value]
    if not values or any(isinstance(v, bool) or not isinstance(v, str | int | None) for v in values):
        raise UsageError(
            f'The filter file {path} has {value!r} for {name!r} of {key!r}. A text, a list of texts, null or "*" is '
            "expected."
        )
    prefix = {"subject": "sub-", "session": "ses-"}.get(name, "")
    return name, tuple(v if v is None else str(v).removeprefix(prefix) for v in values)


def _matches(name: str, found: str | None, values: Values) -> bool:
    """Return whether the value of an entity is one of those that are accepted."""
    if found is None:
        return _NONE in values
    return any(value is not None and (value == ANY or _same_value(name, found, value)) for value in values)


def _same_value(name: str, one: str, other: str) -> bool:
    """Compare two values of an entity, indices as numbers."""
    if name in _INDICES and _NUMBER.fullmatch(one) and _NUMBER.fullmatch(other):
        return one.lstrip("0") == other.lstrip("0")
    return one == other


def _nearest(word: str, known: Iterable[str]) -> str:
    """Say what may have been meant."""
    near = difflib.get_close_matches(word, list(known), 1)
    return f"; did you mean {near[0]!r}?" if near else ""


@dataclass(frozen=True, slots=True)
class UnknownValue:
    """A value that exists nowhere.

    Attributes
    ----------
    kind : str
        What it is: participant, session, suffix, or a filter and its entity.
    value : str
        As it was asked for.
    nearest : str or None
        The existing value that resembles most.
    """

    kind: str
    value: str
    nearest: str | None

    def __str__(self) -> str:
        shown = self.value if len(self.value) <= _LONGEST_COMPARED else f"{self.value[:_LONGEST_COMPARED]}..."
        return f"{self.kind} {shown}" + (f" (nearest: {self.nearest})" if self.nearest else "")


def nearest(value: str, existing: Iterable[str]) -> str | None:
    """Return the existing value that resembles most, None when none does."""
    if len(value) > _LONGEST_COMPARED:
        return None
    return next(iter(difflib.get_close_matches(value, list(existing), n=1, cutoff=0.3)), None)


def unknown_among(kind: str, wanted: Iterable[str], existing: Iterable[str]) -> tuple[UnknownValue, ...]:
    """Return the wanted values that do not exist, sorted; the first ones with the nearest that does.

    Parameters
    ----------
    kind : str
        As in :class:`UnknownValue`.
    wanted, existing : iterable of str
        Values.
    """
    known = sorted(set(existing))
    missing = sorted(set(wanted) - set(known))
    return tuple(
        UnknownValue(kind, value, nearest(value, known) if number < _MOST_COMPARED else None)
        for number, value in enumerate(missing)
    )


def unknown_values(
    files: Sequence[FoundFile],
    others: Callable[[], Sequence[FoundFile]],
    wanted: "WantedValues",
) -> tuple[UnknownValue, ...]:
    """Find the sessions, suffixes and values of filters that no file has.

    Parameters
    ----------
    files : sequence of FoundFile
        Files of the selected participants.
    others : callable
        Lists the files of all other participants; called only if something is unknown among ``files``.
    wanted : WantedValues
        What was asked for.
    """
    if not _unknown_in(files, wanted):
        return ()
    return _unknown_in([*files, *others()], wanted)


@dataclass(frozen=True, slots=True)
class WantedValues:
    """What was asked for besides participants.

    Attributes
    ----------
    sessions, suffixes : frozenset of str
        Labels and suffixes; empty for none in particular.
    filters : tuple of ImageFilter
        Conditions.
    """

    sessions: frozenset[str]
    suffixes: frozenset[str]
    filters: tuple[ImageFilter, ...]


def _unknown_in(files: Sequence[FoundFile], wanted: WantedValues) -> tuple[UnknownValue, ...]:
    """Return what no file has."""
    sessions = {session for session in map(_session, files) if session}
    found = [
        *unknown_among("session", wanted.sessions, sessions),
        *unknown_among("suffix", wanted.suffixes, (file.suffix for file in files if file.suffix)),
    ]
    for each in wanted.filters:
        found += _unknown_of_filter(files, each)
    return tuple(found)


def _session(file: FoundFile) -> str | None:
    """Return the session of a file by its folder, which is known whatever its name."""
    return next((step[4:] for step in file.path.parts[-3:] if step.startswith("ses-")), None)


def _unknown_of_filter(files: Sequence[FoundFile], each: ImageFilter) -> list[UnknownValue]:
    """Return the values of one filter that no file has to which it applies, or if there is none, no file at all."""
    concerned = [file for file in files if each.applies_to(file)] or files
    found: list[UnknownValue] = []
    for name, values in each.conditions:
        existing = sorted({value for value in (each.fact(file, name) for file in concerned) if value is not None})
        kind = f"{name} of the filter {each.key}"
        for value in dict.fromkeys(values):
            if value is None or (value == ANY and existing) or any(_same_value(name, one, value) for one in existing):
                continue
            found.append(UnknownValue(kind, value, nearest(value, existing) if len(found) < _MOST_COMPARED else None))
    return found
