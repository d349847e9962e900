"""What a measurement finds: a table, and ratios that are checked."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Check(NamedTuple):
    """A number that must not be below, or above, a limit; never an absolute time of a quick measurement."""

    what: str
    value: float
    limit: float
    at_least: bool = True

    @property
    def holds(self) -> bool:
        """Whether it is as it must be."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit

    def line(self) -> str:
        """Return a row of the table of checks."""
        sign = "at least" if self.at_least else "at most"
        return f"| {self.what} | {sign} {self.limit:g} | {self.value:.3g} | {'yes' if self.holds else '**no**'} |"


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the page.

    Attributes
    ----------
    title : str
        Heading.
    text : str
        What was measured.
    head : sequence of str
        Names of the columns.
    rows : sequence of sequences
        Cells; numbers are written with three digits.
    checks : sequence of Check
        What must hold.
    """

    title: str
    text: str
    head: Sequence[str]
    rows: Sequence[Sequence[object]]
    checks: Sequence[Check] = ()

    def lines(self) -> Iterator[str]:
        """Yield the lines of the section."""
        yield from (f"### {self.title}", "", self.text, "")
        yield f"| {' | '.join(self.head)} |"
        yield f"|{'---|' * len(self.head)}"
        for row in self.rows:
            yield f"| {' | '.join(map(_cell, row))} |"
        yield ""


def _cell(value: object) -> str:
    """Return a cell: large numbers whole, others with three digits."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def fit_line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float]:
    """Return slope, intercept and R2 of the line through points."""
    slope, intercept = np.polyfit(x, y, 1)
    rest = np.asarray(y) - (slope * np.asarray(x) + intercept)
    return float(slope), float(intercept), float(1 - (rest**2).sum() / ((y - np.mean(y)) ** 2).sum())
