"""Read text that others wrote: bounded in size, in any of the usual encodings, with the line ends of the format only.

A byte order mark decides (UTF-8, UTF-16, UTF-32); without one, the zeros in the first four bytes tell UTF-16 and
UTF-32 apart from UTF-8 (RFC 4627, section 3). What is not UTF-8 is read as Latin-1, which takes any byte, and one
warning names the file. Nothing is guessed beyond that.
"""

import json
import logging
import math
import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from bids_deepseg.files.names import NotRegularError, open_regular

#: Most bytes of a text file that is not a table.
MAX_BYTES = 2**24

#: ``extra`` of a log record that is shown once in a run, however many images and processes meet its cause.
TELL_ONCE: Mapping[str, object] = MappingProxyType({"once": True})

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")

logger = logging.getLogger(__name__)


class TextError(ValueError):
    """A file that is there and cannot be read as the text that it should be; the message does not name the file."""


def read_text(path: Path, *, max_bytes: int = MAX_BYTES) -> str:
    """Read a text file.

    Parameters
    ----------
    path : Path
        An ordinary file, or a link to one.
    max_bytes : int, optional
        Most bytes that it may have.

    Returns
    -------
    str
        Its text without byte order mark; line ends are as they are in the file.

    Raises
    ------
    FileNotFoundError
        If there is nothing of this name.
    TextError
        If it is not an ordinary file, cannot be read, is too large, or is not text.
    """
    try:
        with open_regular(path) as stream:
            content = stream.read(max_bytes + 1)
    except FileNotFoundError as error:
        if path.is_symlink():
            raise TextError("it is a link to a file that does not exist") from error
        raise
    except NotRegularError as error:
        raise TextError("it is not an ordinary file but a pipe, a socket or a device") from error
    except IsADirectoryError as error:
        raise TextError("it is a folder") from error
    except OSError as error:
        raise TextError(error.strerror or str(error)) from error
    if len(content) > max_bytes:
        raise TextError(f"it has more than {max_bytes / 2**20:g} MiB")
    text, is_utf8 = decode(content)
    if not is_utf8:
        warn_once(f"{path} is not UTF-8 and was read as Latin-1. Save it as UTF-8 if its letters look wrong.")
    return text


def decode(content: bytes) -> tuple[str, bool]:
    """Turn the bytes of a text file into text.

    Returns
    -------
    text : str
        Without byte order mark.
    is_unicode : bool
        False if Latin-1 was the last resort.

    Raises
    ------
    TextError
        If the bytes are not text.
    """
    encoding = json.detect_encoding(content)
    is_unicode = True
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if not encoding.startswith("utf-8"):
            raise TextError(f"it begins like {encoding.upper()} but does not continue like that") from error
        text, is_unicode = content.decode("latin-1"), False
    if "\0" in text:
        raise TextError("it holds zero bytes, which text never does")
    return text.removeprefix("\ufeff"), is_unicode


def split_lines(text: str) -> list[str]:
    """Split text at LF and CR LF; where there is none of them, at CR, as old Macintosh programs write.

    Other characters that ``str.splitlines`` takes for line ends (vertical tab, NEL, U+2028...) belong to the text.

    Returns
    -------
    list of str
        Lines without their ends. A line end at the end of the text begins no further line.
    """
    lines = text.split("\n") if "\n" in text else text.split("\r")
    lines = [line.removesuffix("\r") for line in lines]
    return lines if lines[-1] else lines[:-1]


def parse_number(word: str) -> float:
    """Return a finite decimal number; ``1_000``, ``nan`` and digits of other scripts are none.

    Raises
    ------
    ValueError
        If ``word`` is something else.
    """
    word = word.strip()
    number = float(word) if _NUMBER.fullmatch(word) else math.nan
    if not math.isfinite(number):
        raise ValueError(f"{word[:40]!r} is not a number")
    return number


def warn_once(message: str) -> None:
    """Log a warning that is shown once in a run."""
    logger.warning("%s", message, extra=dict(TELL_ONCE))
