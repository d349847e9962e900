"""Run one method after the other until the judge is content, and keep the best result.

Another method is believed only with a high score of the judge. It takes the place of an earlier result only if, too,
the verdict (pass, warn, fail) is no worse and the score clearly higher: a rescue never ends worse by either.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from bids_deepseg.errors import NetworkError, SegmentationError, UsageError
from bids_deepseg.stages.findings import verdict_of
from bids_deepseg.stages.segmentation import Segmentation, Try

#: Name of the first try, by the settings of the run.
FIRST = "as asked for"

#: Findings that other methods cannot do anything about: the cord is cut off, or goes on into the brain stem.
NOT_CURABLE = frozenset({"field-border", "above-foramen-magnum", "ends-unknown"})

#: Findings about the cord or the header and not about the method: a right mask of a swollen cord has them, too.
#: They count in the verdict, but not in the order among results.
OF_THE_IMAGE = frozenset({"area-range"})

#: How much the score of a later result must be higher: scores of other networks, centerlines and views compare roughly
#: (docs/rescue.md).
MIN_GAIN = 0.1

#: Score from which another method than the first one is believed.
BELIEVED_SCORE = 0.8

_RANKS = ("fail", "warn", "pass")


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
        tries.append(_describe(FIRST, best))
    except SegmentationError as caught:
        error = caught
        tries.append(Try(FIRST, caught.status, None, (str(caught),)))
    if best is not None and not needs_rescue(best):
        return Rescued(best, ())
    return _search(best, error, tries, attempts, for_failures, last_resorts)


def _search(
    best: Segmentation | None,
    error: SegmentationError | None,
    tries: list[Try],
    attempts: Iterable[tuple[str, Callable[[], Segmentation]]],
    for_failures: frozenset[str],
    last_resorts: frozenset[str],
) -> Rescued:
    """Try the other methods after the first one, whose result or error is given."""
    n_best, results = 0, {} if best is None else {FIRST: best}
    for name, run in attempts:
        if best is not None and name in for_failures and best.verdict != "fail":
            continue
        if best is not None and name in last_resorts and rank_of(best) > 0:
            continue
        try:
            result = run()
        except (NetworkError, UsageError):
            continue
        except SegmentationError as caught:
            tries.append(Try(name, caught.status, None, (str(caught),)))
            continue
        tries.append(_describe(name, result))
        results[name] = result
        if is_believed(result, best):
            best, n_best = result, len(tries) - 1
        if best is not None and not needs_rescue(best):
            break
    if best is None:
        raise _with_tries(error, tries)
    return Rescued(best, tuple(replace(one, kept=n == n_best) for n, one in enumerate(tries)), results)


def needs_rescue(result: Segmentation) -> bool:
    """Return whether something speaks against a result that another method may do better."""
    return any(found.severity != "info" and found.code not in NOT_CURABLE for found in result.findings)


def is_believed(result: Segmentation, best: Segmentation | None) -> bool:
    """Return whether the result of another method takes the place of the best one so far, or of none.

    Where no method saw a cord before, one whose mask fails is not believed.
    """
    if result.score < BELIEVED_SCORE:
        return False
    if best is None:
        return result.verdict != "fail"
    return rank_of(result) >= rank_of(best) and result.score > best.score + MIN_GAIN


def rank_of(result: Segmentation) -> int:
    """Return 0 for a result that fails, 1 for a doubtful one, 2 for one that nothing of the method speaks against."""
    counted = tuple(found for found in result.findings if found.code not in OF_THE_IMAGE)
    return _RANKS.index(verdict_of(counted))


def _describe(name: str, result: Segmentation) -> Try:
    """Return the entry of a method with a result."""
    codes = tuple(found.code for found in result.findings if found.severity != "info")
    return Try(name, result.verdict, round(result.score, 4), codes)


def _with_tries(error: SegmentationError | None, tries: list[Try]) -> SegmentationError:
    """Add to an error what else was tried."""
    if error is None:
        raise ValueError("There is no result and no error.")
    others = "; ".join(f"{one.name}: {one.verdict}" for one in tries[1:])
    message = f"{error} Also tried: {others}." if others else str(error)
    failure = type(error)(message)
    failure.stage, failure.image = error.stage, error.image
    return failure
