"""Read the command line.

Before the words reach :mod:`argparse`, other spellings are replaced by the first one, and the positional words are
moved to the front: options may stand anywhere, also an option with several values before the folders.
"""

import argparse
import difflib
import textwrap
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from bids_deepseg.errors import UsageError
from bids_deepseg.options.config_file import folders_of, read_config, words_of
from bids_deepseg.options.declare import Option, place
from bids_deepseg.options.method import settings_of
from bids_deepseg.options.run import LEVELS, RunOptions
from bids_deepseg.options.table import option_table
from bids_deepseg.options.values import parse_links, parse_memory, parse_places, read_labels

_USAGE = "run.py bids_dir output_dir {participant,group} [{participant,group}] [options]"

_DESCRIPTION = """\
Segment the spinal cord in the images of a BIDS data set, offline.

  bids_dir     data set in BIDS; it is never written to (the group level does not read it)
  output_dir   folder of the results, created if needed
  participant  segment all selected images; results that are up to date are kept
  group        collect the measures of all images in output_dir in one table"""

_EPILOG = """\
Every "-" inside of an option may also be written "_". Exit codes: 0 all done, 1 some images failed, 16 invalid data
set, 17 unknown level, 18 nothing selected, 64 wrong usage, 65 bad images, 66 no input, 73 output cannot be created,
74 disk full, 75 not enough memory, 78 networks damaged, 129, 130 and 143
interrupted.

To try it out:  bids_deepseg example DIR   writes a small data set."""


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help in which options are not broken at their hyphens."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)


class OptionParser(argparse.ArgumentParser):
    """A parser that raises instead of ending the process with code 2, which BIDS Apps reserve."""

    def error(self, message: str) -> NoReturn:
        """Raise the message as :class:`UsageError`."""
        raise UsageError(f"{message[:1].upper()}{message[1:]}. Usage: {self.usage}; --help explains the options.")


def build_parser() -> argparse.ArgumentParser:
    """Build the parser from the table of options."""
    from bids_deepseg import __version__  # noqa: PLC0415 - reads a file

    parser = OptionParser(
        "bids_deepseg",
        usage=_USAGE,
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=_HelpFormatter,
        allow_abbrev=False,
        add_help=False,
    )
    parser.add_argument("bids_dir", type=place, help=argparse.SUPPRESS)
    parser.add_argument("output_dir", type=place, help=argparse.SUPPRESS)
    parser.add_argument("levels", nargs="+", help=argparse.SUPPRESS)
    groups = add_options(parser, option_table())
    groups["other"].add_argument("-h", "--help", action="help", help="show this text")
    groups["other"].add_argument("--version", action="version", version=f"bids_deepseg {__version__}")
    return parser


def add_options(parser: argparse.ArgumentParser, rows: Sequence[Option]) -> dict[str, Any]:
    """Add options to a parser, each under its heading; return the headings."""
    groups: dict[str, Any] = {}
    for option in rows:
        if option.group not in groups:
            groups[option.group] = parser.add_argument_group(option.group)
        settings = {"dest": option.destination, **option.settings}
        if option.count == "many":
            settings |= {"nargs": "+", "action": "extend"}
        short = [name for name in option.names if not name.startswith("--")]
        others = [name for name in option.names[1:] if name not in short]
        text = f"{option.help} [also {', '.join(others)}]" if others else option.help
        groups[option.group].add_argument(*short, option.names[0], help=text.replace("%", "%%"), **settings)
    return groups


def parse_arguments(words: Sequence[str]) -> RunOptions:
    """Turn the words of the command line into options.

    Parameters
    ----------
    words : sequence of str
        Everything after the name of the program.

    Returns
    -------
    RunOptions
        Checked options.

    Raises
    ------
    UsageError
        If the words do not fit the table; its subclasses for an unknown level.
    SystemExit
        With code 0 after ``--help`` and ``--version``.
    """
    parser = build_parser()
    complete = _with_config(arrange(words))
    check_words(complete)
    found, unknown = parser.parse_known_args(complete)
    if unknown:
        parser.error(_unknown_option(unknown[0]))
    if found.skip_bids_validation and found.bids_validation == "error":
        raise UsageError("--skip-bids-validation and --bids-validation error contradict each other. Choose one.")
    return RunOptions(
        bids_dir=found.bids_dir,
        output_dir=found.output_dir,
        levels=tuple(sorted(set(found.levels), key=lambda level: (level == "group", level))),
        participants=read_labels(found.participant_label, "sub-"),
        exclude_participants=read_labels(found.exclude_participant_label, "sub-"),
        sessions=read_labels(found.session_label, "ses-"),
        suffixes=read_labels(found.suffix, ""),
        contrast=found.contrast,
        settings=settings_of(found),
        volume=found.volume,
        n_cpus=found.n_cpus,
        omp_nthreads=found.omp_nthreads,
        validation="off" if found.skip_bids_validation else found.bids_validation,
        rerun=tuple(dict.fromkeys(found.rerun)) or ("missing", "changed"),
        on_missing=found.on_missing,
        stop_on_first_crash=found.stop_on_first_crash,
        boilerplate_only=found.boilerplate_only,
        md_only_boilerplate=found.md_only_boilerplate,
        work_dir=found.work_dir,
        keep_work=found.keep_work,
        clean_work=found.clean_workdir,
        memory=_memory(found),
        low_memory=found.low_mem,
        device=found.device,
        seed=found.random_seed,
        filter_file=found.bids_filter_file,
        derivatives=parse_places(found.derivatives),
        layout=found.output_layout,
        linked_figures=found.report_format == "linked",
        database_dir=found.bids_database_dir,
        reset_database=found.reset_database,
        probseg=not found.no_probseg,
        centerline=not found.no_centerline,
        links=parse_links(found.dataset_link),
        dry_run=found.dry_run,
        reports_only=found.reports_only,
        log_format=found.log_format,
        progress=not found.no_progress,
        verbosity=-1 if found.quiet else found.verbose,
        debug=found.debug,
    )


def check_words(words: Sequence[str]) -> None:
    """Refuse what no name of a file can hold, before anything looks for a file, and what argparse misunderstands.

    Raises
    ------
    UsageError
        If a word holds the character NUL, or ``--`` is the value of an option.
    """
    odd = next((word for word in words if "\0" in word), None)
    if odd is not None:
        raise UsageError(f"{odd!r} holds the character NUL, which no name or value can have. Remove it.")
    empty = next((word for word in words if word.startswith("-") and word.endswith("=--")), None)
    if empty is not None:
        raise UsageError(f"{empty!r} has no value: '--' is none. Give one.")


def _memory(found: argparse.Namespace) -> int | None:
    """Return the limit of memory in bytes, None if none was given."""
    if found.mem is not None and found.mem_gb is not None:
        raise UsageError("--mem and --mem-gb contradict each other. Choose one.")
    if found.mem_gb is not None:
        return parse_memory(found.mem_gb, "G")
    return None if found.mem is None else parse_memory(found.mem)


def _with_config(words: list[str]) -> list[str]:
    """Put what a configuration file says in front of the command line, which wins.

    Parameters
    ----------
    words : list of str
        From :func:`arrange`.
    """
    paths = _values(words, "--config-file")
    if not paths:
        return words
    check_words(paths)
    config = read_config(Path(paths[-1]))
    given = {word.partition("=")[0] for word in words}
    given |= {"--verbose"} if any(word.startswith("-v") for word in words) else set()
    n_positional = next((n for n, word in enumerate(words) if word.startswith("-")), len(words))
    positional = words[:n_positional] or folders_of(config)
    return [*positional, *words_of(config, given), *words[n_positional:]]


def _values(words: list[str], name: str) -> list[str]:
    """Return the values of an option with one value."""
    apart = [after for word, after in pairwise(words) if word == name]
    return apart + [word.partition("=")[2] for word in words if word.startswith(f"{name}=")]


def _unknown_option(word: str) -> str:
    """Say that an option does not exist, and which one may have been meant."""
    known = [name for option in option_table() for name in option.spellings]
    nearest = difflib.get_close_matches(word.partition("=")[0], known, 1)
    kind = "option" if word.startswith("-") else "argument"
    return f"the {kind} {word!r} does not exist" + (f"; did you mean {nearest[0]!r}?" if nearest else "")


def arrange(words: Sequence[str], rows: Sequence[Option] | None = None) -> list[str]:
    """Move the positional words to the front and write each option by its first name.

    Parameters
    ----------
    words : sequence of str
        Words of the command line.
    rows : sequence of Option, optional
        Known options; those of a run by default.

    Returns
    -------
    list of str
        The same words for a parser that takes positional words first.
    """
    table = {name: option for option in rows or option_table() for name in option.spellings}
    positional: list[str] = []
    runs: list[list[str]] = []
    index = 0
    while index < len(words):
        word = words[index]
        index += 1
        if word == "--":
            positional.extend(words[index:])
            break
        if not word.startswith("-") or word == "-":
            positional.append(word)
            continue
        name, equals, value = word.partition("=")
        option = table.get(name)
        run = [option.names[0] + equals + value if option else word]
        count = "none" if option is None or equals else option.count
        while index < len(words) and _is_value(words[index], count, len(run)):
            run.append(words[index])
            index += 1
        runs.append(run)
    for run in reversed(runs):
        positional = _take_back(run, positional)
    return [*positional, *(word for run in runs for word in run)]


def _is_value(word: str, count: str, length: int) -> bool:
    """Tell whether a word belongs to the option before it, which has ``length - 1`` values so far."""
    if count == "one":
        return length == 1 and (not word.startswith("--") or word == "-")
    return count == "many" and not (word.startswith("-") and len(word) > 1)


def _take_back(run: list[str], positional: list[str]) -> list[str]:
    """Take the folders and the level back from the end of an option with several values that swallowed them.

    Examples
    --------
    ``--participant-label 01 02 in out participant`` has three positional words too few, and the last values of the
    option end with a level: they are the missing words.
    """
    n_missing = 2 - len(positional)
    n_levels = 0
    while n_levels < len(run) - 2 and run[-1 - n_levels] in LEVELS:
        n_levels += 1
    if n_levels == 0 or n_missing < 0 or len(run) - n_levels - n_missing < 2:
        return positional
    taken = run[len(run) - n_levels - n_missing :]
    del run[len(run) - n_levels - n_missing :]
    return [*positional, *taken]
