"""Read and write the options of a run as a TOML file.

The keys are the names of the options without ``--``, with ``_`` or ``-``; ``bids_dir``, ``output_dir`` and
``analysis_level`` stand for the words without an option. A file that was written repeats the run when it is read.
"""

import difflib
import re
from collections.abc import Callable, Mapping, Set
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bids_deepseg.errors import UsageError
from bids_deepseg.files.structured import read_toml
from bids_deepseg.options.declare import Option
from bids_deepseg.options.method import config_values
from bids_deepseg.options.run import RunOptions
from bids_deepseg.options.table import option_table

_FOLDERS = ("bids_dir", "output_dir", "analysis_level")

#: Options that say the same thing in two ways: one on the command line replaces the others in the file.
_ALTERNATIVES = (
    frozenset({"verbose", "quiet"}),
    frozenset({"bids_validation", "skip_bids_validation"}),
    frozenset({"mem", "mem_gb"}),
    frozenset({"centerline", "centerline_file"}),
    frozenset({"weights", "weights_dir"}),
)

#: Key and value of each option in the file; what is None, empty or False is left out.
_FIELDS: Mapping[str, Callable[[RunOptions], Any]] = MappingProxyType(
    {
        "bids_dir": lambda options: str(options.bids_dir.absolute()),
        "output_dir": lambda options: str(options.output_dir.absolute()),
        "analysis_level": lambda options: list(options.levels),
        "participant_label": lambda options: list(options.participants),
        "exclude_participant_label": lambda options: list(options.exclude_participants),
        "session_label": lambda options: list(options.sessions),
        "suffix": lambda options: list(options.suffixes),
        "contrast": lambda options: options.contrast,
        "volume": lambda options: options.volume,
        "on_missing": lambda options: options.on_missing,
        "bids_filter_file": lambda options: options.filter_file and str(options.filter_file.absolute()),
        "bids_validation": lambda options: options.validation,
        "n_cpus": lambda options: options.n_cpus,
        "omp_nthreads": lambda options: options.omp_nthreads,
        "work_dir": lambda options: options.work_dir and str(options.work_dir.absolute()),
        "keep_work": lambda options: options.keep_work,
        "clean_workdir": lambda options: options.clean_work,
        "mem": lambda options: options.memory and f"{options.memory / 1e6!r}M",
        "low_mem": lambda options: options.low_memory,
        "device": lambda options: options.device,
        "random_seed": lambda options: options.seed,
        "rerun": lambda options: list(options.rerun),
        "stop_on_first_crash": lambda options: options.stop_on_first_crash,
        "dry_run": lambda options: options.dry_run,
        "derivatives": lambda options: [f"{name}={path.absolute()}" for name, path in options.derivatives],
        "output_layout": lambda options: options.layout,
        "report_format": lambda options: "linked" if options.linked_figures else "embedded",
        "bids_database_dir": lambda options: options.database_dir and str(options.database_dir.absolute()),
        "reset_database": lambda options: options.reset_database,
        "no_probseg": lambda options: not options.probseg,
        "no_centerline": lambda options: not options.centerline,
        "dataset_link": lambda options: [f"{name}={uri}" for name, uri in options.links.items()],
        "reports_only": lambda options: options.reports_only,
        "boilerplate_only": lambda options: options.boilerplate_only,
        "md_only_boilerplate": lambda options: options.md_only_boilerplate,
        "log_format": lambda options: options.log_format,
        "no_progress": lambda options: not options.progress,
        "verbose": lambda options: max(0, options.verbosity),
        "quiet": lambda options: options.verbosity < 0,
        "debug": lambda options: options.debug,
    }
)


def write_config(options: RunOptions, path: Path) -> None:
    """Write all options of a run, also those that have their default.

    Parameters
    ----------
    options : RunOptions
        What was asked for.
    path : Path
        A TOML file.
    """
    import tomli_w  # noqa: PLC0415 - not needed for --help

    values = {key: value(options) for key, value in _FIELDS.items()} | config_values(options.settings)
    # 0 is a value, for the seed say; False and nothing are not.
    told = {key: value for key, value in values.items() if value or (value == 0 and value is not False)}
    text = "# Repeat this run: bids_deepseg --config-file <this file>\n\n" + tomli_w.dumps(told)
    path.write_text(_as_text(text), encoding="utf-8")


def _as_text(text: str) -> str:
    """Return TOML without surrogates, which it cannot hold.

    In a locale that knows less than UTF-8, they stand for its bytes and become characters. A name whose bytes are no
    text at all is changed, and a comment says so.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        note = "# A name below is no text in UTF-8: \\udcXX stands for one of its bytes. Give it on the command line.\n"
        # A backslash is escaped in TOML.
        return note + re.sub("[\ud800-\udfff]", lambda found: f"\\\\u{ord(found[0]):04x}", text)


def read_config(path: Path) -> dict[str, Any]:
    """Read a TOML file of options.

    Returns
    -------
    dict of str to (str, int, float, bool or list)
        Values by the destination of their option.

    Raises
    ------
    UsageError
        If the file cannot be read or a key is no option.
    """
    try:
        content = read_toml(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"The configuration file {path} cannot be read: {error}. TOML is expected.") from error
    known = {name: option.destination for option in option_table() for name in _keys(option)}
    known |= {name: name for name in _FOLDERS}
    config: dict[str, Any] = {}
    for key, value in content.items():
        destination = known.get(key.replace("-", "_"))
        if destination is None or destination == "config_file":
            near = difflib.get_close_matches(key, known, 1)
            raise UsageError(
                f"The configuration file {path} has the key {key!r}, which is no option"
                + (f"; did you mean {near[0]!r}?" if near else ". --help lists the options.")
            )
        if destination in config:
            raise UsageError(f"The configuration file {path} gives {key!r} twice, by two names. Remove one.")
        config[destination] = value
    return config


def folders_of(config: Mapping[str, Any]) -> list[str]:
    """Return the folders and levels of a configuration in the order of the command line."""
    return [text for key in _FOLDERS if key in config for text in _texts(key, config[key])]


def words_of(config: Mapping[str, Any], given: Set[str]) -> list[str]:
    """Write a configuration as words of a command line.

    Parameters
    ----------
    config : mapping
        From :func:`read_config`.
    given : set of str
        First names of the options on the command line, which replace those of the file.
    """
    table = {option.destination: option for option in option_table()}
    taken = {option.destination for option in table.values() if given & set(option.names)}
    taken |= {name for names in _ALTERNATIVES if names & taken for name in names}
    words: list[str] = []
    for key, value in config.items():
        if key not in _FOLDERS and key not in taken:
            words += _words_of_option(table[key], value)
    return words


def _words_of_option(option: Option, value: Any) -> list[str]:
    """Return the words of one option."""
    name = option.names[0]
    if option.count == "none":
        # Only --verbose may count.
        if isinstance(value, bool) or (name == "--verbose" and isinstance(value, int) and value >= 0):
            return [name] * int(value)
        raise UsageError(f"In the configuration file, {option.destination} is {value!r}. true or false is expected.")
    texts = _texts(option.destination, value)
    if option.count == "one" and len(texts) != 1:
        raise UsageError(f"In the configuration file, {option.destination} is {value!r}. One value is expected.")
    return [f"{name}={texts[0]}"] if option.count == "one" else [name, *texts] if texts else []


def _texts(key: str, value: Any) -> list[str]:
    """Return a value, or each of a list, as text."""
    values = value if isinstance(value, list) else [value]
    if any(isinstance(each, bool) or not isinstance(each, str | int | float) for each in values):
        raise UsageError(f"In the configuration file, {key} is {value!r}. A text, a number or a list is expected.")
    return [str(each) for each in values]


def _keys(option: Option) -> set[str]:
    """Return the keys that stand for an option."""
    return {name.lstrip("-").replace("-", "_") for name in option.names if name.startswith("--")}
