"""Segment one image, and try other methods where the judge is not content with the first."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from bids_deepseg.engine import Engine
from bids_deepseg.errors import UsageError
from bids_deepseg.options.settings import Guide, MethodSettings

if TYPE_CHECKING:
    from bids_deepseg.geometry.volume import Volume
    from bids_deepseg.pipeline import Observer, Segmentation
    from bids_deepseg.rescue import Attempt, Rescued

logger = logging.getLogger(__name__)


def segment_or_rescue(
    engine: Engine,
    volume: "Volume",
    models: Any,
    *,
    guide: Guide,
    observer: "Observer",
    loaded: dict[MethodSettings, Any],
) -> "Segmentation":
    """Segment one image; with ``--rescue auto`` by other methods, too, if something speaks against the result.

    Parameters
    ----------
    engine : Engine
        Method that was asked for.
    volume : Volume
        The image.
    models : Any
        What the engine loaded.
    guide : Guide
        What is known of the image.
    observer : callable
        Called after each stage of each method.
    loaded : dict
        Models of other settings, which this process has loaded already; completed.

    Returns
    -------
    Segmentation
        The best result by the judge, with what was tried.

    Raises
    ------
    SegmentationError
        If no method gave a result.
    """
    from bids_deepseg.rescue import FIRST, all_attempts, rescue  # noqa: PLC0415 - loads scipy

    first = partial(engine.segment, volume, models, guide=guide, observer=observer)
    settings = engine.settings
    # Who asks for the raw answer of the network, or for the reference's own result, gets that.
    if settings.rescue == "off" or settings.is_soft or settings.profile != "default":
        return first()
    seen: dict[str, Segmentation] = {}
    others = _others(engine, volume, models, guide, observer, loaded)
    found = rescue(
        _kept_in(seen, FIRST, first),
        ((name, _kept_in(seen, name, run)) for name, run in others),
        last_resorts=frozenset(attempt.name for attempt in all_attempts() if attempt.last_resort),
    )
    return with_notes(found, seen) if found.tries else found.result


def _kept_in(
    seen: dict[str, "Segmentation"], name: str, run: "Callable[[], Segmentation]"
) -> "Callable[[], Segmentation]":
    """Return a method that leaves its result in ``seen``, too."""

    def run_and_keep() -> "Segmentation":
        seen[name] = run()
        return seen[name]

    return run_and_keep


def _others(
    engine: Engine,
    volume: "Volume",
    models: Any,
    guide: Guide,
    observer: "Observer",
    loaded: dict[MethodSettings, Any],
) -> Iterator[tuple[str, "Callable[[], Segmentation]"]]:
    """Yield the other methods that fit the settings, by name."""
    from bids_deepseg.rescue import all_attempts  # noqa: PLC0415 - loads scipy

    def run(attempt: "Attempt") -> "Segmentation":
        logger.info("trying: %s", attempt.name, extra={"stage": "rescue"})
        other, own = _configure(engine, models, attempt, guide, loaded)
        image = volume if attempt.prepare is None else attempt.prepare(volume)
        result = other.segment(image, own, guide=guide, observer=observer)
        return replace(result, models=other.specs(guide.contrast)) if attempt.settings else result

    for attempt in all_attempts():
        yield attempt.name, partial(run, attempt)


def _configure(
    engine: Engine, models: Any, attempt: "Attempt", guide: Guide, loaded: dict[MethodSettings, Any]
) -> tuple[Engine, Any]:
    """Return engine and models of an attempt.

    Raises
    ------
    UsageError
        If its settings do not exist, contradict those of the run, or are those of the run.
    NetworkError
        If its models are absent.
    """
    if not attempt.settings:
        return engine, models
    changes = dict(attempt.settings)
    if "centerline" in changes and engine.settings.centerline_file is not None:
        if len(changes) == 1:
            raise UsageError("A centerline that a person gave is not replaced.")
        # Another method is tried along the centerline that a person gave.
        del changes["centerline"]
    settings = replace(engine.settings, **changes)
    if settings == engine.settings:
        raise UsageError(f"{attempt.name} is what was asked for.")
    engine = engine.configured(settings)
    # Models that are absent or changed are told before any time is spent.
    engine.specs(guide.contrast)
    if settings not in loaded:
        loaded[settings] = engine.load()
    return engine, loaded[settings]


def with_notes(found: "Rescued[Segmentation]", seen: dict[str, "Segmentation"]) -> "Segmentation":
    """Return the best result with what was tried, and with findings that say so."""
    from bids_deepseg.judge import judge_kernels  # noqa: PLC0415 - loads scipy
    from bids_deepseg.rescue import FIRST, STACKS  # noqa: PLC0415 - loads scipy
    from bids_deepseg.stages.findings import Finding  # noqa: PLC0415 - loads scipy

    kept = next(one for one in found.tries if one.kept)
    result, first = found.result, found.tries[0]
    findings = result.findings
    if kept is not first:
        # The judge knows less of other methods than of the first one, so their results never pass without a look.
        message = (
            f"The result is that of another method ({kept.name}), since the first one ended with {first.verdict!r}. "
            "Look at the mask."
        )
        findings = (*findings, Finding("rescued", "warn", message))
    if FIRST in seen and STACKS in seen:
        differing = judge_kernels(seen[FIRST].mask, seen[STACKS].mask)
        findings = findings if differing is None else (*findings, differing)
    return replace(result, findings=findings, tries=found.tries)
