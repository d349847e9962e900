"""Measure whether the judge flags bad masks and leaves good ones alone.

Phantoms and real training images (never the development data) are degraded and segmented; on the undegraded ones, the
manual mask is broken in known ways. The table goes into ``docs/judge.md``.

usage: python benchmarks/judge.py [--data DIR] [--cache DIR] [--only N] [--write docs/judge.md]
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from suite.cases import Case, judge_source
from suite.memo import remembering
from suite.page import put_between
from suite.sources import all_sources

from bids_deepseg.judge.rules import rules

#: Dice below which a mask must be flagged, and above which it must not.
BAD, GOOD = 0.80, 0.92

_FLAGS = ("warn", "fail")


def main() -> None:
    """Run the suite, print the table and write it into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("BIDS_DEEPSEG_DATA"), help="folder with train/")
    parser.add_argument("--cache", type=Path, help="folder in which the networks' answers are kept")
    parser.add_argument("--only", type=int, help="at most so many degraded images of each source")
    parser.add_argument("--remembered", action="store_true", help="leave out images that the networks did not see yet")
    parser.add_argument("--part", choices=("tune", "report"), help="images of one part only")
    parser.add_argument("--cases", type=Path, help="JSON lines of all cases, kept and gone on with")
    parser.add_argument("--table-only", action="store_true", help="run nothing, use the cases of --cases")
    parser.add_argument("--write", type=Path, help="page with the markers of the table")
    args = parser.parse_args()
    models = remembering(args.cache, may_ask=not args.remembered)
    cases = _known(args.cases)
    done = {(case.source, case.change) for case in cases}
    sources = () if args.table_only else all_sources(args.data and Path(args.data))
    for number, source in enumerate(sources):
        if args.part and source.part != args.part:
            continue
        found = judge_source(number, source, models, only=args.only, done=done)
        for _, of_one_image in groupby(found, key=lambda case: case.change):
            cases.extend(_noted(args.cases, list(of_one_image)))
    text = "\n".join(table(cases))
    print(text)
    if args.write:
        put_between(args.write, "judge table", text)
        put_between(args.write, "rules", "\n".join(_rule_rows()))


def _known(path: Path | None) -> list[Case]:
    """Read the cases of earlier runs."""
    if path is None or not path.is_file():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Case(**row | {"codes": tuple(map(tuple, row["codes"]))}) for row in rows]


def _noted(path: Path | None, cases: list[Case]) -> list[Case]:
    """Tell the cases of one image, and keep them: all at once, since an image that is kept is not run again."""
    for case in cases:
        print(
            f"{case.part:6} {case.source:30} {case.change:26} {case.mask:20} {case.dice:.3f} {case.verdict}", flush=True
        )
    if path is not None:
        with path.open("a", encoding="utf-8") as stream:
            stream.write("".join(json.dumps(case._asdict()) + "\n" for case in cases))
    return cases


def _rule_rows() -> Iterator[str]:
    """Yield the rows of the table of rules."""
    yield "| Code | What is measured | warn | fail |"
    yield "|---|---|---|---|"
    for rule in rules():
        side = "above" if rule.is_upper else "below"
        limits = ("-" if limit is None else f"{side} {limit:g}" for limit in (rule.warn, rule.fail))
        yield f"| `{rule.code}` | {rule.what} | {' | '.join(limits)} |"


def table(cases: list[Case]) -> Iterator[str]:
    """Yield the lines of the tables."""
    masks = [case for case in cases if case.verdict in ("pass", *_FLAGS)]
    silent = len(cases) - len(masks)
    yield f"{len(masks)} masks of {len({case.source for case in cases})} images; {silent} degraded images gave no mask."
    yield ""
    yield f"| Masks | | Dice < {BAD:.2f} | of these flagged | Dice > {GOOD} | of these flagged | between | flagged |"
    yield "|---|---|---|---|---|---|---|---|"
    kinds: tuple[tuple[str, Callable[[Case], bool]], ...] = (
        ("of the networks", lambda case: case.mask == "network"),
        ("manual and broken", lambda case: case.mask != "network"),
        ("all", lambda _: True),
    )
    for part in ("tune", "report"):
        for name, belongs in kinds:
            chosen = [case for case in masks if case.part == part and belongs(case)]
            yield _row(f"| {name} | {part} |", chosen)
    yield ""
    yield "| Broken how | masks | Dice | flagged | most frequent reasons |"
    yield "|---|---|---|---|---|"
    for kind in dict.fromkeys(case.mask for case in masks):
        chosen = [case for case in masks if case.mask == kind]
        found = [case.dice for case in chosen]
        reasons = _frequent(chosen)
        yield f"| {kind} | {len(chosen)} | {min(found):.2f} to {max(found):.2f} | {_flagged(chosen)} | {reasons} |"


def _row(head: str, cases: list[Case]) -> str:
    """Return a row of the first table."""
    bad = [case for case in cases if case.dice < BAD]
    good = [case for case in cases if case.dice > GOOD]
    grey = [case for case in cases if BAD <= case.dice <= GOOD]
    cells = (cell for part in (bad, good, grey) for cell in (str(len(part)), _flagged(part)))
    return f"{head} {' | '.join(cells)} |"


def _flagged(cases: list[Case]) -> str:
    """Return the share of flagged cases in words."""
    if not cases:
        return "-"
    n = sum(case.verdict in _FLAGS for case in cases)
    return f"{n} ({100 * n / len(cases):.1f} %)"


def _frequent(cases: Iterable[Case]) -> str:
    """Return the three most frequent codes."""
    counts: dict[str, int] = {}
    for case in cases:
        for code, _ in case.codes:
            counts[code] = counts.get(code, 0) + 1
    most = sorted(counts, key=lambda code: -counts[code])[:3]
    return ", ".join(f"{code} ({counts[code]})" for code in most) or "-"


if __name__ == "__main__":
    main()
