"""Hold what is observed of a result.

Terms: a *finding* has a code for programs and a message for the user; its severity is ``info`` (nothing to do),
``warn`` (look at it) or ``fail`` (do not use it without correction). The *verdict* is the worst severity.
"""

from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warn", "fail"]
Verdict = Literal["pass", "warn", "fail"]


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
