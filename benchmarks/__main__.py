"""Measure time and memory of the app, print the tables, and check ratios.

usage: python -m benchmarks [MEASURE ...] [--backends tensorflow openvino] [--write docs/performance.md]

Each measurement starts its own processes. Processor time is taken, so that other work on the machine matters little,
and what is compared is measured in the same call. The exit code is 1 if a check does not hold. ``--write`` puts the
tables of the measurements that were made into the page, and the plot beside it.
"""

import argparse
import functools
import os
import platform
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.speed import measures
from benchmarks.speed.plot import draw
from benchmarks.speed.running import installed
from benchmarks.speed.table import Table
from benchmarks.suite.page import put_between

MEASURES = ("stages", "scaling", "naive", "workers", "participants", "memory", "pools")


def main() -> int:
    """Measure, print, write, check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=f"of {', '.join(MEASURES)}; all by default")
    parser.add_argument("--backends", nargs="+", default=["tensorflow", "openvino"], help="libraries for the networks")
    parser.add_argument("--participants", type=int, default=2000, help="most that are measured (default 2000)")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="page with the markers of the tables")
    args = parser.parse_args()
    if unknown := set(args.measures) - set(MEASURES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; choose from {', '.join(MEASURES)}")
    backends, failed = installed(args.backends), 0
    for name in args.measures or MEASURES:
        measure = getattr(measures, name)
        if name == "scaling":
            plot = args.write and args.write.parent / "images" / "performance.png"
            measure = functools.partial(measure, draw=functools.partial(draw, path=plot))
        if name == "participants":
            measure = functools.partial(measure, largest=args.participants)
        tables = list(measure(backends))
        text = "\n".join([_machine(), "", *(line for table in tables for line in table.lines()), *_checks(tables)])
        print(text, flush=True)
        failed += sum(not check.holds for table in tables for check in table.checks)
        if args.write:
            put_between(args.write, f"measured: {name}", text)
    return int(failed > 0)


def _checks(tables: Sequence[Table]) -> list[str]:
    """Return the table of checks, nothing without any."""
    checks = [check.line() for table in tables for check in table.checks]
    return ["| Check | Limit | Measured | Holds |", "|---|---|---|---|", *checks, ""] if checks else []


def _machine() -> str:
    """Say on what it was measured."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )
    n_cpus, version, load = len(os.sched_getaffinity(0)), platform.python_version(), os.getloadavg()[0]
    return f"{model}, {n_cpus} processors, Python {version}; load {load:.1f} at the end."


if __name__ == "__main__":
    sys.exit(main())
