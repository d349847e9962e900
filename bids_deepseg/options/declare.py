"""Describe one option of the command line."""

import argparse
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
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


def whole_number(text: str) -> int:
    """Turn the text of an option into a number; ``int`` would take ``1_000`` and the digits of other scripts as well.

    Raises
    ------
    ArgumentTypeError
        If it is none.
    """
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is no number. Digits from 0 to 9 are expected, for example 4")
    return int(text)


def decimal_number(text: str) -> float:
    """Turn the text of an option into a number; ``float`` would take ``1_0.5``, ``nan`` and ``inf`` as well.

    Raises
    ------
    ValueError
        If it is none.
    """
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?", text.strip(), re.ASCII | re.IGNORECASE):
        raise ValueError(f"{text!r} is no number.")
    return float(text)


def place(text: str) -> Path:
    """Turn the text of an option into a path.

    Text from a file may hold characters that the names of files cannot have in the locale of this process; it becomes
    the bytes that it has in UTF-8.

    Raises
    ------
    ArgumentTypeError
        If it is empty: a variable of a script that was never set would stand for the current folder.
    """
    if not text:
        raise argparse.ArgumentTypeError("it is empty. The path of a file or folder is expected ('.' for this one)")
    try:
        os.fsencode(text)
    except UnicodeEncodeError:
        return Path(os.fsdecode(text.encode("utf-8", "surrogateescape")))
    return Path(text)
