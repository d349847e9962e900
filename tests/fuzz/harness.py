"""Run fuzz targets case by case in processes with limits, and count how the cases end.

A *target* is a function of a random generator that makes one input, gives it to the package, and returns in a word
how that ended (``refused``, ``same``...). Whatever it raises is a violation; so are a case that takes longer than
:data:`SECONDS`, one that allocates more than :data:`MEGABYTES`, and one that ends its process. Case ``n`` of a target
is the same in every run with the same seed.

A module of this package offers its targets in a mapping ``TARGETS`` from names to functions.
"""

import importlib
import json
import pkgutil
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

import tests.fuzz

#: Limits of one case.
SECONDS = 10
MEGABYTES = 1000

Target = Callable[[np.random.Generator], str]

_ROOT = Path(__file__).parents[2]


class ViolationError(Exception):
    """A case that ended as no input may make it end."""


@dataclass(slots=True)
class Report:
    """How the cases of one target ended.

    Attributes
    ----------
    target : str
        ``module.name``.
    outcomes : Counter
        Number of cases by outcome, the violations not among them.
    violations : dict of int to str
        What happened, by case.
    """

    target: str
    outcomes: Counter[str] = field(default_factory=Counter)
    violations: dict[int, str] = field(default_factory=dict)

    @property
    def n_cases(self) -> int:
        """Cases that were run."""
        return self.outcomes.total() + len(self.violations)

    def lines(self) -> Iterator[str]:
        """Yield the report as text."""
        counts = ", ".join(f"{count} {outcome}" for outcome, count in self.outcomes.most_common())
        yield f"{self.target}: {self.n_cases} cases: {counts}; {len(self.violations)} violations"
        for case, text in sorted(self.violations.items()):
            yield f"  case {case}: {text}"


def find_targets(asked: str = "all") -> dict[str, Target]:
    """Return the targets of all modules, of one (``headers``), or one of them (``headers.bytes``)."""
    names = [module.name for module in pkgutil.iter_modules(tests.fuzz.__path__) if not module.name.startswith("__")]
    # A module that begins with an underscore is used by its name only.
    wanted = [name for name in names if name == asked.partition(".")[0] or (asked == "all" and name[0] != "_")]
    found = {}
    for name in wanted:
        offered = getattr(importlib.import_module(f"tests.fuzz.{name}"), "TARGETS", {})
        found |= {f"{name}.{target}": function for target, function in offered.items()}
    chosen = {name: target for name, target in found.items() if asked in ("all", name, name.partition(".")[0])}
    if not chosen:
        raise SystemExit(f"There is no fuzz target {asked!r} in the modules {', '.join(names)}.")
    return chosen


def generator_of(target: str, seed: int, case: int) -> np.random.Generator:
    """Return the random generator of one case."""
    return np.random.default_rng([seed, case, *target.encode()])


def run_cases(target: str, cases: range, seed: int = 0, seconds: float = SECONDS) -> Report:
    """Run some cases of a target; one that ends its process does not stop the others."""
    report, first = Report(target), cases.start
    while first < cases.stop:
        words = [target, seed, first, cases.stop, seconds]
        command = [sys.executable, "-m", "tests.fuzz.worker", *map(str, words)]
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
        last = first - 1
        for line in done.stdout.splitlines():
            told = json.loads(line)
            last = told["case"]
            if "outcome" in told:
                report.outcomes[told["outcome"]] += 1
            else:
                report.violations[last] = told["violation"]
        if last == cases.stop - 1:
            break
        # The case after the last that was told ended the process.
        report.violations[last + 1] = _cause(done, seconds)
        first = last + 2
    return report


def _cause(done: "subprocess.CompletedProcess[str]", seconds: float) -> str:
    """Say how a process ended before its time."""
    if "Timeout" in done.stderr:
        places = re.findall(r'File "(.*)", line (\d+) in (\w+)', done.stderr)
        return f"no end after {seconds:g} s, in {' < '.join(f'{Path(p).name}:{n} {name}' for p, n, name in places[:6])}"
    return f"the process ended with {done.returncode}: {done.stderr.strip()[-500:]}"
