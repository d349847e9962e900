"""Hold what the user asked for, checked for contradictions.

Labels are stored without their prefix (``01``, not ``sub-01``) and in the order in which they were given.
"""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bids_deepseg.errors import AnalysisLevelError, UsageError
from bids_deepseg.settings import MethodSettings

LEVELS = ("participant", "group")
CONTRASTS = ("auto", "t1", "t2", "t2s", "dwi")
RERUNS = ("missing", "failed", "changed", "all")
DEVICES = ("cpu", "gpu", "auto")
LOG_FORMATS = ("text", "json")
VOLUMES = ("auto", "mean", "first", "each")

#: Bytes of the units of memory.
_UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "KI": 2**10, "MI": 2**20, "GI": 2**30, "TI": 2**40}


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
    device : {"cpu", "gpu", "auto"}
        Where the networks run.
    seed : int or None
        Recorded; the method draws no random numbers.
    filter_file : Path or None
        BIDS filter file.
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
    device: str = "cpu"
    seed: int | None = None
    filter_file: Path | None = None
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
        if self.volume not in VOLUMES and not self.volume.isdecimal():
            raise UsageError(f"--volume is {self.volume!r}. Choose from: mean, first, each, or a number from 0.")
        for name, count in (("--n-cpus", self.n_cpus), ("--omp-nthreads", self.omp_nthreads)):
            if count is not None and count < 1:
                raise UsageError(f"{name} is {count}. A number of at least 1 is expected.")
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
        if self.settings.is_soft and not self.probseg:
            raise UsageError("--threshold soft makes the probability the result. Leave out --no-probseg.")
        place = self.settings.centerline_file
        if place is not None and not place.is_dir():
            raise UsageError(
                f"--centerline-file {place} is no folder. For a data set, a folder is expected in which the centerline "
                "of each image lies under its name. For one image use 'bids_deepseg segment'."
            )
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


def parse_memory(text: str, unit: str = "M") -> int:
    """Turn the text of an amount of memory into bytes.

    Parameters
    ----------
    text : str
        A decimal number and a unit: K, M, G or T for powers of 1000, with ``i`` for powers of 1024, in any case, with
        or without ``B`` and a space in front.
    unit : str, optional
        Unit of a number without one.

    Raises
    ------
    UsageError
        If it is no such text, or not more than 0.

    Examples
    --------
    ``1.5G``, ``4g``, ``4 GB``, ``500MiB``; ``4000`` is 4000 MB.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)\s*([KMGT]I?)?B?", text.strip().upper())
    amount = round(float(match[1]) * _UNITS[match[2] or unit]) if match else 0
    if amount < 1:
        raise UsageError(f"{text!r} is no amount of memory. Give one like 1.5G, 4g, '4 GB', 500MiB or 4000 (MB).")
    return amount


def parse_links(values: Iterable[str]) -> dict[str, str]:
    """Turn ``NAME=URI`` texts into a mapping.

    Raises
    ------
    UsageError
        If a text has another form.
    """
    links: dict[str, str] = {}
    for value in values:
        name, equals, uri = value.partition("=")
        if not equals or not uri or not all(char.isascii() and char.isalnum() for char in name) or not name:
            raise UsageError(
                f"{value!r} is no link. NAME=URI is expected, letters and digits before '=', for example "
                "raw=doi:10.18112/openneuro.ds000001.v1.0.0"
            )
        links[name] = uri
    return links
