"""Hold what the user asked for, checked for contradictions.

Labels are stored without their prefix (``01``, not ``sub-01``) and in the order in which they were given.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bids_deepseg.errors import AnalysisLevelError, UsageError
from bids_deepseg.files.names import leads_to_folder
from bids_deepseg.options.settings import MethodSettings

LEVELS = ("participant", "group")
CONTRASTS = ("auto", "t1", "t2", "t2s", "dwi")
RERUNS = ("missing", "failed", "changed", "all")
DEVICES = ("cpu", "gpu", "auto")
LOG_FORMATS = ("text", "json")
LAYOUTS = ("bids", "strict")
REPORT_FORMATS = ("embedded", "linked")
VOLUMES = ("auto", "mean", "first", "each")


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
    volume : {"auto", "mean", "first", "each"} or str
        What is segmented of an anatomical series; a number is that of a volume, from 0.
    settings : MethodSettings
        How images are segmented.
    n_cpus, omp_nthreads : int or None
        Processors of the run and threads of an image, None for the default.
    validation : {"error", "warn", "off"}
        What an invalid data set leads to.
    rerun : tuple of {"missing", "failed", "changed", "all"}
        Which images are segmented: those without result, those that failed, those whose result is of another state.
    on_missing : {"warn", "error"}
        What an unknown participant leads to.
    stop_on_first_crash : bool
        Begin no further image after a failure.
    boilerplate_only, md_only_boilerplate : bool
        Write the methods text and nothing else; write it as Markdown only.
    work_dir : Path or None
        Folder for temporary files, None for the default.
    keep_work, clean_work : bool
        Leave temporary files at the end; remove those of ended runs at the start.
    memory : int or None
        Most memory of the run in bytes, None for what is free.
    low_memory : bool
        Segment one image at a time and one patch after the other.
    device : {"cpu", "gpu", "auto"}
        Where the networks run.
    seed : int or None
        Recorded; the method draws no random numbers.
    filter_file : Path or None
        BIDS filter file.
    derivatives : tuple of (str, Path)
        Names and folders of derivative data sets with labels of the vertebral levels.
    layout : {"bids", "strict"} or None
        Where tables and pages stand; None for that of the output folder.
    linked_figures : bool
        Write the figures of pages as files beside them.
    database_dir : Path or None
        Folder of pybids' index of the data set.
    reset_database : bool
        Make that index anew.
    probseg, centerline : bool
        Whether these results are written.
    links : mapping of str to str
        Entries of ``DatasetLinks`` stated by the user.
    dry_run, reports_only : bool
        Tell what would be done; write the pages and tables of existing results.
    log_format : {"text", "json"}
        Form of the lines on the terminal.
    progress : bool
        Count the images and estimate the time left.
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
    volume: str = "auto"
    settings: MethodSettings = field(default_factory=MethodSettings)
    n_cpus: int | None = None
    omp_nthreads: int | None = None
    validation: str = "warn"
    rerun: tuple[str, ...] = ("missing", "changed")
    on_missing: str = "warn"
    stop_on_first_crash: bool = False
    boilerplate_only: bool = False
    md_only_boilerplate: bool = False
    work_dir: Path | None = None
    keep_work: bool = False
    clean_work: bool = False
    memory: int | None = None
    low_memory: bool = False
    device: str = "cpu"
    seed: int | None = None
    filter_file: Path | None = None
    derivatives: tuple[tuple[str, Path], ...] = ()
    layout: str | None = None
    linked_figures: bool = False
    database_dir: Path | None = None
    reset_database: bool = False
    probseg: bool = True
    centerline: bool = True
    links: Mapping[str, str] = field(default_factory=dict)
    dry_run: bool = False
    reports_only: bool = False
    log_format: str = "text"
    progress: bool = True
    verbosity: int = 0
    debug: bool = False

    def __post_init__(self) -> None:
        unknown = [level for level in self.levels if level not in LEVELS]
        if unknown or not self.levels:
            raise AnalysisLevelError(
                f"The analysis level {', '.join(map(repr, unknown)) or '(none)'} does not exist. "
                f"Choose from: {', '.join(LEVELS)}."
            )
        if self.volume not in VOLUMES and not re.fullmatch("[0-9]{1,9}", self.volume):
            raise UsageError(f"--volume is {self.volume!r}. Choose from: mean, first, each, or a number from 0.")
        for name, count in (("--n-cpus", self.n_cpus), ("--omp-nthreads", self.omp_nthreads)):
            if count is not None and count < 1:
                raise UsageError(f"{name} is {count}. A number of at least 1 is expected.")
        self._check_modes()
        if self.settings.is_soft and not self.probseg:
            raise UsageError("--threshold soft makes the probability the result. Leave out --no-probseg.")
        place = self.settings.centerline_file
        if place is not None and not leads_to_folder(place):
            raise UsageError(
                f"--centerline-file {place} is no folder. For a data set, a folder is expected in which the centerline "
                "of each image lies under its name. For one image use 'bids_deepseg segment'."
            )
        if self.reset_database and self.database_dir is None:
            raise UsageError("--reset-database makes the index of --bids-database-dir anew. Give that option with it.")
        _check_folders(self.bids_dir, self.output_dir, self.work_dir)
        _check_corrections(self.settings.corrections, self.output_dir)
        if self.database_dir is not None and _real(self.database_dir).is_relative_to(_real(self.bids_dir)):
            raise UsageError(
                f"The index {self.database_dir} lies inside of the input folder, which is never written to. "
                "Choose a folder elsewhere with --bids-database-dir."
            )

    def _check_modes(self) -> None:
        """Refuse ways to run that contradict each other."""
        if self.reports_only and "participant" not in self.levels:
            raise UsageError("--reports-only rebuilds the pages of participants. Give the level participant with it.")
        if self.dry_run and (self.reports_only or "participant" not in self.levels):
            raise UsageError(
                "--dry-run tells which images would be segmented. Give the level participant with it, and leave out "
                "--reports-only."
            )
        if self.boilerplate_only and (self.dry_run or self.reports_only):
            raise UsageError(
                "--boilerplate-only writes the methods text and nothing else. Leave out --dry-run and --reports-only."
            )


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


def _check_corrections(corrections: Path | None, output_dir: Path) -> None:
    """Refuse to take the results for corrections.

    Raises
    ------
    UsageError
        If both are the same folder, links followed.
    """
    if corrections is not None and _real(corrections) == _real(output_dir):
        raise UsageError(
            f"The folder of --corrections is the output folder {output_dir}: every automatic mask would pass for one "
            "of a person. Copy the masks that were corrected into a folder of their own."
        )


def _real(path: Path) -> Path:
    """Return the absolute path with links followed, as far as it exists."""
    return Path(os.path.realpath(path))
