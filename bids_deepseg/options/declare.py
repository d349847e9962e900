"""Describe one option of the command line."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Option:
    """One row of the table of options.

    Attributes
    ----------
    names : tuple of str
        First the name that is shown, then other names.
    group : str
        Heading in the help.
    help : str
        What it does.
    count : str
        Number of values: ``none``, ``one`` or ``many``.
    settings : dict
        Further arguments of ``ArgumentParser.add_argument``.
    """

    names: tuple[str, ...]
    group: str
    help: str
    count: str = "one"
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def destination(self) -> str:
        """Name of the value in the result."""
        return self.names[0].lstrip("-").replace("-", "_")

    @property
    def spellings(self) -> tuple[str, ...]:
        """All names, with ``-`` and with ``_``."""
        both = [(name, name[:2] + name[2:].replace("-", "_")) for name in self.names]
        return tuple(dict.fromkeys(name for pair in both for name in pair))


def labels(*names: str, text: str, group: str = "selection") -> Option:
    """Return the row of an option with several labels, which may be repeated."""
    return Option(names, group, text, "many", {"metavar": "LABEL", "default": []})


def choice(*names: str, choices: Sequence[str], group: str, text: str) -> Option:
    """Return the row of an option with one of several words; the first is the default."""
    return Option(names, group, text, "one", {"choices": tuple(choices), "default": choices[0]})


def switch(*names: str, group: str, text: str, **settings: Any) -> Option:
    """Return the row of an option without value."""
    return Option(names, group, text, "none", {"action": "store_true", **settings})
