"""Put the words of a command line in an order that :mod:`argparse` understands.

Other spellings are replaced by the first one, and the positional words are moved to the front: options may stand
anywhere, also an option with several values before the folders.
"""

from collections.abc import Sequence
from typing import Any

from bids_deepseg.options.declare import options_of
from bids_deepseg.options.run import LEVELS


def arrange(words: Sequence[str], declared: Any) -> list[str]:
    """Move the positional words to the front and write each option by its first name.

    Parameters
    ----------
    words : sequence of str
        Words of the command line.
    declared : class
        Class of the known options.

    Returns
    -------
    list of str
        The same words for a parser that takes positional words first.
    """
    positional, options = apart(words, declared)
    return [*positional, *options]


def apart(words: Sequence[str], declared: Any) -> tuple[list[str], list[str]]:
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
