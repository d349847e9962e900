"""Sort images into a few groups by what a table says about them: by value, or many numbers by range."""

import math
from collections import Counter
from collections.abc import Sequence

import numpy as np

#: Words for a value that is not known.
UNKNOWN = ("", "n/a")

#: A column of more different numbers than this is cut into ranges; of more different texts, the rarest are joined.
_MOST_NUMBERS, _MOST_TEXTS = 6, 12

#: Ranges with about equally many values.
_RANGES = 5


def group_by(values: Sequence[str]) -> dict[str, list[int]]:
    """Sort values into groups.

    Parameters
    ----------
    values : sequence of str
        One per image.

    Returns
    -------
    dict of str to list of int
        Positions of the values by name of the group, in the order in which groups are shown, unknown values last;
        empty if that tells nothing: all values are the same, or all different.
    """
    known = [value for value in values if value not in UNKNOWN]
    counts = Counter(known)
    if len(counts) + (len(known) < len(values)) < 2 or not known:
        return {}
    numbers = [_number(value) for value in counts]
    if all(map(math.isfinite, numbers)):
        name_of = _ranges(counts) if len(counts) > _MOST_NUMBERS else {value: value for value in counts}
        order = sorted(counts, key=lambda value: (_number(value), value))
    elif max(counts.values()) < 2:
        return {}
    else:
        name_of = _most_frequent(counts)
        order = sorted(counts, key=lambda value: (name_of[value] != value, value))
    groups: dict[str, list[int]] = {name_of[value]: [] for value in order}
    unknown: list[int] = []
    for position, value in enumerate(values):
        (unknown if value in UNKNOWN else groups[name_of[value]]).append(position)
    return groups | ({"n/a": unknown} if unknown else {})


def _number(value: str) -> float:
    """Return the number that a text says, NaN if it is none."""
    try:
        return float(value)
    except ValueError:
        return math.nan


def _ranges(counts: Counter[str]) -> dict[str, str]:
    """Return the name of the range in which each number lies."""
    numbers = {value: _number(value) for value in counts}
    edges = np.quantile([numbers[value] for value in counts.elements()], np.linspace(0, 1, _RANGES + 1))
    inner = np.unique(edges[1:-1])
    part = {value: int(np.searchsorted(inner, number, side="right")) for value, number in numbers.items()}
    members: dict[int, list[float]] = {}
    for value, index in part.items():
        members.setdefault(index, []).append(numbers[value])
    names = {index: _range_name(min(found), max(found)) for index, found in members.items()}
    return {value: names[index] for value, index in part.items()}


def _range_name(low: float, high: float) -> str:
    """Name a range by the smallest and the largest number in it."""
    return f"{low:.10g}" if low == high else f"{low:.10g} to {high:.10g}"


def _most_frequent(counts: Counter[str]) -> dict[str, str]:
    """Return the name of the group of each text: the text itself, or that of all rare ones together."""
    if len(counts) <= _MOST_TEXTS:
        return {value: value for value in counts}
    ranked = sorted(counts, key=lambda value: (-counts[value], value))
    kept = set(ranked[: _MOST_TEXTS - 1])
    return {value: value if value in kept else f"{len(counts) - len(kept)} other values" for value in counts}
