"""Prepare the folders of a run: output, logs and temporary files."""

import logging
import os
import platform
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bids_deepseg.files.atomic import check_writable, make_folder, output_errors

logger = logging.getLogger(__name__)

#: File that marks a folder for temporary files as one of this app's; it names the machine and the process.
SENTINEL = ".bids_deepseg-work"

#: Age after which a folder of a process of another machine counts as left behind.
_OLD_S = 7 * 24 * 3600

#: Tried after ``$TMPDIR``.
_SYSTEM_PLACES = ("/tmp",)


def prepare_output(output_dir: Path) -> None:
    """Create the output folder, and make sure that files can be created in it.

    Raises
    ------
    OutputError
        If that is not possible; the message names the user, the owner and the remedy.
    """
    make_folder(output_dir)
    check_writable(output_dir)


def create_log_folder(output_dir: Path) -> Path:
    """Create the folder ``logs/<time>_<8 digits>`` of one run, which no other run shares."""
    folder = output_dir / "logs" / f"{time.strftime('%Y%m%dT%H%M%S')}_{uuid.uuid4().hex[:8]}"
    make_folder(folder)
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
    if demanded is not None:
        make_folder(demanded)
        with output_errors(demanded):
            folder = _create_in(demanded, "bids_deepseg-")
    else:
        folder = _create_default(environ.get("TMPDIR", ""), output_dir)
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


def clean_leftovers(demanded: Path | None, output_dir: Path, *, environ: Mapping[str, str] | None = None) -> None:
    """Remove what ended runs left in the folders for temporary files.

    Only folders directly inside are looked at, and only those that hold the file :data:`SENTINEL` are removed, if their
    process has ended. Whether a process of another machine has ended cannot be known; its folder is removed when it is
    a week old.

    Parameters
    ----------
    demanded, output_dir, environ
        As for :func:`temporary_folder`.
    """
    environ = os.environ if environ is None else environ
    default = [Path(place) for place in (environ.get("TMPDIR", ""), *_SYSTEM_PLACES) if place] + [output_dir]
    places = [demanded] if demanded is not None else default
    found = sorted({path for place in places for path in place.glob(f"*/{SENTINEL}")})
    left = [path.parent for path in found if not path.parent.is_symlink() and _has_ended(path)]
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
        logger.info("Removed what an ended run left: %s", folder)


def _has_ended(sentinel: Path) -> bool:
    """Tell whether the process of a folder is gone."""
    try:
        machine, _, number = sentinel.read_text(encoding="utf-8").strip().rpartition(" ")
        if machine != platform.node():
            return time.time() - sentinel.stat().st_mtime > _OLD_S
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except (OSError, ValueError):
        return False
    return False


def _create_default(tmpdir: str, output_dir: Path) -> Path:
    """Create a folder in the first place that allows it."""
    for place in filter(None, (tmpdir, *_SYSTEM_PLACES)):
        try:
            return _create_in(Path(place), "bids_deepseg-")
        except OSError:
            continue
    with output_errors(output_dir):
        return _create_in(output_dir, ".work-")


def _create_in(place: Path, prefix: str) -> Path:
    """Create a folder with the file that marks it; on a full drive the folder can be made, and the file cannot."""
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=place)).absolute()
    try:
        (folder / SENTINEL).write_text(f"{platform.node()} {os.getpid()}\n", encoding="utf-8")
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return folder
