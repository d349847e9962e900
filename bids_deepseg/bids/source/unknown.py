"""Find labels, sessions, suffixes and filter values that do not exist in the data set, and the most similar ones.

A typo leaves images out, which is easily missed among hundreds of others.
"""

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from bids_deepseg.bids.source.filters import ANY, ImageFilter, same_value
from bids_deepseg.bids.source.found import FoundFile

#: Values of which the nearest existing one is looked for: comparing thousands with thousands takes minutes.
_MOST_COMPARED = 20

#: Characters of a value up to which it is compared.
_LONGEST_COMPARED = 100


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
            if value is None or (value == ANY and existing) or any(same_value(name, one, value) for one in existing):
                continue
            found.append(UnknownValue(kind, value, nearest(value, existing) if len(found) < _MOST_COMPARED else None))
    return found
