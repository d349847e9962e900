"""An audit that could not look everything up is no clean audit."""

import json
import sys
from pathlib import Path

import pytest

from tests.helpers.scripts import load_script

ROOT = Path(__file__).parents[3]
CLEAR = {"name": "clear", "version": "1.0", "vulns": []}
SKIPPED = {"name": "skipped", "skip_reason": "not found on PyPI"}
BAD = {"name": "bad", "version": "2.0", "vulns": [{"id": "CVE-1", "fix_versions": ["2.1"], "aliases": []}]}


@pytest.fixture
def audit():
    return load_script(ROOT / "tests" / "release" / "audit.py")


def pip_audit(folder, dependencies):
    """Return a program that reports what pip-audit would, and ends as it does; without a report if there is none."""
    program = folder / "pip-audit"
    report = json.dumps({"dependencies": dependencies}) if dependencies is not None else ""
    code = int(report == "" or "CVE" in report)
    program.write_text(
        f"#!{sys.executable}\nimport pathlib, sys\nreport = {report!r}\n"
        "if report:\n    pathlib.Path(sys.argv[sys.argv.index('--output') + 1]).write_text(report)\n"
        f"else:\n    sys.stderr.write('no connection\\n')\nsys.exit({code})\n"
    )
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize(
    ("dependencies", "code", "told"),
    [
        ([CLEAR, CLEAR], 0, "2 of 2 versions were looked up, 0 vulnerabilities"),
        ([CLEAR, BAD], 1, "bad 2.0: CVE-1, mended in 2.1"),
        ([CLEAR, SKIPPED], 75, "could not be looked up: skipped;"),
        ([SKIPPED, BAD], 1, "1 of 2 versions were looked up, 1 vulnerabilities"),
        ([SKIPPED] * 6, 75, "0 of 6 versions were looked up"),
        ([], 75, "0 of 0"),
        (None, 75, "nothing was looked up: no connection"),
    ],
)
def test_only_an_audit_that_looked_everything_up_and_found_nothing_ends_with_0(
    audit, tmp_path, capsys, dependencies, code, told
):
    assert audit.main([pip_audit(tmp_path, dependencies), "a.lock"]) == code
    assert told in capsys.readouterr().out


def test_the_gravest_of_several_lock_files_counts(audit, monkeypatch):
    codes = {"a": 0, "b": 75, "c": 1}
    monkeypatch.setattr(audit, "audit", lambda _, lock: codes[str(lock)])
    assert [audit.main(["pip-audit", *locks]) for locks in ("a", "ab", "abc", "cb")] == [0, 75, 1, 1]
