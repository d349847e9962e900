"""Ask a database for known vulnerabilities of every version in the lock files: ``python audit.py PIP_AUDIT LOCK ...``.

Ends with 0 only if every version was looked up and none has a vulnerability that is known; with 1 if one has; with 75
if versions could not be looked up, because there is no connection, or the index at hand is a mirror without that data.
pip-audit itself passes over what it cannot look up, and ends with 0.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

FOUND, UNKNOWN = 1, 75

#: Names that are told of those that could not be looked up.
_MOST_NAMES = 5


def main(words: Sequence[str]) -> int:
    """Audit each lock file, tell about each, and return the code of the gravest."""
    codes = [audit(words[0], Path(lock)) for lock in words[1:]]
    return next((code for code in (FOUND, UNKNOWN) if code in codes), 0)


def audit(program: str, lock: Path) -> int:
    """Audit one lock file, and tell what was found."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        words = ["--progress-spinner", "off", "--disable-pip", "--no-deps", "--requirement", str(lock)]
        done = subprocess.run(
            [program, *words, "--format", "json", "--output", str(report)], capture_output=True, text=True, check=False
        )
        content = report.read_text(encoding="utf-8") if report.exists() else ""
    if not content:
        sys.stdout.write(f"{lock}: nothing was looked up: {(done.stderr.strip() or 'no report').splitlines()[-1]}\n")
        return UNKNOWN
    code, lines = verdict(json.loads(content)["dependencies"])
    sys.stdout.write("".join(f"{lock}: {line}\n" for line in lines))
    return code


def verdict(dependencies: Sequence[dict[str, Any]]) -> tuple[int, list[str]]:
    """Return the code for a report of pip-audit, and what is to be told."""
    found = [
        f"{each['name']} {each['version']}: {bug['id']}, mended in {', '.join(bug['fix_versions']) or 'no version'}"
        for each in dependencies
        for bug in each.get("vulns", ())
    ]
    skipped = [each["name"] for each in dependencies if "skip_reason" in each]
    n_known = len(dependencies) - len(skipped)
    lines = [
        *found,
        f"{n_known} of {len(dependencies)} versions were looked up, {len(found)} vulnerabilities are known",
    ]
    if skipped:
        more = ", ..." if len(skipped) > _MOST_NAMES else ""
        lines.append(
            f"could not be looked up: {', '.join(skipped[:_MOST_NAMES])}{more}; ask where the index is PyPI's own"
        )
    if found:
        return FOUND, lines
    return (UNKNOWN if skipped or not dependencies else 0), lines


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
