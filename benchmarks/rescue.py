"""Measure what becomes of images that the first method fails, and that none ends worse.

The images of the suite whose first result is judged ``fail`` or ``warn``, or that have none, are given to the rescue,
and images without a cord, which must stay without. The table goes into ``docs/rescue.md``.

usage: python benchmarks/rescue.py [--data DIR] [--cache DIR] [--only N] [--write docs/rescue.md]
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from suite.cases import degraded, dice
from suite.degrade import Pair
from suite.memo import NotRememberedError, RememberingEngine
from suite.page import put_between
from suite.sources import Source, all_sources

from bids_deepseg.engine import ModelStore
from bids_deepseg.errors import SegmentationError
from bids_deepseg.example.phantom import make_phantom
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.rescue.run import segment_or_rescue
from bids_deepseg.stages.segmentation import Guide

#: Dice below which the first method failed, and the one that a rescued image is to reach.
FAILED, RESCUED = 0.85, 0.85


class Outcome(NamedTuple):
    """What became of one image."""

    source: str
    part: str
    change: str
    before: float
    first: str
    after: float
    verdict: str
    method: str


class Empty(NamedTuple):
    """What was said of an image without cord, without and with rescue."""

    source: str
    first: str
    last: str


def _known(path: Path | None, kind: type[Any]) -> list[Any]:
    """Read what earlier runs found."""
    if path is None or not path.is_file():
        return []
    return [kind(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def _note(path: Path | None, found: Any) -> None:
    """Tell an outcome, and keep it."""
    print(found, flush=True)
    if path is not None:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(found._asdict()) + "\n")


def main() -> None:
    """Run the suite, print the table and write it into a page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=os.environ.get("BIDS_DEEPSEG_DATA"), help="folder with train/")
    parser.add_argument("--cache", type=Path, help="folder in which the networks' answers are kept")
    parser.add_argument("--only", type=int, help="at most so many degraded images of each source")
    parser.add_argument("--remembered", action="store_true", help="leave out images that the networks did not see yet")
    parser.add_argument("--changes", nargs="+", help="only these degradations")
    parser.add_argument("--sources", nargs="+", help="only images whose names hold one of these words")
    parser.add_argument("--cases", type=Path, help="JSON lines of all outcomes, kept and gone on with")
    parser.add_argument("--write", type=Path, help="page with the markers of the table")
    args = parser.parse_args()
    engine = RememberingEngine(args.cache, may_ask=not args.remembered)
    outcomes = _run_suite(args, engine)
    found = [] if args.changes else _run_without_cord(args, engine)
    text = "\n".join(table(outcomes, found))
    print(text)
    if args.write:
        put_between(args.write, "rescue table", text)


def _run_suite(args: argparse.Namespace, engine: RememberingEngine) -> list[Outcome]:
    """Run the images of the suite that are asked for."""
    models = ModelStore(engine)
    outcomes = _known(args.cases, Outcome)
    done = {(one.source, one.change) for one in outcomes}
    for number, source in enumerate(all_sources(args.data and Path(args.data))):
        if args.sources and not any(word in source.name for word in args.sources):
            continue
        for name, pair in islice(degraded(number, source), args.only):
            if (source.name, name) in done or (args.changes and name not in args.changes):
                continue
            with suppress(NotRememberedError):
                outcome = run(models, source, name, pair)
                if outcome is not None:
                    outcomes.append(outcome)
                    _note(args.cases, outcome)
    return outcomes


def _run_without_cord(args: argparse.Namespace, engine: RememberingEngine) -> list[Empty]:
    """Run the images without cord."""
    models = ModelStore(engine)
    path = args.cases and args.cases.with_suffix(".without.jsonl")
    found = _known(path, Empty)
    done = {one.source for one in found}
    for name, image in without_cord():
        if name not in done:
            with suppress(NotRememberedError):
                found.append(run_without_cord(models, name, image))
                _note(path, found[-1])
    return found


def run(models: ModelStore, source: Source, name: str, pair: Pair) -> Outcome | None:
    """Segment one image without rescue, and with it if something speaks against the result."""
    truth, guide = pair.cord.data >= 0.5, Guide(source.contrast)
    try:
        result = models.segment(MethodSettings(rescue="off"), pair.image, guide=guide, observer=_ignore)
        before, first = dice(result.mask.data > 0, truth), str(result.verdict)
    except SegmentationError as error:
        before, first = 0.0, error.status
    if first == "pass":
        return None
    try:
        result = segment_or_rescue(models, MethodSettings(), pair.image, guide=guide, observer=_ignore)
    except SegmentationError as error:
        return Outcome(source.name, source.part, name, before, first, 0.0, error.status, "-")
    method = next((one.name for one in result.tries if one.kept), "as asked for")
    after = dice(result.mask.data > 0, truth)
    return Outcome(source.name, source.part, name, before, first, after, result.verdict, method)


def without_cord() -> Iterator[tuple[str, Volume]]:
    """Yield images in which there is no cord."""
    for seed in range(6):
        rng = np.random.default_rng(seed)
        contrast = ("t1", "t2", "t2s")[seed % 3]
        thigh = make_phantom(rng, contrast=contrast, shape=(80, 80, 20), zooms=(1.0, 1.0, 2.0), cord=False)
        yield f"thigh {seed} {contrast}", thigh.image
        noise = rng.normal(0, 1, (2, 80, 80, 20)).astype(np.float32)
        yield f"noise {seed}", Volume(np.hypot(*noise), thigh.image.grid)


def run_without_cord(models: ModelStore, name: str, image: Volume) -> Empty:
    """Return what was said of an image without cord."""
    said = []
    for settings in (MethodSettings(rescue="off"), MethodSettings()):
        try:
            result = segment_or_rescue(models, settings, image, guide=Guide("t2"), observer=_ignore)
            said.append(str(result.verdict))
        except SegmentationError as error:
            said.append(error.status)
    return Empty(name, said[0], said[1])


def table(outcomes: list[Outcome], without: list[Empty]) -> Iterator[str]:
    """Yield the lines of the tables."""
    failed = [one for one in outcomes if one.before < FAILED]
    yield (
        f"{len(outcomes)} images with a finding or without result; {len(failed)} of them had a Dice below {FAILED} "
        f"({sum(one.before == 0 for one in failed)} of 0)."
    )
    yield ""
    yield f"| Images | n | end at {RESCUED} or more | better by 0.02 or more | worse by 0.005 or more |"
    yield "|---|---|---|---|---|"
    judged = [one for one in outcomes if one.first not in ("pass", "warn")]
    rows = (
        (f"first Dice below {FAILED}", failed),
        ("first verdict fail, or no result", judged),
        ("first verdict warn", [one for one in outcomes if one.first == "warn"]),
        ("all, of those for tuning", [one for one in outcomes if one.part == "tune"]),
        ("all, of the others", [one for one in outcomes if one.part == "report"]),
    )
    for name, chosen in rows:
        high = sum(one.after >= RESCUED for one in chosen)
        better = sum(one.after >= one.before + 0.02 for one in chosen)
        worse = sum(one.after < one.before - 0.005 for one in chosen)
        yield f"| {name} | {len(chosen)} | {high} | {better} | {worse} |"
    yield ""
    stayed = sum(one.last not in ("pass", "warn") for one in without)
    yield f"Images without cord: {len(without)}; without mask or with the verdict fail after the rescue: {stayed}."
    yield ""
    yield "| Image | Change | Dice before | first | Dice after | verdict | kept |"
    yield "|---|---|---|---|---|---|---|"
    for one in sorted(failed, key=lambda one: (one.change, one.source)):
        cells = (one.source, one.change, f"{one.before:.2f}", one.first, f"{one.after:.2f}", one.verdict, one.method)
        yield f"| {' | '.join(cells)} |"


def _ignore(_name: str, _result: object) -> None:
    """Observe nothing."""


if __name__ == "__main__":
    main()
