"""Refuse settings of the method that contradict each other or have no effect together, and folders that must differ.

Folders must not be the same, or lie inside each other.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bids_deepseg.errors import UsageError
from bids_deepseg.files.names import leads_to_folder
from bids_deepseg.options.values import SOFT
from bids_deepseg.structures.tasks import TASKS

if TYPE_CHECKING:
    from bids_deepseg.options.method import MethodSettings


def check_combinations(settings: "MethodSettings") -> None:
    """Raise unless all settings have an effect together.

    Raises
    ------
    UsageError
        If values contradict each other.
    """
    limit = settings.threshold
    if not (limit is None or limit == SOFT or (isinstance(limit, float) and 0 <= limit <= 1)):
        raise UsageError(f"--threshold is {limit}. A number from 0 to 1 is expected, or the word {SOFT}.")
    given = settings.centerline in ("file", "viewer")
    if settings.centerline == "file" and settings.centerline_file is None:
        raise UsageError("--centerline file needs --centerline-file with the centerline.")
    if not given and settings.centerline_file is not None:
        raise UsageError(f"--centerline {settings.centerline} and --centerline-file contradict each other. Choose one.")
    if settings.brain != "auto" and settings.centerline != "cnn":
        raise UsageError(
            f"--brain {settings.brain} has no effect with --centerline {settings.centerline}: only the detection "
            "network decides where the cord begins and ends. Leave one of them out."
        )
    _check_propseg(settings)
    _check_weights(settings)


def check_clicked(settings: "MethodSettings") -> None:
    """Refuse a centerline that is still to be clicked: only ``bids_deepseg segment`` opens the page for that.

    Raises
    ------
    UsageError
        If there is no file with the points.
    """
    if settings.centerline == "viewer" and settings.centerline_file is None:
        raise UsageError(
            "--centerline viewer needs --centerline-file with the points. 'bids_deepseg viewer IMAGE' opens a page on "
            "which you click them, 'bids_deepseg review' does so for images that have results, and 'bids_deepseg "
            "segment IMAGE --centerline viewer' segments one image at once."
        )


def _check_propseg(settings: "MethodSettings") -> None:
    """Refuse what PropSeg does not look at, and what only PropSeg looks at."""
    if settings.method != "propseg":
        if settings.propseg_init != "optic":
            raise UsageError(f"--propseg-init {settings.propseg_init} needs --method propseg. Give both, or neither.")
        return
    unused = {
        f"--brain {settings.brain}": settings.brain != "auto",
        f"--kernel {settings.kernel}": settings.kernel != "2d",
        f"--profile {settings.profile}": settings.profile != "default",
        f"--border {settings.border}": settings.border != "image",
    }
    for words, given in unused.items():
        if given:
            raise UsageError(f"--method propseg and {words} contradict each other. Choose one.")
    if settings.propseg_init == "hough" and settings.centerline_file is not None:
        raise UsageError(
            "--propseg-init hough and --centerline-file contradict each other: circles find the cord without a "
            "centerline. Choose one."
        )


def _check_weights(settings: "MethodSettings") -> None:
    """Refuse combinations of networks that do not exist."""
    if (settings.weights_dir is not None) != (settings.weights == "sct"):
        raise UsageError(
            "--weights sct and --weights-dir belong together: the published networks are not part of this package. "
            "Give both, or neither; 'bids_deepseg weights' says where to find them."
        )
    if settings.task in TASKS and TASKS[settings.task].own_network is None and settings.weights != "sct":
        raise UsageError(
            f"--task {settings.task} has no network in this package: it needs published ones. Give --weights sct and "
            "--weights-dir; 'bids_deepseg weights' lists them."
        )
    if settings.profile == "sct":
        _check_sct(settings)
    elif settings.sct_quirks != "fixed":
        raise UsageError("--sct-quirks needs --profile sct. Give both, or neither.")
    elif settings.weights == "sct" and settings.kernel == "3d":
        raise UsageError("With --weights sct, --kernel 3d needs --profile sct. Add that, or leave out --kernel 3d.")


def _check_sct(settings: "MethodSettings") -> None:
    """Refuse what the reference method does not have."""
    if settings.weights != "sct":
        raise UsageError(
            "--profile sct runs the published networks, which are not part of this package. Give their folder with "
            "--weights-dir; 'bids_deepseg weights' says where to find them."
        )
    if settings.border != "image":
        raise UsageError(
            f"--border {settings.border} has no effect with --profile sct: the reference method moves no outline. "
            "Leave one of them out."
        )


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
