"""Check the selected part of a data set with the BIDS validator."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ValidationReport:
    """What the validator said.

    Attributes
    ----------
    available : bool
        False when the validator is not installed or gave no answer; ``message`` says why.
    n_errors, n_warnings : int
        Counts.
    errors : tuple of str
        The first five errors: code, file, text.
    command : str
        Command that repeats the check on the whole data set.
    message : str
        One line for the terminal.
    details : str
        The validator's JSON answer, for the log.
    """

    available: bool
    n_errors: int
    n_warnings: int
    errors: tuple[str, ...]
    command: str
    message: str
    details: str = ""


def validate_dataset(bids_dir: Path, subjects: Sequence[str], *, timeout_s: float = 600.0) -> ValidationReport:
    """Run ``bids-validator-deno`` on the selected participants.

    Parameters
    ----------
    bids_dir : Path
        Data set; only read.
    subjects : sequence of str
        Labels of the selected participants.
    timeout_s : float, optional
        Seconds after which the check is given up.

    Returns
    -------
    ValidationReport
        Counts and first errors; a missing validator is reported, not raised.
    """
    raise NotImplementedError
