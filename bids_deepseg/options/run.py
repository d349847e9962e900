"""Hold what the user asked for of a run on a data set, checked for contradictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

from bids_deepseg.errors import AnalysisLevelError, UsageError
from bids_deepseg.files.names import leads_to_folder
from bids_deepseg.options.combinations import check_clicked, check_corrections, check_folders, check_index
from bids_deepseg.options.declare import flag, option, setting, switch
from bids_deepseg.options.selection import SelectionOptions
from bids_deepseg.options.values import parse_links, parse_memory

LEVELS = ("participant", "group")


def _levels(words: Sequence[str]) -> tuple[str, ...]:
    """Return the levels, each once, the group last."""
    return tuple(sorted(set(words), key=lambda level: (level == "group", level)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions(SelectionOptions):
    """Options of a run on a data set.

    The metadata of a field tells what it is; values that need no text of their own are explained there.

    Attributes
    ----------
    levels : tuple of str
        Analysis levels, ``participant`` before ``group``.
    memory : int or None
        Most memory of the run in bytes, None for what is free.
    linked_figures : bool
        Write the figures of pages as files beside them.
    layout : {"bids", "strict"} or None
        Where tables and pages stand; None for that of the output folder.
    links : mapping of str to str
        Entries of ``DatasetLinks`` stated by the user.

    Raises
    ------
    UsageError
        If a value is wrong, or values contradict each other; its subclass for an unknown level.
    """

    bids_dir: Path = field(metadata=option("bids_dir", kind=Path))
    output_dir: Path = field(metadata=option("output_dir", kind=Path))
    levels: tuple[str, ...] = field(metadata=option("analysis_level", count="many", metavar="levels", read=_levels))
    clean_work: bool = flag(
        "--clean-workdir",
        group="resources",
        help="first remove what earlier runs of this app left in the folder for temporary files, and nothing else",
        more="Only folders that contain the file `.bids_deepseg-work` and are not locked by a run are removed, "
        "those of other machines only after a week. Every run removes what killed runs of the same user left, "
        "except what `--keep-work` kept.",
    )
    memory: int | None = field(
        default=None,
        metadata=option(
            *("--mem", "--mem-mb"),
            group="resources",
            metavar="SIZE",
            read=parse_memory,
            write=lambda memory: memory and f"{memory / 1e6!r}M",
            contradicts="--mem-gb",
            help="most memory that the run may use: `1.5G`, `500MiB`, `'4 GB'`; a number without unit is in MB",
            default="all that is free",
        )
        | option(
            "--mem-gb",
            group="resources",
            metavar="SIZE",
            read=partial(parse_memory, unit="G"),
            written=False,
            help="the same; a number without unit is in GB",
        ),
    )
    dask_scheduler: str | None = setting(
        None,
        "--dask-scheduler",
        group="resources",
        metavar="ADDRESS",
        help="segment on a Dask cluster that exists already: the address of its scheduler (`tcp://host:8786`), or "
        "the path of the file that the scheduler wrote",
        more="Needs `pip install 'bids_deepseg[cluster]'`. See [clusters](clusters.md).",
    )
    seed: int | None = setting(
        None,
        "--random-seed",
        group="resources",
        kind=int,
        metavar="N",
        help="recorded in `config.toml`; the method uses no random numbers",
    )
    rerun: tuple[str, ...] = setting(
        ("missing", "changed"),
        "--rerun",
        group="running",
        count="many",
        choices=("missing", "failed", "changed", "all"),
        read=lambda words: tuple(dict.fromkeys(words)),
        help="images to segment: `missing` (no result), `failed` (an earlier run failed, or the verdict is "
        "`fail`), `changed` (the result is of another source, network, version or option), `all`",
        default="`missing changed`",
    )
    stop_on_first_crash: bool = flag(
        "--stop-on-first-crash", group="running", help="start no more images after the first failure"
    )
    dry_run: bool = flag(
        "--dry-run",
        group="running",
        help="print what would be done with each image, and write nothing; with `--log-format json` as JSON",
        more="See [below](#dry-run).",
    )
    config_file: Path | None = field(
        default=None,
        compare=False,
        metadata=option(
            "--config-file",
            group="running",
            kind=Path,
            metavar="FILE",
            written=False,
            help="TOML file with options, such as `logs/*/config.toml`; the command line takes precedence",
            more="See [below](#configuration-file).",
        ),
    )
    linked_figures: bool = field(
        default=False,
        metadata=option(
            "--report-format",
            group="outputs",
            choices=("embedded", "linked"),
            read=lambda word: word == "linked",
            write=lambda linked: "linked" if linked else "embedded",
            help="figures inside the pages, or as files in `sub-*/figures`",
            default="`embedded`",
        ),
    )
    layout: str | None = setting(
        None,
        "--output-layout",
        group="outputs",
        choices=("bids", "strict"),
        help="`bids`: tables and pages beside the images, listed in `.bidsignore`; `strict`: in `docs/`, without "
        "`.bidsignore`",
        default="that of output_dir, or `bids` if it is new",
        more="To change the layout of an existing folder, files are moved; nothing is segmented again.",
    )
    links: Mapping[str, str] = field(
        default_factory=dict,
        metadata=option(
            "--dataset-link",
            group="outputs",
            count="many",
            metavar="NAME=URI",
            read=parse_links,
            write=lambda links: [f"{name}={uri}" for name, uri in links.items()],
            help="where a data set can be found, for `DatasetLinks`: `raw=doi:10.18112/openneuro.ds000001`",
            more="`raw` is the source data set, to which the `Sources` of new results then refer; `--rerun all` "
            "updates results that are up to date. See [outputs](outputs.md#dataset_descriptionjson).",
        ),
    )
    reports_only: bool = flag(
        "--reports-only",
        group="outputs",
        help="write pages and tables from existing results",
        more="Only the pages of the selected participants are written; no network is loaded.",
    )
    boilerplate_only: bool = flag(
        "--boilerplate-only",
        group="outputs",
        help="only write the methods text for the results in output_dir",
        more="`BIDS_DIR` is not read.",
    )
    md_only_boilerplate: bool = flag(
        "--md-only-boilerplate", group="outputs", help="write the methods text only as Markdown"
    )
    log_format: str = setting(
        "text",
        "--log-format",
        group="other",
        choices=("text", "json"),
        help="print plain lines or JSON objects",
        default="`text`",
        more="The objects are the same as in `run.log`.",
    )
    progress: bool = flag(
        "--no-progress",
        value=False,
        group="other",
        help="do not show how many images are done and how much time is left",
        more="On a terminal, a bar shows it, with the image at hand; elsewhere (a file, a pipe, `TERM=dumb`), the "
        "line of each image. `NO_COLOR=1` takes the colours of the bar away.",
    )
    notrack: bool = field(
        default=False,
        compare=False,
        metadata=switch(
            "--notrack",
            written=False,
            group="other",
            help="accepted for compatibility; nothing is ever sent anywhere",
        ),
    )

    def __post_init__(self) -> None:
        unknown = [level for level in self.levels if level not in LEVELS]
        if unknown or not self.levels:
            raise AnalysisLevelError(
                f"The analysis level {', '.join(map(repr, unknown)) or '(none)'} does not exist. "
                f"Choose from: {', '.join(LEVELS)}."
            )
        # Not super(): a dataclass with slots is another class than the one that the body belongs to.
        SelectionOptions.__post_init__(self)
        self._check_modes()
        check_clicked(self.settings)
        place = self.settings.centerline_file
        if place is not None and not leads_to_folder(place):
            raise UsageError(
                f"--centerline-file {place} is not a folder. For a data set, a folder is expected that holds the "
                "centerline of each image under its name. For a single image, use 'bids_deepseg segment'."
            )
        if self.reset_database and self.database_dir is None:
            raise UsageError("--reset-database needs --bids-database-dir, whose index it makes again. Give both.")
        check_folders(self.bids_dir, self.output_dir, self.work_dir)
        check_corrections(self.settings.corrections, self.output_dir)
        if self.database_dir is not None:
            check_index(self.database_dir, self.bids_dir)

    def _check_modes(self) -> None:
        """Refuse ways to run that contradict each other."""
        if self.reports_only and "participant" not in self.levels:
            raise UsageError("--reports-only rebuilds the pages of participants. Use it with the level participant.")
        if self.dry_run and (self.reports_only or "participant" not in self.levels):
            raise UsageError(
                "--dry-run shows which images would be segmented. Use it with the level participant and without "
                "--reports-only."
            )
        if self.boilerplate_only and (self.dry_run or self.reports_only):
            raise UsageError(
                "--boilerplate-only writes the methods text and nothing else. Leave out --dry-run and --reports-only."
            )


def with_absolute_paths(options: RunOptions) -> RunOptions:
    """Return the same options, with every path from the root of the file system.

    Processes of other machines have another working directory. Links are not followed: what they lead to may have
    another name there.
    """
    settings = replace(options.settings, **_absolute(options.settings))
    derivatives = tuple((name, path.absolute()) for name, path in options.derivatives)
    return replace(options, **_absolute(options), settings=settings, derivatives=derivatives)


def _absolute(holder: Any) -> dict[str, Any]:
    """Return the paths among the fields of a dataclass."""
    values = {each.name: getattr(holder, each.name) for each in fields(holder)}
    return {name: value.absolute() for name, value in values.items() if isinstance(value, Path)}
