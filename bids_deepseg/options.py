"""Hold what the user asked for, checked for contradictions.

Labels are stored without their prefix (``01``, not ``sub-01``) and in the order in which they were given.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bids_deepseg.errors import AnalysisLevelError, UsageError

LEVELS = ("participant", "group")
CONTRASTS = ("auto", "t1", "t2", "t2s", "dwi")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """One field per option of the command line.

    Attributes
    ----------
    bids_dir, output_dir : Path
        Input, never written to, and output.
    levels : tuple of str
        Analysis levels, ``participant`` before ``group``.
    participants, exclude_participants, sessions : tuple of str
        Labels without prefix; empty for all (or none, for the excluded).
    suffixes : tuple of str
        Suffixes of the images to segment; empty for every kind that can be.
    contrast : str
        Contrast that is recorded, ``auto`` for that of the suffix.
    n_cpus, omp_nthreads : int or None
        Processors of the run and threads of an image, None for the default.
    validation : {"error", "warn", "off"}
        What an invalid data set leads to.
    rerun : {"missing", "all"}
        Whether results that are up to date are computed again.
    on_missing : {"warn", "error"}
        What an unknown participant leads to.
    stop_on_first_crash : bool
        Begin no further image after a failure.
    boilerplate_only, md_only_boilerplate : bool
        Write the methods text and nothing else; write it as Markdown only.
    work_dir : Path or None
        Folder for temporary files, None for the default.
    verbosity : int
        -1 (quiet) to 2 (everything).
    debug : bool
        Show tracebacks and keep temporary files.
    """

    bids_dir: Path
    output_dir: Path
    levels: tuple[str, ...]
    participants: tuple[str, ...] = ()
    exclude_participants: tuple[str, ...] = ()
    sessions: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    contrast: str = "auto"
    n_cpus: int | None = None
    omp_nthreads: int | None = None
    validation: str = "warn"
    rerun: Literal["missing", "all"] = "missing"
    on_missing: str = "warn"
    stop_on_first_crash: bool = False
    boilerplate_only: bool = False
    md_only_boilerplate: bool = False
    work_dir: Path | None = None
    verbosity: int = 0
    debug: bool = False

    def __post_init__(self) -> None:
        unknown = [level for level in self.levels if level not in LEVELS]
        if unknown or not self.levels:
            raise AnalysisLevelError(
                f"The analysis level {', '.join(map(repr, unknown)) or '(none)'} does not exist. "
                f"Choose from: {', '.join(LEVELS)}."
            )
        for name, count in (("--n-cpus", self.n_cpus), ("--omp-nthreads", self.omp_nthreads)):
            if count is not None and count < 1:
                raise UsageError(f"{name} is {count}. A number of at least 1 is expected.")
        _check_folders(self.bids_dir, self.output_dir, self.work_dir)


def _check_folders(bids_dir: Path, output_dir: Path, work_dir: Path | None) -> None:
    """Refuse to write into the input, links followed.

    Raises
    ------
    UsageError
        If the output is the input or lies inside of a subject of it, or if the work folder lies inside of it.
    """
    source, target = _real(bids_dir), _real(output_dir)
    if source == target:
        raise UsageError(
            f"The output folder {output_dir} is the input folder. The input is never written to. "
            f"Choose another, for example {bids_dir / 'derivatives' / 'bids_deepseg'}."
        )
    if target.is_relative_to(source) and target.relative_to(source).parts[0].startswith("sub-"):
        raise UsageError(
            f"The output folder {output_dir} lies inside of a subject of the input. "
            f"Choose another, for example {bids_dir / 'derivatives' / 'bids_deepseg'}."
        )
    if work_dir is not None and _real(work_dir).is_relative_to(source):
        raise UsageError(
            f"The work folder {work_dir} lies inside of the input folder, which is never written to. "
            "Choose one elsewhere with --work-dir."
        )


def _real(path: Path) -> Path:
    """Return the absolute path with links followed, as far as it exists."""
    return Path(os.path.realpath(path))


def read_labels(values: Iterable[str], prefix: str) -> tuple[str, ...]:
    """Turn the arguments of an option into labels.

    Parameters
    ----------
    values : iterable of str
        Labels with or without prefix; the path of an existing file stands for the labels in it, one a line.
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
            if not label or not all(char.isalnum() or char == "+" for char in label):
                raise UsageError(
                    f"{text!r} is no label. Letters and digits are expected, with or without {prefix!r} in front, "
                    "or the path of an existing file with one label a line."
                )
            labels[label] = None
    return tuple(labels)


def _expand(value: str) -> list[str]:
    """Return the lines of a file, or the value itself if it is none."""
    path = Path(value)
    if not path.is_file():
        return [value]
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"The list of labels {value} cannot be read: {error}. Text is expected, UTF-8.") from error
    labels = [line for line in lines if line and not line.startswith("#")]
    if not labels:
        raise UsageError(f"The list of labels {value} is empty. One label a line is expected.")
    return labels
