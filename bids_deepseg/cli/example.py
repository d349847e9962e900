"""Write the example data set: ``bids_deepseg example DIR``."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bids_deepseg.cli.lifecycle import Command
from bids_deepseg.options.declare import option
from bids_deepseg.options.parsing import OptionParser, read_words
from bids_deepseg.terminal import say

if TYPE_CHECKING:
    from bids_deepseg.engine import Engine

_USAGE = "bids_deepseg example DIR"

_DESCRIPTION = "Write a small BIDS data set with synthetic images into DIR."


@dataclass(frozen=True, slots=True, kw_only=True)
class ExampleOptions:
    """Options of ``bids_deepseg example``; their metadata tells what they are."""

    folder: Path = field(metadata=option("folder", kind=Path, metavar="DIR", help="folder, created if needed"))


def run_example(words: Sequence[str], _engine: "Engine | None" = None) -> int:
    """Write the data set to the folder that the words after ``example`` name, and return 0.

    Raises
    ------
    UsageError
        If the words are not one folder.
    OutputError
        If it cannot be written.
    SystemExit
        With code 0 after ``--help``.
    """
    parser = OptionParser(ExampleOptions, "bids_deepseg example", usage=_USAGE, description=_DESCRIPTION)
    folder = read_words(parser, ExampleOptions, words).folder
    from bids_deepseg.example import write_example  # noqa: PLC0415 - not needed for --help, as below
    from bids_deepseg.files.atomic import output_errors  # noqa: PLC0415

    with output_errors(folder):
        write_example(folder)
    output = folder / "derivatives" / "bids_deepseg"
    say(f"Wrote an example data set to {folder}. Segment it with:\n  bids_deepseg {folder} {output} participant group")
    return 0


COMMAND = Command("example", "DIR", "write a small synthetic data set to try the app on", run_example, most_words=2)
