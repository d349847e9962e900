"""Write files so that a reader sees the old one or the new one, never a part, whenever the process ends.

A file is written under a hidden temporary name in the folder where it belongs, brought to the disk and renamed. No lock
is taken (locks fail on network drives): processes that write the same name at the same time write the same content.
"""

import errno
import hashlib
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bids_deepseg.errors import OutputError, OutputWriteError
from bids_deepseg.files.names import NAME_BYTES, n_bytes, open_regular

#: A file and the function that writes its content.
FileToWrite = tuple[Path, Callable[[BinaryIO], object]]

_TEMPORARY = ".tmp-"

#: Hexadecimal digits that tell temporary files of one name apart.
_TOKEN = 12

_PROBE = "probe"

#: Bytes of a temporary name on any file system of today (encrypted ones allow 143).
_ROOM = 143

#: Another process may remove our temporary file, once, when it starts to write the same file.
_ATTEMPTS = 50

_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})

#: What drives answer that cannot bring a file to the disk when asked (some network and FUSE drives).
_NO_SYNC = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY, errno.EPERM})


def write_files(files: Sequence[FileToWrite]) -> None:
    """Write several files in the same folder; they appear one after the other, in the given order.

    Nothing appears unless all could be written.

    Raises
    ------
    OutputError
        If a file cannot be created.
    OutputWriteError
        If the disk is full or fails.
    """
    for path, _ in files:
        _remove_leftovers(path)
    for attempt in range(_ATTEMPTS):
        try:
            _write_and_rename(files)
        except OutputError as error:
            lost = isinstance(error.__cause__, FileNotFoundError)
            if not lost or attempt == _ATTEMPTS - 1:
                raise
        else:
            return


def write_if_different(path: Path, content: bytes) -> bool:
    """Write a file unless it has this content already; return whether it was written."""
    try:
        with open_regular(path) as stream:
            if stream.read(len(content) + 1) == content:
                return False
    except OSError:
        pass
    write_files([(path, lambda stream: stream.write(content))])
    return True


def make_folder(path: Path) -> None:
    """Create a folder and those above it.

    Raises
    ------
    OutputError
        If it cannot be created.
    """
    with output_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def make_own_folder(root: Path, path: Path) -> None:
    """Create a folder below another one, and make sure that no link leads from there to elsewhere.

    Parameters
    ----------
    root : Path
        Folder to which everything below it belongs; it may be a link itself.
    path : Path
        Folder below it, or itself.

    Raises
    ------
    OutputError
        If it cannot be created, or a folder on the way is a link: what lies behind it may belong to others.
    """
    check_no_link(root, path)
    make_folder(path)


def check_no_link(root: Path, path: Path) -> None:
    """Raise unless the way from a folder to a place below it leads through folders only; as for make_own_folder."""
    folder = next((each for each in _way(root, path) if each.is_symlink()), None)
    if folder is not None:
        raise OutputError(
            f"{folder} is a link. A folder is expected: nothing is written or removed behind a link, where it may "
            "belong to somebody else. Put a folder in its place, or give another output folder."
        )


def leads_through_link(root: Path, path: Path) -> bool:
    """Return whether a folder on the way from one folder to a file below it is a link."""
    return any(folder.is_symlink() for folder in _way(root, path.parent))


def _way(root: Path, path: Path) -> Iterator[Path]:
    """Yield the folders below one folder on the way to a place, that place included."""
    steps = path.relative_to(root).parts
    return (root.joinpath(*steps[: depth + 1]) for depth in range(len(steps)))


def check_writable(folder: Path) -> None:
    """Make sure that files can be created in a folder, by creating one.

    Raises
    ------
    OutputError
        If none can be created.
    """
    with output_errors(folder):
        # What an earlier process left that was killed right here goes, too; another one may do the same with ours.
        _remove_leftovers(folder / _PROBE)
        probe = folder / _temporary_name(_PROBE)
        probe.touch()
        probe.unlink(missing_ok=True)


def check_possible(folder: Path) -> None:
    """Make sure that a folder is there or may perhaps be created, without writing anything.

    Raises
    ------
    OutputError
        If its name is too long, or it is a file or lies in one.
    """
    with output_errors(folder):
        try:
            kind = folder.stat().st_mode
        except FileNotFoundError:
            return
        if not stat.S_ISDIR(kind):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))


def _remove_leftovers(path: Path) -> None:
    """Remove temporary files of a process that ended while it wrote ``path``."""
    ours = re.compile(re.escape(_TEMPORARY) + f"[0-9a-f]{{{_TOKEN}}}" + re.escape(_temporary_end(path.name)), re.DOTALL)
    try:
        with os.scandir(path.parent) as entries:
            leftovers = [entry.name for entry in entries if ours.fullmatch(entry.name)]
    except OSError:
        return
    for name in leftovers:
        path.with_name(name).unlink(missing_ok=True)


def longest_name(folder: Path) -> int:
    """Return how many bytes a name in a folder may have, by the file system of the closest folder that exists."""
    try:
        return min(NAME_BYTES, os.pathconf(_existing(folder), "PC_NAME_MAX"))
    except (OSError, ValueError):
        return NAME_BYTES


def too_long(name: str, most: int) -> str | None:
    """Say that a name is too long, and what to do; None if it is not.

    Parameters
    ----------
    name : str
        File name without folder.
    most : int
        Bytes, from :func:`longest_name`.
    """
    length = n_bytes(name)
    if length <= most:
        return None
    return f"the name would have {length} bytes, {most} are possible: shorten the labels"


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an error of the operating system into one that says who cannot write where, and what to do."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in _DISK_ERRORS:
            free = shutil.disk_usage(_existing(path)).free / 1e6
            raise OutputWriteError(
                f"{path} could not be written: {reason} ({free:.0f} MB are free). Make room and run again; "
                "finished images are kept."
            ) from error
        if error.errno == errno.ENAMETOOLONG:
            raise OutputError(_explain_length(path)) from error
        raise OutputError(_explain(path, reason)) from error


def _explain(path: Path, reason: str) -> str:
    """Say who we are, to whom the folder belongs, and how to make it writable."""
    existing = _existing(path)
    owner = existing.stat()
    return (
        f"{path} cannot be created: {reason}. This process runs as {os.getuid()}:{os.getgid()}, "
        f"{existing} belongs to {owner.st_uid}:{owner.st_gid} (mode {owner.st_mode & 0o777:o}). Create the output "
        "folder first (mkdir) and run as its owner; with Docker: -u $(id -u):$(id -g)"
    )


def _explain_length(path: Path) -> str:
    """Say which name in a path is too long, or that the path is."""
    most = longest_name(path)
    problem = next((reason for name in reversed(path.parts) if (reason := too_long(name, most))), None)
    if problem is None:
        problem = f"the path has {n_bytes(str(path))} bytes, which is too long. Choose a shorter one"
    return f"{path} cannot be created: {problem}."


def _existing(path: Path) -> Path:
    """Return the path or the closest folder above it that exists."""
    steps = path.absolute().parts
    # One step after the other from the root: a path may have thousands.
    folder = Path(steps[0])
    for step in steps[1:]:
        if not os.path.exists(folder / step):  # noqa: PTH110 - Path.exists raises for names that are too long
            break
        folder /= step
    return folder


def _temporary_name(name: str) -> str:
    """Return a name under which a file is written; it is not too long if the name itself is not."""
    return f"{_TEMPORARY}{uuid.uuid4().hex[:_TOKEN]}{_temporary_end(name)}"


def _temporary_end(name: str) -> str:
    """Return the end of the temporary names of a file: its name, or a checksum of one that leaves no room."""
    if n_bytes(name) + len(_TEMPORARY) + _TOKEN + 1 <= _ROOM:
        return f"-{name}"
    return f"-{hashlib.sha256(os.fsencode(name)).hexdigest()[:24]}"


def _to_disk(number: int) -> None:
    """Bring a file to the disk, as far as its drive can."""
    try:
        os.fsync(number)
    except OSError as error:
        if error.errno not in _NO_SYNC:
            raise


def _write_and_rename(files: Sequence[FileToWrite]) -> None:
    """Write all files under temporary names, then rename them in order."""
    temporary = {path: path.with_name(_temporary_name(path.name)) for path, _ in files}
    try:
        for path, write in files:
            with output_errors(path), temporary[path].open("xb") as stream:
                write(stream)
                stream.flush()
                _to_disk(stream.fileno())
        for path, written in temporary.items():
            with output_errors(path):
                written.replace(path)
    finally:
        _remove_all(temporary.values())


def _remove_all(paths: Iterable[Path]) -> None:
    """Remove what is left of temporary files."""
    for path in paths:
        path.unlink(missing_ok=True)
