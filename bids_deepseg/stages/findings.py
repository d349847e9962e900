"""Hold what is observed of a result.

Terms: a *finding* has a code for programs and a message for the user; its severity is ``info`` (nothing to do),
``warn`` (look at it) or ``fail`` (do not use it without correction). The *verdict* is the worst severity. Measured
numbers are written so that they do not contradict the sentence around them.
"""

import re
from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warn", "fail"]
Verdict = Literal["pass", "warn", "fail"]

#: Decimals that tell any two float64 numbers near 1 apart.
_MOST_DECIMALS = 17

_SPEC = re.compile(r"\.([0-9]+)([f%])")


@dataclass(frozen=True, slots=True)
class Finding:
    """One observation about a result.

    Attributes
    ----------
    code : str
        Word for programs, for example ``gap-bridged``.
    severity : {"info", "warn", "fail"}
        What it means for the use of the result.
    message : str
        What was observed, and what to do.
    value, limit : float or None
        What was measured, and the limit that it passed; None where that is not a number.
    """

    code: str
    severity: Severity
    message: str
    value: float | None = None
    limit: float | None = None


def verdict_of(findings: tuple[Finding, ...]) -> Verdict:
    """Return the worst severity: ``pass`` when nothing calls for a look."""
    severities = {finding.severity for finding in findings}
    if "fail" in severities:
        return "fail"
    return "warn" if "warn" in severities else "pass"


class Measured(float):
    """A number that was compared with a limit; written with as many decimals as it takes to show on which side it is.

    Parameters
    ----------
    value : float
        What was measured.
    limit : float
        What it was compared with.

    Examples
    --------
    >>> f"{Measured(0.31, 0.5):.2f}, {Measured(0.498, 0.5):.2f}, {Measured(0.4999, 0.5):.0%}"
    '0.31, 0.498, 49.99%'
    """

    limit: float

    def __new__(cls, value: float, limit: float) -> "Measured":
        """Return the number with its limit."""
        number = super().__new__(cls, value)
        number.limit = float(limit)
        return number

    def __format__(self, spec: str) -> str:
        found = _SPEC.fullmatch(spec)
        if found is None or self == self.limit:
            return super().__format__(spec)
        for decimals in range(int(found[1]), _MOST_DECIMALS):
            text = super().__format__(f".{decimals}{found[2]}")
            number = float(text.removesuffix("%")) / (100 if found[2] == "%" else 1)
            if number != self.limit and (number < self.limit) == (self < self.limit):
                return text
        return repr(float(self))
