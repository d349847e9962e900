"""Write the table of options in ``docs/usage.md`` from their declarations: ``python -m bids_deepseg.options.document``.

The table stands between two comments; what is around it is written by hand. A test compares.
"""

from collections.abc import Iterator
from dataclasses import Field
from pathlib import Path
from typing import Any

from bids_deepseg.options.declare import Option, fields_of, options_of
from bids_deepseg.options.run import RunOptions

USAGE = Path(__file__).parents[2] / "docs" / "usage.md"

BEGIN = "<!-- options: written by python -m bids_deepseg.options.document -->"
END = "<!-- end of options -->"


def format_table() -> str:
    """Return the table of the options of a run in Markdown, in the order of the help."""
    fields = {option.names[0]: field for field, options in fields_of(RunOptions) for option in options}
    rows = (_cells(option, fields[option.names[0]]) for option in options_of(RunOptions))
    lines = [("Option", "Meaning", "Default"), ("---", "---", "---"), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |" for cells in lines)


def update(text: str) -> str:
    """Return a page with its table replaced by that of the declarations.

    Raises
    ------
    ValueError
        If the comments around the table are missing.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The page has no place for the options. Expected: the lines {BEGIN} and {END}.")
    return f"{before}{begin}\n\n{format_table()}\n\n{end}{after}"


def _cells(option: Option, field: Field[Any]) -> tuple[str, str, str]:
    """Return the cells of one option."""
    others = f" ({', '.join(f'`{name}`' for name in option.names[1:])})" if option.names[1:] else ""
    name = f"`{' '.join([option.names[0], *_values(option)])}`{others}"
    more = f"{option.help}. {option.more}" if option.more else option.help
    usual = f"`{field.default}`" if option.choices and isinstance(field.default, str) else ""
    return name, more, option.default or usual


def _values(option: Option) -> Iterator[str]:
    """Return what follows the name of an option."""
    if option.count != "none":
        yield f"{{{','.join(option.choices)}}}" if option.choices else option.metavar or "VALUE"
    if option.count == "many":
        yield "..."


if __name__ == "__main__":
    USAGE.write_text(update(USAGE.read_text(encoding="utf-8")), encoding="utf-8")
