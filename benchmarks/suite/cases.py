"""Run the method on the suite and judge its masks, and masks that were broken on purpose."""

import zlib
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import SegmentationError
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.judge import Evidence, judge_evidence
from bids_deepseg.networks.predictor import Models
from bids_deepseg.pipeline import segment
from bids_deepseg.stages.border import move
from bids_deepseg.stages.findings import Finding
from bids_deepseg.stages.mask import CordMask, probability_on
from bids_deepseg.stages.metrics import measure_cord
from bids_deepseg.stages.probability import ask_network
from suite.broken import BREAKS
from suite.degrade import DEGRADATIONS, Pair, chosen_for
from suite.memo import NotRememberedError
from suite.sources import Source


class Case(NamedTuple):
    """One mask with its true Dice and the judge's opinion.

    Attributes
    ----------
    source, part : str
        Image, and whether limits were set on it (``tune``) or not (``report``).
    change : str
        What was done to the image.
    mask : str
        ``network``, ``manual``, or how the manual mask was broken.
    dice : float
        Dice with the true mask, 0 without result.
    verdict : str
        pass, warn, fail, or the status of the error.
    codes : tuple of str
        Codes of what speaks against the mask, each with its value.
    """

    source: str
    part: str
    change: str
    mask: str
    dice: float
    verdict: str
    codes: tuple[tuple[str, float | None], ...]


def degraded(number: int, source: Source) -> Iterator[tuple[str, Pair]]:
    """Yield the degraded images of a source; the same ones each time."""
    for name in chosen_for(number, step=3 if source.name.startswith("phantom") else 2):
        rng = np.random.default_rng(zlib.crc32(f"{source.name}{name}".encode()))
        yield name, DEGRADATIONS[name](source.pair, rng)


def judge_source(
    number: int,
    source: Source,
    models: Models,
    *,
    only: int | None = None,
    done: AbstractSet[tuple[str, str]] = frozenset(),
) -> Iterator[Case]:
    """Yield the cases of one source that are not ``done``; ``only`` bounds the number of its degraded images."""
    for n, (name, pair) in enumerate(degraded(number, source)):
        if only is not None and n >= only:
            return
        if (source.name, name) in done:
            continue
        seen: dict[str, Any] = {}
        try:
            result = segment(pair.image, models, observer=seen.__setitem__)
        except NotRememberedError:
            continue
        except SegmentationError as error:
            yield Case(source.name, source.part, name, "network", 0.0, error.status, ())
            continue
        truth = pair.cord.data >= 0.5
        codes = codes_of(result.findings)
        got = dice(result.mask.data > 0, truth)
        yield Case(source.name, source.part, name, "network", got, result.verdict, codes)
        if name == "none":
            yield from _judge_broken(source, pair, seen, models)


def _judge_broken(source: Source, pair: Pair, seen: dict[str, Any], models: Models) -> Iterator[Case]:
    """Yield the manual mask and all that is broken from it, judged with what the networks saw."""
    grid, truth = pair.image.grid, pair.cord.data >= 0.5
    answers = ask_network(seen["patches"], models.segmenter, look_twice=True)
    # The judge sees the map whose border was moved, as in the pipeline.
    seen["probability"], spread = (
        move(volume, seen["border"]) for volume in (seen["probability"], probability_on(answers.spread, grid))
    )
    for kind, change in {"manual": lambda mask, _: mask, **BREAKS}.items():
        mask = change(truth, grid.zooms)
        if not mask.any():
            continue
        cord = CordMask(Volume(mask.astype(np.uint8), grid), np.zeros(grid.shape[2], bool), 0, 0)
        metrics = measure_cord(cord.volume, seen["probability"], grid)
        judgement = judge_evidence(
            Evidence(
                pair.image,
                cord,
                seen["probability"],
                seen["centerline"],
                metrics,
                seen["heatmap"],
                spread,
                inverted=answers.inverted,
                threshold=models.segmenter.threshold,
            )
        )
        codes = codes_of(judgement.findings)
        yield Case(source.name, source.part, "none", kind, dice(mask, truth), judgement.verdict, codes)


def codes_of(findings: tuple[Finding, ...]) -> tuple[tuple[str, float | None], ...]:
    """Return the codes of what speaks against a mask, each with what was measured."""
    return tuple((found.code, found.value) for found in findings if found.severity != "info")


def dice(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Return the Dice of two masks."""
    return 2 * float((a & b).sum()) / max(1.0, float(a.sum() + b.sum()))
