"""Render the page of the group level: one HTML page that needs nothing else.

The page opens from disk without network, works without scripts, and is the same for the same input.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bids_deepseg.report.along_cord import Band, Profile, plot_band
from bids_deepseg.report.distribution import Distribution, Values, plot_distribution
from bids_deepseg.report.environment import page_template
from bids_deepseg.report.group_facts import GroupImage, GroupPage, KindSummary
from bids_deepseg.report.grouping import group_by

#: Columns of participants.tsv that are shown; more make a table that nobody can read.
MOST_COLUMNS = 12

#: Columns by which areas are drawn: each plot takes room in the page.
MOST_PLOTTED = 40


@dataclass(frozen=True, slots=True)
class _Figure:
    """A plot with its heading and the name by which the page refers to it."""

    name: str
    title: str
    plot: Distribution


def render_group(page: GroupPage, *, version: str, app: str = "bids_deepseg") -> str:
    """Render the page.

    Parameters
    ----------
    page : GroupPage
        What it shows.
    version : str
        Version of the app.
    app : str, optional
        Name of the app.

    Returns
    -------
    str
        A complete HTML document.
    """
    return page_template("group.html").render(
        page=page,
        images=page.worst_first,
        columns=page.participant_columns[:MOST_COLUMNS],
        most_plotted=MOST_PLOTTED,
        figures=tuple(_distributions(page)),
        bands=tuple(_bands(page)),
        differences=_differences(page),
        version=version,
        app=app,
    )


def _distributions(page: GroupPage) -> Iterator[_Figure]:
    """Yield the plots of the mean areas: by kind, then within each kind by session and the columns of the people."""
    images = [image for image in page.images if math.isfinite(image.area_mm2)]
    kinds = {kind.kind: kind for kind in page.kinds}
    members = {kind: [image for image in images if image.kind == kind] for kind in kinds}
    strips = [Values(kind, _points(page, members[kind]), _usual(page, kinds[kind])) for kind in kinds]
    if (plot := plot_distribution(strips)) is not None:
        yield _Figure("areas-kind", "kind of image", plot)
    columns = [("session", [f"ses-{image.session}" if image.session else "" for image in images])]
    columns += [
        (name, [image.person[index] if image.person else "" for image in images])
        for index, name in enumerate(page.participant_columns[:MOST_PLOTTED])
    ]
    for index, (name, values) in enumerate(columns):
        groups = group_by(values)
        strips = [
            Values(f"{kind}, {group}" if len(kinds) > 1 else group, _points(page, chosen), _usual(page, kinds[kind]))
            for kind in kinds
            for group, positions in groups.items()
            if (chosen := [images[position] for position in positions if images[position].kind == kind])
        ]
        if (plot := plot_distribution(strips)) is not None:
            yield _Figure(f"areas-{index}", name, plot)


def _points(page: GroupPage, images: Sequence[GroupImage]) -> list[tuple[float, str, str]]:
    """Return value, text and class of images."""
    return [(image.area_mm2, f"{image.title}: {image.area_mm2:.1f} mm²", _style(page, image)) for image in images]


def _usual(page: GroupPage, kind: KindSummary) -> tuple[float, float] | None:
    """Return the range of areas without outliers of a kind."""
    away = page.outlier_score * kind.spread_mm2
    return (kind.median_mm2 - away, kind.median_mm2 + away) if math.isfinite(away) else None


def _style(page: GroupPage, image: GroupImage) -> str:
    """Return the class of the dot of an image."""
    if image.verdict == "fail":
        return "unused"
    return "outlier" if page.is_outlier(image) else "plain"


def _bands(page: GroupPage) -> Iterator[Band]:
    """Yield the areas along the cord of each kind; results that must not be used do not count."""
    for kind in page.kinds:
        images = [each for each in page.images if each.kind == kind.kind and each.along and each.verdict != "fail"]
        images.sort(key=lambda image: (-abs(image.score) if math.isfinite(image.score) else 0.0, image.title))
        profiles = [Profile(image.title, image.along, _style(page, image)) for image in images]
        band = plot_band(kind.kind, profiles, page.levels.get(kind.kind, ()))
        if band is not None:
            yield band


def _differences(page: GroupPage) -> Distribution | None:
    """Lay out the differences of repeated images in percent."""
    return plot_distribution(
        [
            Values(
                f"{each.kind}, {each.between}s",
                [
                    (pair.percent, f"{pair.first.rpartition('/')[2]}: {pair.percent:+.1f} %", "plain")
                    for pair in page.pairs
                    if (pair.between, pair.kind) == (each.between, each.kind)
                ],
            )
            for each in page.pair_summaries
        ]
    )
