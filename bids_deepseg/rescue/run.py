"""Segment one image, and try other methods where the judge is not content with the first."""

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from bids_deepseg.engine import ModelStore, method_of
from bids_deepseg.errors import CordNotFoundError, UsageError
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.judge import judge_doubts, judge_kernels
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.rescue.attempts import STACKS, Attempt, all_attempts
from bids_deepseg.rescue.images import some_slices
from bids_deepseg.rescue.search import FIRST, Rescued, rescue
from bids_deepseg.stages.extent import extent_of
from bids_deepseg.stages.findings import Finding
from bids_deepseg.stages.heatmap import Heatmap
from bids_deepseg.stages.segmentation import Guide, Observer, Segmentation

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
    work = _Rescue(models, settings, volume, guide, observer)
    is_rescued = method_of(settings, drawn=guide.drawn is not None).is_rescued
    # Who asks for the raw answer of the network gets that.
    if settings.rescue == "off" or settings.is_soft or not is_rescued:
        return work.first()
    found = rescue(
        work.first,
        work.others(),
        looks=work.looks(),
        for_failures=frozenset(attempt.name for attempt in all_attempts() if not attempt.for_doubts),
        last_resorts=frozenset(attempt.name for attempt in all_attempts() if attempt.last_resort),
        # The published networks of both kernels were trained apart, and see patches of different sizes.
        comparable=frozenset(a.name for a in all_attempts() if a.is_comparable and settings.weights == "own"),
        extent_of=lambda result: extent_of(result.mask, volume.grid),
    )
    return with_notes(found, found.results) if found.tries else found.result


@dataclass(frozen=True, slots=True, eq=False)
class _Rescue:
    """The image, the settings that were asked for, and what the detection network answered (None: nothing)."""

    models: ModelStore
    settings: MethodSettings
    volume: Volume
    guide: Guide
    observer: Observer
    seen: dict[str, Heatmap | None] = field(default_factory=dict)

    def first(self) -> Segmentation:
        """Segment as asked for."""

        def observe(stage: str, result: object) -> None:
            if isinstance(result, Heatmap):
                self.seen[stage] = result
            self.observer(stage, result)

        try:
            return self.models.segment(self.settings, self.volume, guide=self.guide, observer=observe)
        except CordNotFoundError:
            self.seen.setdefault("heatmap", None)
            raise

    def others(self) -> Iterator[tuple[str, Callable[[], Segmentation]]]:
        """Yield the other methods, by name."""
        for attempt in all_attempts():
            yield attempt.name, partial(self._run, attempt, self.volume)

    def looks(self) -> Mapping[str, Callable[[], Segmentation]]:
        """Return those that can be looked at in a few slices, on these; none where that saves nothing."""
        few = some_slices(self.volume)
        if few is None:
            return {}
        return {one.name: partial(self._run, one, few) for one in all_attempts() if one.sees_slices_alone}

    def _run(self, attempt: Attempt, volume: Volume) -> Segmentation:
        """Run another method.

        Raises
        ------
        UsageError
            If it does not fit the settings, or can find nothing where the first one did not.
        """
        changed = _changed(self.settings, attempt)
        guide = self.guide
        if attempt.is_detection_kept and self.settings.centerline == "cnn" and self.settings.method == "deepseg":
            heatmap = self.seen.get("heatmap")
            if "heatmap" in self.seen and heatmap is None:
                raise UsageError(f"The detection network saw nothing, and {attempt.name} asks it the same.")
            guide = replace(guide, heatmap=heatmap)
        logger.info("trying: %s", attempt.name, extra={"stage": "rescue"})
        # Missing or changed models are reported before any time is spent.
        specs = self.models.specs(changed, guide.contrast) if attempt.settings else ()
        image = volume if attempt.prepare is None else attempt.prepare(volume)
        return replace(self.models.segment(changed, image, guide=guide, observer=self.observer), models=specs)


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
