"""Read the values of options: numbers, paths, labels, amounts of memory, named places."""

import argparse
import os
import re
from collections.abc import Iterable
from pathlib import Path

from bids_deepseg.errors import UsageError
from bids_deepseg.files.names import leads_to_file, leads_to_folder
from bids_deepseg.files.text import read_text, split_lines

#: Word for a result that stays a probability.
SOFT = "soft"

#: Bytes of the units of memory.
_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}

#: No machine has as much memory.
_MOST_BYTES = 1e18

#: Characters of a value that are repeated in a message.
_MOST_SHOWN = 80


def whole_number(text: str) -> int:
    """Turn the text of an option into a number; ``int`` would take ``1_000`` and the digits of other scripts as well.

    Raises
    ------
    ArgumentTypeError
        If it is none.
    """
    if not re.fullmatch(r"[+-]?[0-9]{1,18}", text, re.ASCII):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number. Digits from 0 to 9 are expected, for example 4")
    return int(text)


def _decimal_number(text: str) -> float:
    """Turn the text of an option into a number; ``float`` would take ``1_0.5``, ``nan`` and ``inf`` as well."""
    if not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]{1,3})?", text.strip(), re.ASCII | re.IGNORECASE):
        raise ValueError(f"{text!r} is not a number.")
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


def parse_threshold(text: str) -> float | str:
    """Turn the text of ``--threshold`` into a number or ``soft``.

    Raises
    ------
    UsageError
        If it is neither.
    """
    if text.lower() == SOFT:
        return SOFT
    try:
        return _decimal_number(text)
    except ValueError as error:
        raise UsageError(f"--threshold is {text!r}. A number from 0 to 1 is expected, or the word {SOFT}.") from error


def read_labels(values: Iterable[str], prefix: str) -> tuple[str, ...]:
    """Turn the arguments of an option into labels.

    Parameters
    ----------
    values : iterable of str
        Labels with or without prefix; the path of an existing file stands for the labels in it, one per line.
    prefix : str
        ``sub-``, ``ses-`` or an empty string.

    Returns
    -------
    tuple of str
        Labels without prefix, each once.

    Raises
    ------
    UsageError
        If a label is empty or holds a character that BIDS does not allow.
    """
    labels: dict[str, None] = {}
    for value in values:
        for text in _expand(value):
            label = text.removeprefix(prefix)
            if not re.fullmatch(r"[a-zA-Z0-9+]+", label):
                raise UsageError(_bad_label(text, prefix))
            labels[label] = None
    return tuple(labels)


def _bad_label(text: str, prefix: str) -> str:
    """Say why a text is not a label; several in one word are the most frequent reason."""
    shown = text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}..."
    several = len(re.split(r"[\s,;]+", text.strip())) > 1
    hint = " Several labels? Separate them by spaces, without quotes." if several else ""
    form = f"with or without {prefix!r} in front, " if prefix else ""
    return (
        f"{shown!r} is not a label. Letters a to z and digits are expected, {form}or the path of an existing file with "
        f"one label per line.{hint}"
    )


def _expand(value: str) -> list[str]:
    """Return the lines of a file, or the value itself if it is none."""
    path = Path(value)
    if not leads_to_file(path):
        return [value]
    try:
        lines = [line.strip() for line in split_lines(read_text(path))]
    except (OSError, ValueError) as error:
        raise UsageError(f"The list of labels {value} cannot be read: {error}. Text is expected, UTF-8.") from error
    labels = [line for line in lines if line and not line.startswith("#")]
    if not labels:
        raise UsageError(f"The list of labels {value} is empty. One label per line is expected.")
    return labels


def parse_memory(text: str, unit: str = "M") -> int:
    """Turn the text of an amount of memory into bytes.

    Parameters
    ----------
    text : str
        A decimal number and a unit: K, M, G or T for powers of 1000, with ``i`` for powers of 1024, in any case, with
        or without ``B`` and a space in front.
    unit : str, optional
        Unit of a number without one.

    Raises
    ------
    UsageError
        If it is no such text, or not more than 0.

    Examples
    --------
    ``1.5G``, ``4g``, ``4 GB``, ``500MiB``; ``4000`` is 4000 MB.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([KMGT]I?)?B?", text.strip().upper())
    amount = float(match[1]) * _UNITS[match[2] or unit] if match else 0.0
    if not 1 <= amount < _MOST_BYTES:
        raise UsageError(f"{text!r} is not an amount of memory. Give one like 1.5G, 4g, '4 GB', 500MiB or 4000 (MB).")
    return round(amount)


def parse_links(values: Iterable[str]) -> dict[str, str]:
    """Turn ``NAME=URI`` texts into a mapping.

    Raises
    ------
    UsageError
        If a text has another form.
    """
    links: dict[str, str] = {}
    for value in values:
        name, equals, uri = value.partition("=")
        if not equals or not uri or not all(char.isascii() and char.isalnum() for char in name) or not name:
            raise UsageError(
                f"{value!r} is not a link. NAME=URI is expected, with letters and digits before '=', for example "
                "raw=doi:10.18112/openneuro.ds000001.v1.0.0"
            )
        links[name] = uri
    return links


def parse_places(values: Iterable[str]) -> tuple[tuple[str, Path], ...]:
    """Turn ``[NAME=]PATH`` texts into names and folders; the name is that of the folder where none is given.

    Raises
    ------
    UsageError
        If a folder does not exist, or two have one name.
    """
    places: dict[str, Path] = {}
    for value in values:
        name, equals, path = value.partition("=")
        if not equals or "/" in name:
            path = value
            name = re.sub(r"[^a-zA-Z0-9]", "", Path(os.path.realpath(value)).name)
        if not path or not leads_to_folder(Path(path)):
            raise UsageError(f"The folder of derivatives {path} does not exist. A folder, or NAME=FOLDER, is expected.")
        if not name.isascii() or not name.isalnum() or name in places:
            raise UsageError(
                f"{value!r} has the name {name!r}, which is already used or not a valid name. Give it a name of "
                f"letters and digits: NAME={path}"
            )
        places[name] = place(path)
    return tuple(places.items())
