"""What the acceptance tests share: the validators, and the app in this process with simple predictors."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from bids_deepseg.bids.source.validation import find_validator
from bids_deepseg.cli import main as cli
from tests.helpers.fake_engine import FakeEngine, summary_of

QUIET = ("--skip-bids-validation", "-q", "--n-cpus", "1")


@pytest.fixture
def run(capsys):
    """Return a function that runs the app and returns code, error text and summary."""

    def run(*words, engine=None, options=QUIET):
        code = cli.main([str(word) for word in [*words, *options]], engine=engine or FakeEngine())
        out, err = capsys.readouterr()
        return code, err, summary_of(out)

    return run


def _old_validator():
    """Return the program of the validator 2.4.1, which cannot be installed beside the present one."""
    return os.environ.get("BIDS_VALIDATOR_2_4") or shutil.which("bids-validator-2.4")


@pytest.fixture(params=["3.0", "2.4.1"])
def validate(request):
    """Return a function that returns the errors and the warnings of a data set, for each version."""
    program = find_validator() if request.param == "3.0" else _old_validator()
    if program is None:
        pytest.skip(
            f"bids-validator-deno {request.param} is not there"
            + (" (set BIDS_VALIDATOR_2_4 to its program)" if request.param == "2.4.1" else "")
        )
    # Inside a git repository, the program states the repository's commit as its version: its package is asked.
    asked = "from importlib.metadata import version; print(version('bids-validator-deno'))"
    told = subprocess.run([Path(program).with_name("python"), "-c", asked], capture_output=True, text=True, check=True)
    assert told.stdout.startswith(request.param)

    def validate(folder):
        done = subprocess.run([program, str(folder), "--format", "json"], capture_output=True, check=False)
        issues = json.loads(done.stdout)["issues"]["issues"]
        errors, warnings = ([i for i in issues if i["severity"] == kind] for kind in ("error", "warning"))
        assert (done.returncode == 0) == (not errors)
        return errors, warnings

    validate.version = request.param
    return validate
