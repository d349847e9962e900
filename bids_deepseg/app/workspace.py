"""Prepare the folders of a run: output, logs and temporary files."""

import logging
import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bids_deepseg.bids.derivatives.layout import DOCS
from bids_deepseg.bids.derivatives.ownership import WORK_MARK
from bids_deepseg.files.atomic import check_no_link, check_writable, make_folder, make_own_folder, output_errors
from bids_deepseg.files.locks import holding, is_locked
from bids_deepseg.files.names import open_regular

logger = logging.getLogger(__name__)

#: File that marks a folder for temporary files as one of this app's. It is locked while the run lives, and states the
#: start of the machine, since a lock says nothing about processes on another machine.
SENTINEL = WORK_MARK

#: Word in the mark of a folder that was to be kept.
_KEPT = "kept"

#: Bytes of the mark that are read.
_MOST_READ = 200

#: Age after which a folder of another machine counts as left behind.
_OLD_S = 7 * 24 * 3600

#: Tried after ``$TMPDIR``.
_SYSTEM_PLACES = ("/tmp",)

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")

#: Stands for it where it or a lock cannot be had; such a folder is like one of another machine.
_UNKNOWN = "unknown"

#: Names of our folders begin like this, in a folder for temporary files and in the output folder.
_PREFIX, _HIDDEN_PREFIX = "bids_deepseg-", ".work-"


def prepare_output(output_dir: Path) -> None:
    """Create the output folder, and make sure that files can be created in it.

    Whose folder it is, :func:`bids_deepseg.bids.derivatives.ownership.check_ours` tells.

    Raises
    ------
    OutputError
        If that is not possible; the message names the user, the owner and the remedy.
    """
    make_folder(output_dir)
    for name in ("logs", DOCS):
        check_no_link(output_dir, output_dir / name)
    check_writable(output_dir)


def create_log_folder(output_dir: Path) -> Path:
    """Create the folder ``logs/<time>_<8 digits>`` of one run, which no other run shares."""
    folder = output_dir / "logs" / f"{time.strftime('%Y%m%dT%H%M%S')}_{uuid.uuid4().hex[:8]}"
    make_own_folder(output_dir, folder)
    return folder


@contextmanager
def temporary_folder(
    demanded: Path | None, output_dir: Path, *, keep: bool = False, environ: Mapping[str, str] | None = None
) -> Iterator[Path]:
    """Create a folder for temporary files and remove it at the end.

    Parameters
    ----------
    demanded : Path or None
        Where the user wants it. Otherwise the first of ``$TMPDIR``, ``/tmp`` and the output folder that can be
        written to: the root file system of a container may be read-only.
    output_dir : Path
        Output folder; a name with a leading dot is invisible to the BIDS validator.
    keep : bool, optional
        Leave the folder at the end.
    environ : mapping, optional
        Environment variables; those of the process by default.

    Yields
    ------
    Path
        A new, empty folder.
    """
    environ = os.environ if environ is None else environ
    _clean_killed(demanded, output_dir, environ=environ)
    if demanded is not None:
        make_folder(demanded)
        with output_errors(demanded):
            folder = _create_in(demanded, _PREFIX)
    else:
        folder = _create_default(environ.get("TMPDIR", ""), output_dir)
    sentinel = folder / SENTINEL
    try:
        with holding(sentinel) as is_held:
            # Written after it is locked: a mark that says nothing yet belongs to a run that begins.
            machine = _boot() if is_held else _UNKNOWN
            sentinel.write_text(f"{machine}{f' {_KEPT}' if keep else ''}\n", encoding="utf-8")
            yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def clean_leftovers(demanded: Path | None, output_dir: Path, *, environ: Mapping[str, str] | None = None) -> None:
    """Remove what ended runs left in the folders for temporary files, and what they were to keep there.

    Only folders directly inside are looked at, and only those that hold the file :data:`SENTINEL` are removed, if no
    process holds its lock. Whether a run on another machine has ended cannot be known, nor where locks do not work;
    such a folder is removed when it is a week old.

    Parameters
    ----------
    demanded, output_dir, environ
        As for :func:`temporary_folder`.
    """
    for place in _places(demanded, output_dir, environ):
        for sentinel in sorted(place.glob(f"*/{SENTINEL}")):
            if not sentinel.parent.is_symlink() and _has_ended(sentinel):
                _remove(sentinel.parent)


def _clean_killed(demanded: Path | None, output_dir: Path, *, environ: Mapping[str, str] | None = None) -> None:
    """Remove what runs of this user on this machine left that were killed; parameters as for :func:`clean_leftovers`.

    Every run does so at its start. Folders that were to be kept stay.
    """
    for place in _places(demanded, output_dir, environ):
        for sentinel in sorted([*place.glob(f"{_PREFIX}*/{SENTINEL}"), *place.glob(f"{_HIDDEN_PREFIX}*/{SENTINEL}")]):
            try:
                is_mine = sentinel.lstat().st_uid == os.getuid() and not sentinel.parent.is_symlink()
                words = _read(sentinel)
            except OSError:
                continue
            if is_mine and words == [_boot()] != [_UNKNOWN] and not is_locked(sentinel):
                _remove(sentinel.parent)


def _places(demanded: Path | None, output_dir: Path, environ: Mapping[str, str] | None) -> list[Path]:
    """Return the folders in which folders for temporary files are made, each once."""
    if demanded is not None:
        return [demanded]
    tmpdir = (os.environ if environ is None else environ).get("TMPDIR", "")
    return list(dict.fromkeys([*(Path(place) for place in (tmpdir, *_SYSTEM_PLACES) if place), output_dir]))


def _remove(folder: Path) -> None:
    """Remove a folder that an ended run left."""
    shutil.rmtree(folder, ignore_errors=True)
    logger.info("Removed what an earlier run left: %s", folder)


def _has_ended(sentinel: Path) -> bool:
    """Return whether the run of a folder is over."""
    try:
        words, age_s = _read(sentinel), time.time() - sentinel.stat().st_mtime
    except OSError:
        return False
    if words[:1] == [_boot()] != [_UNKNOWN]:
        return not is_locked(sentinel)
    return age_s > _OLD_S


def _read(sentinel: Path) -> list[str]:
    """Return the words of the mark of a folder."""
    with open_regular(sentinel) as file:
        return file.read(_MOST_READ).decode("utf-8", "replace").split()


def _boot() -> str:
    """Return what tells this start of this machine from all others, the same in all its containers."""
    try:
        return _BOOT_ID.read_text(encoding="utf-8").strip() or _UNKNOWN
    except OSError:
        return _UNKNOWN


def _create_default(tmpdir: str, output_dir: Path) -> Path:
    """Create a folder in the first place that allows it."""
    for place in filter(None, (tmpdir, *_SYSTEM_PLACES)):
        try:
            return _create_in(Path(place), _PREFIX)
        except OSError:
            continue
    with output_errors(output_dir):
        return _create_in(output_dir, _HIDDEN_PREFIX)


def _create_in(place: Path, prefix: str) -> Path:
    """Create a folder with the file that marks it; on a full drive the folder can be made, and the file cannot."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place)).absolute()
    try:
        # An empty file takes no room: whether there is any shows when something is written.
        (folder / SENTINEL).write_text("\n", encoding="utf-8")
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder
