"""Take values out of JSON that others wrote: each has the type that was asked for, or counts as missing."""

from collections.abc import Mapping
from typing import Any

#: An object of JSON.
Facts = Mapping[str, Any]


def text_of(facts: Facts, name: str) -> str | None:
    """Return a text that is not blank, without spaces around it."""
    return _text(facts.get(name))


def texts_of(facts: Facts, name: str) -> tuple[str, ...]:
    """Return the texts of a list that are not blank; a single text is a list of one, anything else has none."""
    value = facts.get(name)
    values = value if isinstance(value, list) else [value]
    return tuple(text for text in map(_text, values) if text)


def number_of(facts: Facts, name: str) -> int | float | None:
    """Return a number; true and false are none."""
    value = facts.get(name)
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def mapping_of(facts: Facts, name: str) -> Facts:
    """Return an object, an empty one in place of anything else."""
    value = facts.get(name)
    return value if isinstance(value, Mapping) else {}


def mappings_of(facts: Facts, name: str) -> tuple[Facts, ...]:
    """Return the objects of a list; anything else has none."""
    value = facts.get(name)
    return tuple(each for each in value if isinstance(each, Mapping)) if isinstance(value, list) else ()


def text_mapping_of(facts: Facts, name: str) -> dict[str, str]:
    """Return the entries of an object whose values are texts."""
    found = {key: _text(value) for key, value in mapping_of(facts, name).items()}
    return {key: text for key, text in found.items() if text}


def _text(value: object) -> str | None:
    """Return a text that is not blank."""
    text = value.strip() if isinstance(value, str) else ""
    return text or None
