"""Refuse folders that must not be the same, or lie inside each other."""

import os
from pathlib import Path

from bids_deepseg.errors import UsageError
from bids_deepseg.files.names import leads_to_folder


def check_folders(bids_dir: Path, output_dir: Path, work_dir: Path | None) -> None:
    """Refuse to write into the input, links followed.

    Raises
    ------
    UsageError
        If the output is the input or lies inside a subject of it, or if the work folder lies inside it.
    """
    source, target = _real(bids_dir), _real(output_dir)
    if source == target:
        raise UsageError(
            f"The output folder {output_dir} is the input folder. The input is never written to. "
            f"Choose another, for example {bids_dir / 'derivatives' / 'bids_deepseg'}."
        )
    if target.is_relative_to(source) and target.relative_to(source).parts[0].startswith("sub-"):
        raise UsageError(
            f"The output folder {output_dir} lies inside a participant's folder of the input. "
            f"Choose another, for example {bids_dir / 'derivatives' / 'bids_deepseg'}."
        )
    if work_dir is not None and _real(work_dir).is_relative_to(source):
        raise UsageError(
            f"The work folder {work_dir} lies inside the input folder, which is never written to. "
            "Choose one elsewhere with --work-dir."
        )


def check_corrections(corrections: Path | None, output_dir: Path) -> None:
    """Refuse to take the results for corrections.

    Raises
    ------
    UsageError
        If both are the same folder, links followed.
    """
    if corrections is not None and _real(corrections) == _real(output_dir):
        raise UsageError(
            f"The folder of --corrections is the output folder {output_dir}: every automatic mask would count as "
            "corrected by hand. Copy the corrected masks into a folder of their own."
        )


def check_index(database_dir: Path, bids_dir: Path) -> None:
    """Refuse to write the index into the input.

    Raises
    ------
    UsageError
        If it lies inside it, links followed.
    """
    if _real(database_dir).is_relative_to(_real(bids_dir)):
        raise UsageError(
            f"The index {database_dir} lies inside the input folder, which is never written to. "
            "Choose a folder elsewhere with --bids-database-dir."
        )


def existing_corrections(corrections: Path) -> Path:
    """Return the folder of corrections, which must be there: one that is not would pass for one without corrections."""
    if not leads_to_folder(corrections):
        raise UsageError(f"The folder of --corrections {corrections} does not exist. Correct its name.")
    return corrections


def _real(path: Path) -> Path:
    """Return the absolute path with links followed, as far as it exists."""
    return Path(os.path.realpath(path))
