"""Read the command line.

Other spellings are replaced by the first one, and the positional words are moved to the front: options may stand
anywhere, also an option with several values before the folders.
"""

import argparse
import difflib
import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from bids_deepseg.errors import UsageError
from bids_deepseg.options.config_file import folders_of, read_config, words_of
from bids_deepseg.options.declare import Option, build, options_of, positionals_of
from bids_deepseg.options.run import LEVELS, RunOptions
from bids_deepseg.options.values import place, whole_number

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


_USAGE = "run.py bids_dir output_dir {participant,group} [{participant,group}] [options]"

_DESCRIPTION = """\
Segment the spinal cord in the images of a BIDS data set, offline.

  bids_dir     data set in BIDS; it is never written to (the group level does not read it)
  output_dir   folder of the results, created if needed
  participant  segment all selected images; results that are up to date are kept
  group        collect the measures of all images in output_dir in one table"""

_EPILOG = """\
Every "-" inside an option may also be written "_". Exit codes: 0 all done, 1 some images failed, 16 invalid data
set, 17 unknown level, 18 nothing selected, 64 wrong usage, 65 bad images, 66 no input, 73 output cannot be created,
74 disk full, 75 not enough memory, 78 networks damaged, 129, 130 and 143 interrupted."""

_Options = TypeVar("_Options", bound="DataclassInstance")

#: Functions that read values where Python's own would take more, or fail later.
_READERS: Mapping[Any, Any] = MappingProxyType({int: whole_number, Path: place})


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    """Help in which options are not broken at their hyphens."""

    def _split_lines(self, text: str, width: int) -> list[str]:
        return textwrap.wrap(text, width, break_on_hyphens=False)


class OptionParser(argparse.ArgumentParser):
    """A parser of declared options, which raises instead of ending with code 2, which BIDS Apps reserve.

    Its result has the values of options that were given, and of no other.

    Parameters
    ----------
    declared : class
        A class of options, see :mod:`bids_deepseg.options.declare`.
    program, usage, description, epilog : str
        Texts of the help.
    """

    def __init__(self, declared: Any, program: str, *, usage: str, description: str, epilog: str = "") -> None:
        super().__init__(
            program,
            usage=usage,
            description=description,
            epilog=epilog,
            formatter_class=_HelpFormatter,
            argument_default=argparse.SUPPRESS,
            allow_abbrev=False,
            add_help=False,
        )
        for word in positionals_of(declared):
            self.add_argument(word.destination, help=word.text or argparse.SUPPRESS, **_settings_of(word))
        options = options_of(declared)
        groups = {name: self.add_argument_group(name) for name in dict.fromkeys(each.group for each in options)}
        for option in options:
            short = [name for name in option.names if not name.startswith("--")]
            others = [name for name in option.names[1:] if name not in short]
            text = f"{option.text} [also {', '.join(others)}]" if others else option.text
            settings = {"dest": option.destination, **_settings_of(option)}
            groups[option.group].add_argument(*short, option.names[0], help=text.replace("%", "%%"), **settings)
        self.last_group = groups[options[-1].group] if options else self.add_argument_group("other")
        self.last_group.add_argument("-h", "--help", action="help", help="show this text")

    def error(self, message: str) -> NoReturn:
        """Raise the message as :class:`UsageError`."""
        raise UsageError(f"{message[:1].upper()}{message[1:]}. Usage: {self.usage}; --help explains the options.")


def _settings_of(option: Option) -> dict[str, Any]:
    """Return the arguments of ``add_argument`` about the values of an option."""
    if option.count == "none":
        return {"action": "count" if option.repeatable else "store_true"}
    kind = _READERS.get(option.kind, option.kind)
    settings: dict[str, Any] = {"type": kind, "metavar": option.metavar, "choices": option.choices or None}
    if option.count == "many":
        settings |= {"nargs": "+" if option.required else "*", "action": "store" if option.is_positional else "extend"}
    elif not option.required:
        settings["nargs"] = "?"
    if not option.required:
        # argparse would give the text of its mark for "no default" to the reader of the value.
        settings["default"] = () if option.count == "many" else None
    return settings


def read_words(parser: OptionParser, declared: type[_Options], words: Sequence[str]) -> _Options:
    """Turn the words of a command into its options.

    Parameters
    ----------
    parser : OptionParser
        Parser of ``declared``.
    declared : class
        Class of the options of the command.
    words : sequence of str
        What follows the name of the command.

    Raises
    ------
    UsageError
        If the words do not fit the options.
    SystemExit
        With code 0 after ``--help``.
    """
    positional, options = _apart(words, declared)
    # What stands behind -- may begin with a hyphen.
    return build(declared, vars(parser.parse_args([*options, "--", *positional] if positional else options)))


def build_parser(commands: Mapping[str, str] = MappingProxyType({})) -> OptionParser:
    """Build the parser of a run on a data set.

    Parameters
    ----------
    commands : mapping of str to str
        Calls of the other commands and what each does, which the help lists.
    """
    from bids_deepseg import __version__  # noqa: PLC0415 - reads a file

    width = max(map(len, commands), default=0)
    lines = [f"  bids_deepseg {call:{width}}  {text}" for call, text in commands.items()]
    epilog = "\n".join([_EPILOG, *(["", "Other commands; each explains itself with --help:"] if lines else []), *lines])

    parser = OptionParser(RunOptions, "bids_deepseg", usage=_USAGE, description=_DESCRIPTION, epilog=epilog)
    parser.last_group.add_argument("--version", action="version", version=f"bids_deepseg {__version__}")
    return parser


def parse_arguments(words: Sequence[str], commands: Mapping[str, str] = MappingProxyType({})) -> RunOptions:
    """Turn the words of the command line into options.

    Parameters
    ----------
    words : sequence of str
        Everything after the name of the program.
    commands : mapping of str to str
        As for :func:`build_parser`.

    Returns
    -------
    RunOptions
        Checked options.

    Raises
    ------
    UsageError
        If the words do not fit the options; its subclasses for an unknown level.
    SystemExit
        With code 0 after ``--help`` and ``--version``.
    """
    parser = build_parser(commands)
    complete = _with_config(arrange(words, RunOptions))
    check_words(complete)
    values, unknown = parser.parse_known_args(complete)
    if unknown:
        parser.error(_unknown_option(unknown[0]))
    return build(RunOptions, vars(values))


def check_words(words: Sequence[str]) -> None:
    """Refuse what no name of a file can hold, before anything looks for a file, and what argparse misunderstands.

    Raises
    ------
    UsageError
        If a word holds the character NUL, or ``--`` is the value of an option.
    """
    odd = next((word for word in words if "\0" in word), None)
    if odd is not None:
        raise UsageError(f"{odd!r} contains the character NUL, which no name or value may contain. Remove it.")
    empty = next((word for word in words if word.startswith("-") and word.endswith("=--")), None)
    if empty is not None:
        raise UsageError(f"{empty!r} has no value ('--' is not one). Give one.")


def _with_config(words: list[str]) -> list[str]:
    """Put what a configuration file says in front of the command line, which wins."""
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
    separate = [after for word, after in pairwise(words) if word == name]
    return separate + [word.partition("=")[2] for word in words if word.startswith(f"{name}=")]


def _unknown_option(word: str) -> str:
    """Say that an option does not exist, and which one may have been meant."""
    known = [name for option in options_of(RunOptions) for name in option.spellings]
    nearest = difflib.get_close_matches(word.partition("=")[0], known, 1)
    kind = "option" if word.startswith("-") else "argument"
    return f"the {kind} {word!r} does not exist" + (f"; did you mean {nearest[0]!r}?" if nearest else "")


def arrange(words: Sequence[str], declared: Any) -> list[str]:
    """Move the positional words to the front and write each option by its first name, for argparse.

    Parameters
    ----------
    words : sequence of str
        Words of the command line.
    declared : class
        Class of the known options.
    """
    positional, options = _apart(words, declared)
    return [*positional, *options]


def _apart(words: Sequence[str], declared: Any) -> tuple[list[str], list[str]]:
    """Return the positional words, and the options by their first names with their values; as for :func:`arrange`."""
    table = {name: option for option in options_of(declared) for name in option.spellings}
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
    return positional, [word for run in runs for word in run]


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
