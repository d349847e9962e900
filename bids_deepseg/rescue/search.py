"""Run one method after the other until the judge is content, and keep the best result.

Another method is believed only with a high score of the judge. It takes the place of an earlier result only if, too,
its score is clearly higher and the verdict (pass, warn, fail) no worse; or, of two high scores, the verdict better.
A method that sees the same patches, and their neighbours, can be compared finding by finding: it takes the place of a
doubtful result if what neighbours can cure is cured, and nothing new is found. What cannot win is not started, and a
method is looked at in a few slices before it is run on all.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from bids_deepseg.errors import NetworkError, SegmentationError, UsageError
from bids_deepseg.stages.extent import Extent
from bids_deepseg.stages.findings import verdict_of
from bids_deepseg.stages.segmentation import Segmentation, Try

#: Name of the first try, by the settings of the run.
FIRST = "as asked for"

#: Findings that other methods cannot do anything about: the cord is cut off, or goes on into the brain stem.
NOT_CURABLE = frozenset({"field-border", "above-foramen-magnum", "ends-unknown"})

#: Findings about the cord or the header and not about the method: a right mask of a swollen cord has them, too.
#: They count in the verdict, but not in the order among results.
OF_THE_IMAGE = frozenset({"area-range"})

#: Slices without signal are interpolated at least as well as another method guesses them (docs/rescue.md): as long as
#: they are few, they do not count in the order either.
_BRIDGED = "gap-bridged"

#: How much the score of a later result must be higher: scores of other networks, centerlines and views compare roughly
#: (docs/rescue.md).
MIN_GAIN = 0.1

#: How much lower it may be if the verdict is better, and both scores are believed.
_SAME_SCORE = 0.01

#: How much lower the score of a method that sees the same patches may be: that of the 3D kernel was up to 0.023 lower
#: where its mask was better, in training images whose fluid had been faded (docs/rescue.md).
_COMPARABLE_SCORE = 0.03

#: Findings that a view of neighbouring slices can cure: an outline that jumps from slice to slice, or lies at no edge.
CURED_BY_NEIGHBOURS = frozenset({"area-jump", "centre-jump", "edge-elsewhere"})

#: Score from which another method than the first one is believed.
BELIEVED_SCORE = 0.8

#: How far the score of a few slices may lie below that of all.
_FEW_SLICES_ERROR = 0.05

#: Added to the name of a method that was not run on all slices.
SOME_SLICES = "some slices"

_RANKS = ("fail", "warn", "pass")

_NO_LOOKS: Mapping[str, Callable[[], Segmentation]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, eq=False)
class Rescued:
    """The best result, and all tries in their order; no tries where none but the first was needed.

    ``results`` holds what each method gave that gave something, by its name.
    """

    result: Segmentation
    tries: tuple[Try, ...]
    results: Mapping[str, Segmentation] = field(default_factory=dict)


def rescue(
    first: Callable[[], Segmentation],
    attempts: Iterable[tuple[str, Callable[[], Segmentation]]],
    *,
    for_failures: frozenset[str] = frozenset(),
    last_resorts: frozenset[str] = frozenset(),
    comparable: frozenset[str] = frozenset(),
    looks: Mapping[str, Callable[[], Segmentation]] = _NO_LOOKS,
    extent_of: Callable[[Segmentation], Extent] = lambda _result: (),
) -> Rescued:
    """Run the first method, and others if the judge is not content with it.

    Parameters
    ----------
    first : callable
        The method that was asked for.
    attempts : iterable of (str, callable)
        Names of other methods and the methods, in the order in which they are tried. One that raises ``NetworkError``
        or ``UsageError`` is not at hand here and is left out.
    for_failures : frozenset of str, optional
        Names of those that are tried only as long as the verdict of the best result is ``fail``, or there is none.
    last_resorts : frozenset of str, optional
        Names of those that are tried only as long as no result is better than ``fail``.
    comparable : frozenset of str, optional
        Names of those that see the same patches as the first method, see :func:`has_fewer_doubts`.
    looks : mapping of str to callable, optional
        By name, the same methods on a few slices of the image. One that could not win by what it shows there is not run
        on all of them.
    extent_of : callable, optional
        Tells how far the mask of a result reaches, for what is kept of each try.

    Returns
    -------
    Rescued
        The best result.

    Raises
    ------
    SegmentationError
        That of the first method, if no method gave a result that is believed.
    """
    tries: list[Try] = []
    best: Segmentation | None = None
    error: SegmentationError | None = None
    try:
        best = first()
    except SegmentationError as caught:
        error = caught
        tries.append(Try(FIRST, caught.status, None, (str(caught),)))
    if best is not None:
        if not (needs_rescue(best) and may_be_beaten(best)):
            return Rescued(best, ())
        tries.append(_describe(FIRST, best, extent_of))
    return _search(best, error, tries, _Others(attempts, for_failures, last_resorts, comparable, looks, extent_of))


@dataclass(frozen=True, slots=True)
class _Others:
    """The other methods, and when they are tried; as in :func:`rescue`."""

    attempts: Iterable[tuple[str, Callable[[], Segmentation]]]
    for_failures: frozenset[str]
    last_resorts: frozenset[str]
    comparable: frozenset[str]
    looks: Mapping[str, Callable[[], Segmentation]]
    extent_of: Callable[[Segmentation], Extent]

    def is_due(self, name: str, best: Segmentation | None) -> bool:
        """Return whether a method is tried after the best result so far."""
        if best is None:
            return True
        if name in self.for_failures and best.verdict != "fail":
            return False
        return not (name in self.last_resorts and rank_of(best) > 0)


def _search(best: Segmentation | None, error: SegmentationError | None, tries: list[Try], others: _Others) -> Rescued:
    """Try the other methods after the first one, whose result or error is given."""
    n_best, results = 0, {} if best is None else {FIRST: best}
    for name, run in others.attempts:
        if not others.is_due(name, best):
            continue
        try:
            if name in others.looks:
                seen = others.looks[name]()
                if not _is_promising(seen, best):
                    tries.append(_describe(f"{name} ({SOME_SLICES})", seen, others.extent_of))
                    continue
            result = run()
        except (NetworkError, UsageError):
            continue
        except SegmentationError as caught:
            tries.append(Try(name, caught.status, None, (str(caught),)))
            continue
        tries.append(_describe(name, result, others.extent_of))
        results[name] = result
        if is_believed(result, best) or (name in others.comparable and has_fewer_doubts(result, best)):
            best, n_best = result, len(tries) - 1
        if best is not None and not (needs_rescue(best) and may_be_beaten(best)):
            break
    if best is None:
        raise _with_tries(error, tries)
    return Rescued(best, tuple(replace(one, kept=n == n_best) for n, one in enumerate(tries)), results)


def needs_rescue(result: Segmentation) -> bool:
    """Return whether something speaks against a result that another method may do better."""
    return any(found.severity != "info" and found.code not in NOT_CURABLE for found in result.findings)


def may_be_beaten(best: Segmentation) -> bool:
    """Return whether a score can be clearly higher than that of a result; scores end at 1."""
    return best.verdict == "fail" or best.score + MIN_GAIN < 1


def is_believed(result: Segmentation, best: Segmentation | None) -> bool:
    """Return whether the result of another method takes the place of the best one so far, or of none.

    Where no method saw a cord before, one whose mask fails is not believed.
    """
    if result.score < BELIEVED_SCORE:
        return False
    if best is None:
        return result.verdict != "fail"
    return rank_of(result) >= rank_of(best) and result.score > _score_to_beat(result, best)


def has_fewer_doubts(result: Segmentation, best: Segmentation | None) -> bool:
    """Return whether a result lacks a finding of a doubtful one that neighbouring slices can cure, and has no new one.

    For results from the same patches only. Where cord and fluid can hardly be told apart, the neighbours of a slice
    help, and the score shows it less than the findings do.
    """
    if best is None or best.verdict != "warn" or result.verdict == "fail":
        return False
    before, after = _doubts(best), _doubts(result)
    is_cured = after <= before and bool((before - after) & CURED_BY_NEIGHBOURS)
    return is_cured and result.score > best.score - _COMPARABLE_SCORE


def _doubts(result: Segmentation) -> frozenset[str]:
    """Return the codes of all that speaks against a result."""
    return frozenset(found.code for found in result.findings if found.severity != "info")


def _score_to_beat(result: Segmentation, best: Segmentation) -> float:
    """Return the score that a result must exceed to take the place of the best one."""
    is_better = rank_of(result) > rank_of(best)
    return best.score + (-_SAME_SCORE if is_better and best.score >= BELIEVED_SCORE else MIN_GAIN)


def _is_promising(seen: Segmentation, best: Segmentation | None) -> bool:
    """Return whether a method may win by what it shows in a few slices, where verdict and score are less sure."""
    needed = BELIEVED_SCORE if best is None else max(BELIEVED_SCORE, _score_to_beat(seen, best))
    return seen.score >= needed - _FEW_SLICES_ERROR


def rank_of(result: Segmentation) -> int:
    """Return 0 for a result that fails, 1 for a doubtful one, 2 for one that nothing of the method speaks against."""
    counted = tuple(
        found
        for found in result.findings
        if found.code not in OF_THE_IMAGE and (found.code, found.severity) != (_BRIDGED, "warn")
    )
    return _RANKS.index(verdict_of(counted))


def _describe(name: str, result: Segmentation, extent_of: Callable[[Segmentation], Extent]) -> Try:
    """Return the entry of a method with a result."""
    codes = tuple(found.code for found in result.findings if found.severity != "info")
    return Try(name, result.verdict, round(result.score, 4), codes, extent=extent_of(result))


def _with_tries(error: SegmentationError | None, tries: list[Try]) -> SegmentationError:
    """Add to an error what else was tried."""
    if error is None:
        raise ValueError("There is no result and no error.")
    others = "; ".join(f"{one.name}: {one.verdict}" for one in tries[1:])
    message = f"{error} Also tried: {others}." if others else str(error)
    failure = type(error)(message)
    failure.stage, failure.image = error.stage, error.image
    return failure
