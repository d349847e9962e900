"""Read and write the options of a run as a TOML file.

The keys are the names of the options without ``--``, with ``_`` or ``-``; ``bids_dir``, ``output_dir`` and
``analysis_level`` stand for the words without an option. A file that was written repeats the run when it is read.
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import Any

from bids_deepseg.errors import UsageError
from bids_deepseg.files.structured import read_toml
from bids_deepseg.options.declare import Option, fields_of, options_of, positionals_of, toml_values
from bids_deepseg.options.run import RunOptions


def write_config(options: RunOptions, path: Path) -> None:
    """Write all options of a run, also those that have their default."""
    import tomli_w  # noqa: PLC0415 - not needed for --help

    # 0 is a value, for the seed say; False and nothing are not.
    given = {key: value for key, value in toml_values(options).items() if value or (value == 0 and value is not False)}
    text = "# Repeat this run: bids_deepseg --config-file <this file>\n\n" + tomli_w.dumps(given)
    path.write_text(_as_text(text), encoding="utf-8")


def _as_text(text: str) -> str:
    """Return TOML without surrogates, which it cannot hold.

    In a locale that knows less than UTF-8, they stand for its bytes and become characters. A name whose bytes are no
    text at all is changed, and a comment says so.
    """
    try:
        return text.encode("utf-8", "surrogateescape").decode()
    except UnicodeError:
        note = (
            "# A name below is not text in UTF-8: \\udcXX stands for one of its bytes. Give it on the command line.\n"
        )
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
        If the file cannot be read or a key is not an option.
    """
    try:
        content = read_toml(path)
    except (OSError, ValueError) as error:
        raise UsageError(f"The configuration file {path} cannot be read: {error}. TOML is expected.") from error
    known = {name: option.destination for option in _options() for name in _keys(option)}
    config: dict[str, Any] = {}
    for key, value in content.items():
        destination = known.get(key.replace("-", "_"))
        if destination is None or destination == "config_file":
            near = difflib.get_close_matches(key, known, 1)
            raise UsageError(
                f"The configuration file {path} has the key {key!r}, which is not an option"
                + (f"; did you mean {near[0]!r}?" if near else ". --help lists the options.")
            )
        if destination in config:
            raise UsageError(f"The configuration file {path} gives {key!r} twice, by two names. Remove one.")
        config[destination] = value
    return config


def folders_of(config: Mapping[str, Any]) -> list[str]:
    """Return the folders and levels of a configuration in the order of the command line."""
    keys = (word.destination for word in positionals_of(RunOptions))
    return [text for key in keys if key in config for text in _texts(key, config[key])]


def words_of(config: Mapping[str, Any], given: Set[str]) -> list[str]:
    """Write a configuration as words of a command line.

    Parameters
    ----------
    config : mapping
        From :func:`read_config`.
    given : set of str
        First names of the options on the command line, which replace those of the file.
    """
    taken = {name for names in _alternatives() if names & given for name in names}
    words: list[str] = []
    for option in options_of(RunOptions):
        if option.destination in config and option.names[0] not in taken:
            words += _words_of_option(option, config[option.destination])
    return words


def _options() -> tuple[Option, ...]:
    """Return everything that may be in the file."""
    return (*positionals_of(RunOptions), *options_of(RunOptions))


def _alternatives() -> Iterator[set[str]]:
    """Return the names of options that say the same thing, or decide it as well: one given replaces the others."""
    for _, options in fields_of(RunOptions):
        yield {option.names[0] for option in options}
        yield from ({option.names[0], option.replaces} for option in options if option.replaces)


def _words_of_option(option: Option, value: Any) -> list[str]:
    """Return the words of one option."""
    name = option.names[0]
    if option.count == "none":
        if isinstance(value, bool) or (option.repeatable and isinstance(value, int) and value >= 0):
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
    return {name.lstrip("-").replace("-", "_") for name in option.names if name[:2] == "--" or option.is_positional}
