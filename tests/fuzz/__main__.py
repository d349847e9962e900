"""Fuzz the readers of the package.

``python -m tests.fuzz [TARGETS] [--cases N] [--seed S] [--case K] [--processes P]``

``TARGETS`` is ``all``, a module of this folder (``headers``) or one target (``headers.fields``); N cases are shared
among them. ``--case K`` repeats one case of one target. The exit code is 1 if there is any violation.
"""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.fuzz.harness import Report, find_targets, run_cases

#: Cases in one process; another one begins with fresh memory.
_CHUNK = 500


def main() -> int:
    """Run what is asked for and print the counts."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the readers of the package.")
    parser.add_argument("targets", nargs="?", default="all", help="all, a module, or module.target")
    parser.add_argument("--cases", type=int, default=2000, help="cases of all targets together (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--case", type=int, help="run this case only")
    parser.add_argument("--processes", type=int, default=1, help="processes at the same time (%(default)s)")
    asked = parser.parse_args()
    names = sorted(find_targets(asked.targets))
    each = -(-asked.cases // len(names))
    chunks = [range(first, min(first + _CHUNK, each)) for first in range(0, each, _CHUNK)]
    if asked.case is not None:
        chunks = [range(asked.case, asked.case + 1)]
    with ThreadPoolExecutor(asked.processes) as pool:
        parts = list(pool.map(lambda work: run_cases(*work, seed=asked.seed), [(n, c) for n in names for c in chunks]))
    reports = {name: Report(name) for name in names}
    for part in parts:
        reports[part.target].outcomes.update(part.outcomes)
        reports[part.target].violations.update(part.violations)
    print(*(line for name in names for line in reports[name].lines()), sep="\n")  # noqa: T201
    return int(any(report.violations for report in reports.values()))


if __name__ == "__main__":
    sys.exit(main())
