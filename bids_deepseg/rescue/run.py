"""Segment one image, and try other methods where the judge is not content with the first."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial

from bids_deepseg.engine import ModelStore, method_of
from bids_deepseg.errors import UsageError
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.judge import judge_doubts, judge_kernels
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.rescue.attempts import STACKS, Attempt, all_attempts
from bids_deepseg.rescue.search import FIRST, Rescued, rescue
from bids_deepseg.stages.findings import Finding
from bids_deepseg.stages.guide import Guide
from bids_deepseg.stages.segmentation import Observer, Segmentation

logger = logging.getLogger(__name__)


def segment_or_rescue(
    models: ModelStore, settings: MethodSettings, volume: Volume, *, guide: Guide, observer: Observer
) -> Segmentation:
    """Segment one image; with ``--rescue auto`` by other methods, too, if something speaks against the result.

    Parameters
    ----------
    models : ModelStore
        The models that this process has loaded already; completed.
    settings : MethodSettings
        Method that was asked for.
    volume : Volume
        The image.
    guide : Guide
        What is known of the image.
    observer : callable
        Called after each stage of each method.

    Returns
    -------
    Segmentation
        The best result by the judge, with what was tried.

    Raises
    ------
    SegmentationError
        If no method gave a result.
    """
    first = partial(models.segment, settings, volume, guide=guide, observer=observer)
    is_rescued = method_of(settings, drawn=guide.drawn is not None).is_rescued
    # Who asks for the raw answer of the network gets that.
    if settings.rescue == "off" or settings.is_soft or not is_rescued:
        return first()
    found = rescue(
        first,
        _others(models, settings, volume, guide, observer),
        for_failures=frozenset(attempt.name for attempt in all_attempts() if not attempt.for_doubts),
        last_resorts=frozenset(attempt.name for attempt in all_attempts() if attempt.last_resort),
    )
    return with_notes(found, found.results) if found.tries else found.result


def _others(
    models: ModelStore, settings: MethodSettings, volume: Volume, guide: Guide, observer: Observer
) -> Iterator[tuple[str, Callable[[], Segmentation]]]:
    """Yield the other methods that fit the settings, by name."""

    def run(attempt: Attempt) -> Segmentation:
        logger.info("trying: %s", attempt.name, extra={"stage": "rescue"})
        changed = _changed(settings, attempt)
        # Missing or changed models are reported before any time is spent.
        specs = models.specs(changed, guide.contrast) if attempt.settings else ()
        image = volume if attempt.prepare is None else attempt.prepare(volume)
        return replace(models.segment(changed, image, guide=guide, observer=observer), models=specs)

    for attempt in all_attempts():
        yield attempt.name, partial(run, attempt)


def _changed(settings: MethodSettings, attempt: Attempt) -> MethodSettings:
    """Return the settings of an attempt.

    Raises
    ------
    UsageError
        If they do not exist, contradict those of the run, or are those of the run.
    """
    if not attempt.settings:
        return settings
    changes = attempt.settings.copy()
    if "centerline" in changes and settings.centerline_file is not None:
        if len(changes) == 1:
            raise UsageError("A centerline that a person gave is not replaced.")
        # Another method is tried along the centerline that a person gave.
        del changes["centerline"]
    changed = replace(settings, **changes)
    if changed == settings:
        raise UsageError(f"{attempt.name} is what was asked for.")
    return changed


def with_notes(found: Rescued, seen: Mapping[str, Segmentation]) -> Segmentation:
    """Return the best result with what was tried, and with findings that say so."""
    kept = next(one for one in found.tries if one.kept)
    result, first = found.result, found.tries[0]
    findings = result.findings
    if FIRST in seen and STACKS in seen:
        differing = judge_kernels(seen[FIRST].mask, seen[STACKS].mask)
        findings = findings if differing is None else (*findings, differing)
        # One doubt more may be one too many.
        findings = (*findings, *judge_doubts(findings))
    if kept is not first:
        # The judge knows less of other methods than of the first one, so their results never pass without a look.
        message = (
            f"The result is that of another method ({kept.name}), since the first one ended with {first.verdict!r}. "
            "Look at the mask."
        )
        findings = (*findings, Finding("rescued", "warn", message))
    return replace(result, findings=findings, tries=found.tries)
