"""Take values out of our own JSON: what is missing, or of another type or range than this app writes, is an error."""

from collections.abc import Mapping
from typing import Any

from bids_deepseg.errors import DamagedResultError
from bids_deepseg.files.facts import Facts


def wrong(name: str, value: object, expected: str) -> DamagedResultError:
    """Return the error for a value that is none of those expected."""
    return DamagedResultError(f"{name} is {ascii(value)[:60]}; {expected} is expected")


def take_mapping(facts: Facts, name: str) -> Facts:
    """Return an object."""
    value = facts.get(name)
    if not isinstance(value, Mapping):
        raise wrong(name, value, "an object")
    return value


def take_list(facts: Facts, name: str) -> list[Any]:
    """Return a list."""
    value = facts.get(name)
    if not isinstance(value, list):
        raise wrong(name, value, "a list")
    return value


def as_entry(value: object) -> Facts:
    """Return an object of a list."""
    if not isinstance(value, Mapping):
        raise wrong("An entry", value, "an object")
    return value


def take_text(facts: Facts, name: str) -> str:
    """Return a text."""
    value = facts.get(name)
    if not isinstance(value, str):
        raise wrong(name, value, "a text")
    return value


def take_flag(facts: Facts, name: str) -> bool:
    """Return true or false."""
    value = facts.get(name)
    if not isinstance(value, bool):
        raise wrong(name, value, "true or false")
    return value


def take_number(facts: Facts, name: str) -> int | float:
    """Return a number."""
    value = facts.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong(name, value, "a number")
    return value


def take_size(facts: Facts, name: str, most: float) -> float:
    """Return a number from 0 to ``most``."""
    value = take_number(facts, name)
    if not 0 <= value <= most:
        raise wrong(name, value, f"a number from 0 to {most:g}")
    return float(value)


def take_whole(facts: Facts, name: str, most: int = 2**31) -> int:
    """Return a whole number from 0 to ``most``."""
    value = take_number(facts, name)
    if not isinstance(value, int) or not 0 <= value <= most:
        raise wrong(name, value, f"a whole number from 0 to {most}")
    return value
