"""Tell what a run would do, image by image, and write nothing.

Only names, headers and sidecars are read; an image that has a result already is read once, to compare its checksum.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from bids_deepseg import __version__
from bids_deepseg.app.participant.cost import Cost, expect_cost, expect_total
from bids_deepseg.app.participant.known import KnownImage
from bids_deepseg.app.participant.planning import plan_images, refuse_too_large, refuse_unnameable, request_of
from bids_deepseg.app.participant.progress import duration
from bids_deepseg.app.participant.selection import find_selected, log_selection, make_selection
from bids_deepseg.app.record import RunRecord
from bids_deepseg.bids.derivatives.layout import layout_of, located
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.naming import ResultNames
from bids_deepseg.bids.nifti.reading import ImageSize
from bids_deepseg.bids.source.query import QueryResult
from bids_deepseg.engine import Engine
from bids_deepseg.execution.plan import Plan
from bids_deepseg.execution.resources import Allocation
from bids_deepseg.networks.specs import ModelIdentity
from bids_deepseg.options.run import RunOptions

_STATES = {"missing": "no result", "failed": "failed before", "changed": "result of an earlier state"}


@dataclass(frozen=True, slots=True)
class PlannedImage:
    """What would be done with one image.

    Attributes
    ----------
    known : KnownImage
        The image and what is known of it.
    action : {"segment", "keep", "leave out", "refuse"}
        What would be done.
    reason : str
        Why.
    outputs : tuple of str
        Files relative to the output folder, the mask and its sidecar last; empty unless segmented.
    cost : Cost or None
        Expectation; None unless segmented.
    """

    known: KnownImage
    action: str
    reason: str
    outputs: tuple[str, ...] = ()
    cost: Cost | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """What a run would do.

    Attributes
    ----------
    options, allocation
        As in :class:`bids_deepseg.app.run.Run`.
    specs : tuple of ModelIdentity
        Networks.
    images : tuple of PlannedImage
        Sorted by path.
    found : QueryResult
        What was not selected.
    backend : str
        Library that computes the networks.
    """

    options: RunOptions
    allocation: Allocation
    specs: tuple[ModelIdentity, ...]
    images: tuple[PlannedImage, ...]
    found: QueryResult
    backend: str

    @property
    def total(self) -> Cost:
        """Time and memory of the whole run."""
        costs = [planned.cost for planned in self.images if planned.cost]
        return expect_total(costs, backend=self.backend, n_workers=self.allocation.n_workers)

    @property
    def filters(self) -> list[str]:
        """Filters in words."""
        return [str(each) for each in make_selection(self.options).filters]


def preview_run(options: RunOptions, allocation: Allocation, engine: Engine, record: RunRecord) -> Preview:
    """Plan a run as it would be.

    Parameters
    ----------
    options, allocation
        As in :class:`Preview`.
    engine : Engine
        Segmentation method.
    record : RunRecord
        Gets the participants without a usable image.
    """
    found = find_selected(options, record)
    log_selection(options, found)
    unnameable = refuse_unnameable(options, found.images)
    usable = [image for image in found.images if image not in unnameable]
    plan, too_large = refuse_too_large(options, plan_images(options, engine, usable), engine.backend)
    request = request_of(options, engine)
    expect = partial(expect_cost, backend=engine.backend, n_threads=allocation.omp_nthreads)
    images = [PlannedImage(request.look_up(image), "refuse", str(error)) for image, error in unnameable.items()]
    images += [PlannedImage(one.job.payload, "refuse", one.error.message) for one in too_large if one.error]
    images += [_planned(options, plan, job.payload, expect) for job in plan.todo]
    images += [PlannedImage(job.payload, "keep", "up to date") for job in plan.current]
    images += [PlannedImage(job.payload, "leave out", _words(plan, job.payload.image)) for job in plan.left_out]
    ordered = tuple(sorted(images, key=lambda planned: (planned.known.image.path, planned.known.image.volume or 0)))
    contrasts = dict.fromkeys(request.contrast_of(image) for image in usable)
    specs = {spec.sha256: spec for contrast in contrasts for spec in engine.specs(contrast)}
    return Preview(options, allocation, tuple(specs.values()), ordered, found, engine.backend)


def _planned(options: RunOptions, plan: Plan, known: KnownImage, expect: Callable[[ImageSize], Cost]) -> PlannedImage:
    """Return an image that would be segmented, or would fail because its header cannot be read."""
    image, correction = known.image, known.correction
    if isinstance(known.size, str):
        return PlannedImage(known, "refuse", known.size)
    cost = expect(known.size)
    reason = _words(plan, image)
    if correction is not None:
        reason += f", {correction.kind} corrected by hand: {correction.paths[0].name}"
    names = ResultNames.of_image(image)
    layout = options.layout or layout_of(options.output_dir)
    outputs = tuple(path for product in known.products for path in (names.path(product), names.sidecar(product)))
    if layout != "bids":
        # Making 40,000 paths takes seconds.
        outputs = tuple(str(located(path, layout)) for path in outputs)
    return PlannedImage(known, "segment", reason, outputs, cost)


def _words(plan: Plan, image: BidsImage) -> str:
    """Say in which state an image is."""
    states = plan.states[image.key]
    return ", ".join(text for state, text in _STATES.items() if state in states) or "up to date, repeated"


def describe_preview(preview: Preview) -> dict[str, object]:
    """Return a preview as a JSON object."""
    options, total = preview.options, preview.total
    return {
        "version": __version__,
        "bids_dir": str(options.bids_dir),
        "output_dir": str(options.output_dir),
        "networks": [{"name": spec.name, "contrast": spec.contrast, "sha256": spec.sha256} for spec in preview.specs],
        "device": options.device,
        "backend": preview.backend,
        "at_the_same_time": preview.allocation.n_workers,
        "threads": preview.allocation.omp_nthreads,
        "filters": preview.filters,
        "n_filtered": preview.found.n_filtered,
        "counts": Counter(planned.action for planned in preview.images),
        "seconds": round(total.seconds),
        "megabytes": round(total.megabytes),
        "images": [_describe_image(planned) for planned in preview.images],
        "without_input": dict(preview.found.without_images),
        "unknown": [
            {"kind": each.kind, "value": each.value, "nearest": each.nearest} for each in preview.found.unknown
        ],
        "skipped": [
            {"path": skipped.path.relative_to(options.bids_dir).as_posix(), "reason": skipped.reason}
            for skipped in preview.found.skipped
        ],
    }


def _describe_image(planned: PlannedImage) -> dict[str, object]:
    """Return one image as a JSON object."""
    image = planned.known.image
    return {
        "image": image.key,
        "subject": image.subject,
        "session": image.session,
        "contrast": str(planned.known.contrast),
        "action": planned.action,
        "reason": planned.reason,
        "outputs": list(planned.outputs),
        "seconds": round(planned.cost.seconds, 1) if planned.cost else None,
        "megabytes": round(planned.cost.megabytes) if planned.cost else None,
    }


def preview_lines(preview: Preview) -> Iterator[str]:
    """Yield the lines of a preview as text."""
    for planned in preview.images:
        facts = [str(planned.known.contrast), planned.reason]
        if planned.cost:
            facts.append(f"about {duration(planned.cost.seconds)}, {planned.cost.megabytes / 1e3:.1f} GB")
        yield f"{planned.action:9} {planned.known.image.key} ({'; '.join(facts)})"
        if planned.outputs:
            yield f"{'':9} -> {_shorten(planned.outputs)}"
    yield f"Networks: {', '.join(f'{spec.name} ({spec.sha256[:8]})' for spec in preview.specs)}"
    for text in preview.filters:
        yield f"Filter {text}"
    counts = Counter(planned.action for planned in preview.images)
    yield f"Images: {', '.join(f'{n} to {action}' for action, n in sorted(counts.items()))}"
    if counts["segment"]:
        total, allocation = preview.total, preview.allocation
        yield (
            f"Expected: {duration(total.seconds)}, {total.megabytes / 1e3:.1f} GB. Images at the same time: "
            f"{min(allocation.n_workers, counts['segment'])}; threads for each: {allocation.omp_nthreads}."
        )


def _shorten(outputs: Sequence[str]) -> str:
    """Return the mask with its folder, and the endings of the other files."""
    images = [path for path in outputs if not path.endswith(".json")]
    others = ", ".join("_label-" + path.partition("_label-")[2] for path in images[:-1])
    return f"{images[-1]} and {others}, each with .json"
