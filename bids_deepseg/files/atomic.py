"""Write files so that a reader sees the old one or the new one, never a part, whenever the process ends.

A file is written under a hidden temporary name in the folder where it belongs, brought to the disk and renamed. No lock
is taken (locks fail on network drives): processes that write the same name at the same time write the same content.
"""

import errno
import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from bids_deepseg.errors import OutputError, OutputWriteError
from bids_deepseg.files.regular import open_regular

#: A file and the function that writes its content.
FileToWrite = tuple[Path, Callable[[BinaryIO], object]]

_TEMPORARY = ".tmp-"

_PROBE = "probe"

#: Another process may remove our temporary file, once, when it starts to write the same file.
_ATTEMPTS = 50

_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})


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
        remove_leftovers(path)
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
        If it cannot be created, or a folder on the way is a link: what lies behind it may be anybody's.
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
    """Tell whether a folder on the way from one folder to a file below it is a link."""
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
        remove_leftovers(folder / _PROBE)
        probe = folder / f"{_TEMPORARY}{uuid.uuid4().hex[:12]}-{_PROBE}"
        probe.touch()
        probe.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove temporary files of a process that ended while it wrote ``path``."""
    for leftover in path.parent.glob(f"{_TEMPORARY}*-{path.name}"):
        leftover.unlink(missing_ok=True)


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


def _existing(path: Path) -> Path:
    """Return the path or the closest folder above it that exists."""
    return next(folder for folder in (path, *path.absolute().parents) if _is_there(folder))


def _is_there(path: Path) -> bool:
    """Tell whether there is such a path; a name that is too long belongs to none."""
    try:
        return path.exists()
    except OSError:
        return False


def _write_and_rename(files: Sequence[FileToWrite]) -> None:
    """Write all files under temporary names, then rename them in order."""
    token = uuid.uuid4().hex[:12]
    temporary = {path: path.with_name(f"{_TEMPORARY}{token}-{path.name}") for path, _ in files}
    try:
        for path, write in files:
            with output_errors(path), temporary[path].open("xb") as stream:
                write(stream)
                stream.flush()
                os.fsync(stream.fileno())
        for path, written in temporary.items():
            with output_errors(path):
                written.replace(path)
    finally:
        _remove_all(temporary.values())


def _remove_all(paths: Iterable[Path]) -> None:
    """Remove what is left of temporary files."""
    for path in paths:
        path.unlink(missing_ok=True)
