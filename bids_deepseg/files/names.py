"""Names of files: whether one leads anywhere, whether it fits, and how it is shown.

A name may be anything but NUL and slash: too long for the file system, bytes that are not text, control characters that
would move the cursor of a terminal. Python keeps bytes that are not text as *surrogates*, which no encoding accepts.
"""

import hashlib
import os
import re
import stat
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path

#: Bytes of a name on nearly all file systems.
NAME_BYTES = 255

#: Control characters (C0, DEL, C1), surrogates, and characters that reorder or break a line.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

#: The same, without line breaks and tabs: those of a text of several lines.
_UNPRINTABLE_IN_TEXT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")

#: Bytes of the checksum in a shortened name.
_DIGEST = 16


def leads_to_file(path: Path) -> bool:
    """Return whether a path leads to an ordinary file; one that cannot be one, or be looked at, does not."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises for names that are too long or hold NUL


def leads_to_folder(path: Path) -> bool:
    """Return whether a path leads to a folder; one that cannot be one, or be looked at, does not."""
    return os.path.isdir(path)  # noqa: PTH112 - Path.is_dir raises for names that are too long or hold NUL


def is_link(path: Path) -> bool:
    """Return whether a name is that of a link, wherever that leads; one that cannot be looked at is none."""
    return os.path.islink(path)  # noqa: PTH114 - Path.is_symlink raises where the folder may not be entered


def why_no_folder(path: Path) -> str | None:
    """Say why a name that should be that of a folder is none that can be entered.

    Parameters
    ----------
    path : Path
        Something that has this name may be a folder, a link, a file.

    Returns
    -------
    str or None
        A sentence with what to do; None for a folder, or a link to one.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return "It is a link to a folder that does not exist (not mounted?). Mount or copy it."
    except OSError as error:
        if is_link(path) and not isinstance(error, PermissionError):
            return f"It is a link that leads nowhere: {error.strerror}. Point it to the folder."
        return f"It cannot be entered: {error.strerror}. Make it readable."
    return None if stat.S_ISDIR(mode) else "It is a file where a folder is expected. Replace it by the folder."


def n_bytes(name: str) -> int:
    """Return the length of a name in bytes, in which file systems count."""
    return len(name.encode("utf-8", "surrogateescape"))


def fitting_name(name: str, most: int = NAME_BYTES) -> str:
    """Return a name that is not too long: itself, or its beginning, a checksum of the whole, and its last extension.

    Parameters
    ----------
    name : str
        File name without folder.
    most : int, optional
        Bytes.
    """
    if n_bytes(name) <= most:
        return name
    extension = Path(name).suffix
    end = f"-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:_DIGEST]}"
    end += extension if n_bytes(extension) <= most // 4 else ""
    start = name.encode("utf-8", "surrogateescape")[: most - n_bytes(end)]
    return start.decode("utf-8", "ignore") + end


def as_utf8(text: str) -> bytes:
    r"""Return the bytes of a text in which names occur, for a file.

    In a locale that knows less than UTF-8, surrogates stand for its bytes and become characters again; bytes that are
    no text at all are written as ``\udcXX``, which is JSON as well.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode().encode()
    except UnicodeError:
        return text.encode("utf-8", "backslashreplace")


def printable(text: object, encoding: str = "utf-8") -> str:
    r"""Return a name as it is shown in one line: what a terminal would obey or refuse is written as ``\uXXXX``.

    Parameters
    ----------
    text : object
        Written by ``str``.
    encoding : str, optional
        Encoding of the terminal.
    """
    return _in_encoding(_UNPRINTABLE.sub(lambda found: _escape(found[0]), str(text)), encoding)


def printable_text(text: str, encoding: str = "utf-8") -> str:
    """Return a text of one or more lines as :func:`printable` would, its line breaks and tabs kept.

    JSON stays JSON: the escapes are those of its texts, and outside texts it holds none of these characters.
    """
    return _in_encoding(_UNPRINTABLE_IN_TEXT.sub(lambda found: _escape(found[0]), text), encoding)


def printable_entry(text: str, encoding: str = "utf-8") -> str:
    """Return a message as :func:`printable_text` would, with the line breaks of names escaped.

    The lines of a message after its first are indented, so that no name can begin a line that looks like one of ours.
    """
    return printable_text(re.sub(r"\n(?!  )", lambda found: _escape(found[0]), text), encoding)


def _in_encoding(text: str, encoding: str) -> str:
    """Escape what an encoding cannot express."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(char if _can_be_encoded(char, encoding) else _escape(char) for char in text)
    return text


def _can_be_encoded(char: str, encoding: str) -> bool:
    """Return whether an encoding has a character."""
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escape(char: str) -> str:
    """Return a character as JSON escapes it; those beyond the first 65536 as two surrogates."""
    pair = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{pair[start : start + 4]}" for start in range(0, len(pair), 4))


def shorten(names: Iterable[object], most: int = 10) -> str:
    """Join names for a message, not more than ``most`` of them."""
    shown = [printable(name) for name in names]
    more = f" and {len(shown) - most} more" if len(shown) > most else ""
    return (", ".join(shown[:most]) or "(none)") + more


class NotRegularError(OSError):
    """A pipe, a socket or a device where an ordinary file is expected."""


def open_regular(path: Path) -> BufferedReader:
    """Open an ordinary file for reading; links are followed.

    Returns
    -------
    binary file
        At its start. The caller closes it.

    Raises
    ------
    NotRegularError
        If the path leads to a pipe, a socket or a device.
    OSError
        If it cannot be opened; ``IsADirectoryError`` for a folder.
    """
    # Without O_NONBLOCK, opening a pipe waits until another process writes to it. For ordinary files it means nothing.
    try:
        number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        # A socket cannot be opened at all.
        if path.is_socket():
            raise _not_regular(path) from error
        raise
    kind = os.fstat(number).st_mode
    if not stat.S_ISREG(kind):
        os.close(number)
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(f"{path.name} is a folder. A file is expected.")
        raise _not_regular(path)
    return os.fdopen(number, "rb")


def _not_regular(path: Path) -> NotRegularError:
    """Return the error for what is not an ordinary file."""
    return NotRegularError(f"{path.name} is not an ordinary file but a pipe, a socket or a device.")
