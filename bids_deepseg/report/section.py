"""Make the section of one image of a participant's page, ready for the template."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.report.cord import CordImage, cord_image
from bids_deepseg.report.explorer import pack_neighbourhood
from bids_deepseg.report.hints import what_to_do
from bids_deepseg.report.histogram import Histogram, draw_histogram
from bids_deepseg.report.image import ReportImage
from bids_deepseg.report.measures import Measures, by_slice, levels_of, mean_area_mm2
from bids_deepseg.report.notes import Notes, take_notes
from bids_deepseg.report.reportlets import Figures, draw_figures
from bids_deepseg.report.thumbnail import Thumbnail, draw_thumbnail
from bids_deepseg.report.tries import draw_tries
from bids_deepseg.report.views import View

#: More places of one reason than this are counted, not named.
_MOST_PLACES = 8


@dataclass(frozen=True, slots=True)
class Place:
    """Neighbouring slices that a reason is about.

    Attributes
    ----------
    text : str
        Their native numbers.
    row : int
        The first one, counted from superior.
    anchor : str
        Anchor of its tile, empty if the mosaic does not have it.
    """

    text: str
    row: int
    anchor: str


@dataclass(frozen=True, slots=True)
class Reason:
    """A reason of the verdict: its severity, a sentence, its places, and how many more there are."""

    severity: str
    message: str
    places: tuple[Place, ...] = ()
    n_more: int = 0


@dataclass(frozen=True, slots=True)
class Section:
    """One image, ready for the template."""

    anchor: str
    title: str
    verdict: str
    status: str
    advice: str
    reasons: tuple[Reason, ...]
    facts: tuple[tuple[str, str], ...]
    options: tuple[tuple[str, str], ...]
    provenance: tuple[tuple[str, str], ...]
    command: str
    tries: tuple[Mapping[str, Any], ...]
    try_views: tuple[View | None, ...]
    figures: Figures | None
    histogram: Histogram | None
    explorer: Mapping[str, Any] | None
    area: float | None
    n_slices: int | None
    structure_noun: str
    thumbnail: Thumbnail | None

    @property
    def has_mask(self) -> bool:
        """Whether there is a result to show."""
        return self.n_slices is not None


def make_section(image: ReportImage, anchor: str) -> Section:
    """Draw one image.

    Parameters
    ----------
    image : ReportImage
        The image and its result.
    anchor : str
        Anchor of the section.
    """
    done = image.mask is not None
    cord, measures, figures, notes = None, None, None, Notes({}, ())
    if image.image is not None:
        cord = cord_image(
            *(image.image, image.mask, image.probability, image.centerline_xyz), image.structure, image.heat
        )
        measures = by_slice(image.morph, cord)
        notes = take_notes(cord, measures, image.reasons)
        figures = draw_figures(cord, measures, notes.words, levels_of(measures, image.level_names))
    area = mean_area_mm2(measures) if measures is not None else None
    return Section(
        anchor=anchor,
        title=image.title,
        verdict=(image.verdict or "none") if done else "failed",
        status=image.status,
        advice="" if done else what_to_do(image.status),
        reasons=tuple(_reasons(image, cord, notes, figures, anchor)),
        facts=tuple(_facts(image, cord, area)),
        options=_as_texts(image.options),
        provenance=_as_texts(image.provenance),
        command=image.command,
        tries=image.tries,
        try_views=() if cord is None else draw_tries(cord, [one.get("Extent", ()) for one in image.tries]),
        figures=figures,
        histogram=None if cord is None else draw_histogram(cord),
        explorer=None if cord is None or measures is None else _explorer(image, cord, measures, notes),
        area=area,
        n_slices=None if image.mask is None else int(image.mask.data.any(image.mask.grid.in_plane_axes).sum()),
        structure_noun=image.structure_noun,
        thumbnail=None if cord is None else draw_thumbnail(cord, anchor),
    )


def _explorer(image: ReportImage, cord: CordImage, measures: Measures, notes: Notes) -> dict[str, Any] | None:
    """Return what the viewer of the page needs to show every slice of the image, ready for JSON."""
    packed = pack_neighbourhood(cord)
    if packed is None:
        return None
    areas = measures["area_mm2"][::-1]
    return {
        "title": image.title,
        **packed,
        "numbers": cord.numbers[::-1].tolist(),
        "areas": [round(float(area), 1) if np.isfinite(area) else None for area in areas],
        "levels": levels_of(measures, image.level_names)[::-1],
        "notes": {str(row): notes.words[int(n)] for row, n in enumerate(cord.numbers[::-1]) if int(n) in notes.words},
        "structure": image.structure_noun,
        "heat_note": image.heat_note,
    }


def _reasons(
    image: ReportImage, cord: CordImage | None, notes: Notes, figures: Figures | None, anchor: str
) -> Iterable[Reason]:
    """Yield what speaks against a result, with the slices that it is about, and other messages."""
    shown = set() if figures is None else {tile.number for tile in figures.tiles}
    marked = notes.places or ((),) * len(image.reasons)
    for reason, rows in zip(image.reasons, marked, strict=True):
        numbers = np.empty(0, int) if cord is None else cord.numbers[::-1]
        places = tuple(_place(run, numbers, shown, anchor) for run in _runs(rows))
        yield Reason(reason.severity, reason.message, places[:_MOST_PLACES], max(0, len(places) - _MOST_PLACES))
    yield from (Reason("info" if image.mask is not None else "fail", message) for message in image.messages)


def _runs(rows: Sequence[int]) -> Iterable[list[int]]:
    """Yield the runs of neighbouring rows."""
    for _, run in groupby(enumerate(rows), key=lambda item: item[1] - item[0]):
        yield [row for _, row in run]


def _place(run: Sequence[int], numbers: NDArray[np.intp], shown: set[int], anchor: str) -> Place:
    """Return a run of rows; its link leads to the first of its tiles."""
    ends = sorted({int(numbers[run[0]]), int(numbers[run[-1]])})
    tile = next((int(numbers[row]) for row in run if int(numbers[row]) in shown), None)
    return Place("\N{EN DASH}".join(map(str, ends)), run[0], "" if tile is None else f"{anchor}-slice-{tile}")


def _facts(image: ReportImage, cord: CordImage | None, area: float | None) -> Iterable[tuple[str, str]]:
    """Yield the rows of the table of facts."""
    if image.image is not None:
        grid = image.image.grid
        yield "Voxels", f"{' x '.join(map(str, grid.shape))}, axes towards {'-'.join(grid.axcodes)}"
        yield "Voxel size", f"{' x '.join(f'{zoom:.2f}' for zoom in grid.zooms)} mm"
    if cord is not None and cord.mask is not None:
        present = np.flatnonzero(cord.mask.any((0, 1)))
        yield "Slices with mask", f"{len(present)} of {len(cord.numbers)}"
        if len(present):
            numbers = cord.numbers[present]
            yield "From slice to slice", f"{numbers.min()} to {numbers.max()}"
    if area is not None:
        yield "Mean area", f"{area:.1f} mm²"
    yield from _as_texts(image.facts)


def _as_texts(facts: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Return the rows of a table."""
    return tuple((str(name), str(value)) for name, value in facts.items())
