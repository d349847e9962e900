"""Check the selected part of a data set with the BIDS validator.

Only the selected participants are shown to it, as links in a temporary folder: nothing is written into the data set,
and the time does not grow with the participants that are not selected. The validator would ask others for its newest
version, for schemas that a data set names, and for files that are not here; it is started so that it cannot.
"""

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_deepseg.bids.source import offline

VALIDATOR = "bids-validator-deno"

#: Folders of the root to which files of the participants may refer.
_SHARED_FOLDERS = ("stimuli", "phenotype")

_MAX_SHOWN = 5

_MAX_LENGTH = 300


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
        The first five different errors: code, file, text.
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
    command = shlex.join([VALIDATOR, str(bids_dir)])
    program = find_validator()
    if program is None:
        return _unavailable(
            command, f"The input was not validated: {VALIDATOR} is not installed. pip install {VALIDATOR}"
        )
    try:
        with _subset(bids_dir, subjects) as folder:
            answer = _ask(program, folder, timeout_s)
            issues = answer["issues"]["issues"]
    except _NoSubsetError as error:
        return _unavailable(
            command,
            f"The input was not validated: no folder with links to the selected participants could be made ({error}). "
            "A folder for temporary files that allows links is expected: --work-dir.",
        )
    except subprocess.TimeoutExpired:
        return _unavailable(command, f"The validation of the input was stopped after {timeout_s:g} s.")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return _unavailable(command, f"The input was not validated: {VALIDATOR} gave no answer ({error!r}).")
    return _report(issues, answer["issues"].get("codeMessages", {}), command, json.dumps(answer, indent=2))


class _NoSubsetError(Exception):
    """The folder of links could not be made."""


@contextmanager
def _subset(bids_dir: Path, subjects: Sequence[str]) -> Iterator[Path]:
    """Make a temporary folder of links to the selected participants."""
    with ExitStack() as stack:
        try:
            made = tempfile.TemporaryDirectory(prefix="bids_deepseg-validate-", ignore_cleanup_errors=True)
            folder = Path(stack.enter_context(made))
            link_subset(bids_dir, subjects, folder)
        except OSError as error:
            raise _NoSubsetError(error.strerror or str(error)) from error
        yield folder


def _ask(program: str, folder: Path, timeout_s: float) -> Any:
    """Return the answer of the validator."""
    run = subprocess.run(
        [sys.executable, "-I", offline.__file__, program, folder, "--format", "json"],
        env=offline.offline_environment(os.environ),
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )
    return json.loads(run.stdout)


def find_validator() -> str | None:
    """Return the path of the validator: on the search path, else beside this Python."""
    return shutil.which(VALIDATOR) or shutil.which(VALIDATOR, path=str(Path(sys.executable).parent))


def link_subset(bids_dir: Path, subjects: Sequence[str], folder: Path) -> None:
    """Fill a folder with links to the files of the root and to the selected participants."""
    shared = [path.name for path in bids_dir.iterdir() if path.is_file()]
    for name in (*shared, *_SHARED_FOLDERS, *(f"sub-{subject}" for subject in subjects)):
        if (bids_dir / name).exists():
            (folder / name).symlink_to((bids_dir / name).absolute())
    # Images of DataLad are relative links to here, and the validator follows them from the folder that it was given.
    content = bids_dir / ".git" / "annex"
    if content.is_dir() and not (folder / ".git").exists():
        (folder / ".git").mkdir()
        (folder / ".git" / "annex").symlink_to(content.absolute())


def _unavailable(command: str, message: str) -> ValidationReport:
    """Return the report of a check that did not take place."""
    return ValidationReport(available=False, n_errors=0, n_warnings=0, errors=(), command=command, message=message)


def _report(issues: list[dict[str, Any]], texts: dict[str, str], command: str, details: str) -> ValidationReport:
    """Count the issues and describe the first errors."""
    errors = [issue for issue in issues if issue.get("severity") == "error"]
    n_warnings = sum(issue.get("severity") == "warning" for issue in issues)
    shown = tuple(dict.fromkeys(_describe(issue, texts) for issue in errors))[:_MAX_SHOWN]
    message = f"BIDS validation of the input: {len(errors)} errors, {n_warnings} warnings."
    return ValidationReport(
        available=True,
        n_errors=len(errors),
        n_warnings=n_warnings,
        errors=shown,
        command=command,
        message=message,
        details=details,
    )


def _describe(issue: dict[str, Any], texts: dict[str, str]) -> str:
    """Return code, file and text of one issue in one line."""
    code = ".".join(filter(None, (issue.get("code"), issue.get("subCode"))))
    # The message of an issue is often a long explanation of the field; that of its code says what is wrong.
    text = texts.get(str(issue.get("code"))) or issue.get("issueMessage") or ""
    return textwrap.shorten(f"{code} {issue.get('location', '')}: {text}", _MAX_LENGTH, placeholder=" ...")
