"""Name the files and folders of a run so that other machines find them."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from bids_deepseg.options.run import RunOptions


def with_absolute_paths(options: RunOptions) -> RunOptions:
    """Return the same options, with every path from the root of the file system.

    Processes of other machines have another working directory. Links are not followed: what they lead to may have
    another name there.

    Parameters
    ----------
    options : RunOptions
        Options of a run.
    """
    settings = replace(options.settings, **_absolute(options.settings))
    derivatives = tuple((name, path.absolute()) for name, path in options.derivatives)
    return replace(options, **_absolute(options), settings=settings, derivatives=derivatives)


def _absolute(holder: Any) -> dict[str, Any]:
    """Return the paths among the fields of a dataclass."""
    values = {each.name: getattr(holder, each.name) for each in fields(holder)}
    return {name: value.absolute() for name, value in values.items() if isinstance(value, Path)}
