"""Render the page of the group level: one HTML page that needs nothing else.

The page opens from disk without network, works without scripts, and is the same for the same input.
"""

import math
from dataclasses import dataclass

import jinja2

from bids_deepseg.report.distribution import Distribution, Values, plot_distribution


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupImage:
    """One image.

    Attributes
    ----------
    subject : str
        Label without ``sub-``.
    title : str
        Path of the source image relative to its data set.
    kind : str
        Kind of image, the value of ``desc``.
    verdict : str
        ``pass``, ``warn``, ``fail``, or ``failed`` if there is no result.
    area_mm2 : float
        Mean area; NaN if there is none.
    score : float
        Robust z-score of the mean area; NaN if there is none.
    n_slices : int or None
        Slices with mask; None without result.
    note : str
        Doubts about the result, or why there is none.
    """

    subject: str
    title: str
    kind: str
    verdict: str
    area_mm2: float = math.nan
    score: float = math.nan
    n_slices: int | None = None
    note: str = ""

    @property
    def name(self) -> str:
        """File name, which holds the labels of participant and session."""
        return self.title.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class KindSummary:
    """Kind, number of images, median and robust standard deviation (NaN if unknown) of their mean areas in mm²."""

    kind: str
    n_images: int
    median_mm2: float
    spread_mm2: float


@dataclass(frozen=True, slots=True)
class Absence:
    """Participant, session and kind of an image that is not there, and why it is listed; an empty kind is all."""

    subject: str
    session: str | None
    kind: str
    reason: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images of one participant, what differs, their mean areas in mm² and the difference in percent."""

    subject: str
    kind: str
    between: str
    first: str
    second: str
    first_mm2: float
    second_mm2: float
    percent: float


@dataclass(frozen=True, slots=True)
class PairSummary:
    """What differs, kind, number of pairs and coefficient of variation within participants in percent."""

    between: str
    kind: str
    n_pairs: int
    variation_percent: float


@dataclass(frozen=True, slots=True)
class GroupPage:
    """Everything on the page.

    Attributes
    ----------
    images : tuple of GroupImage
        Rows in their order.
    kinds : tuple of KindSummary
        Kinds in their order.
    missing : tuple of Absence
        Images that are not there.
    pairs, pair_summaries : tuple of Pair, tuple of PairSummary
        Repeated images.
    pages : frozenset of str
        Participants who have a page ``sub-<label>.html`` beside this one.
    participant_columns : tuple of str
        Columns of the source's ``participants.tsv``; empty if it is not joined.
    participant_places : tuple of str
        Where it is looked for.
    tables : tuple of str
        Files with these numbers.
    outlier_score : float
        Robust z-score from which an image is an outlier.
    least_images : int
        Images of a kind from which there is a score.
    """

    images: tuple[GroupImage, ...]
    kinds: tuple[KindSummary, ...]
    missing: tuple[Absence, ...]
    pairs: tuple[Pair, ...]
    pair_summaries: tuple[PairSummary, ...]
    pages: frozenset[str]
    participant_columns: tuple[str, ...]
    participant_places: tuple[str, ...]
    tables: tuple[str, ...]
    outlier_score: float
    least_images: int

    def is_outlier(self, image: GroupImage) -> bool:
        """Return whether the mean area of an image is an outlier."""
        return abs(image.score) >= self.outlier_score

    @property
    def counts(self) -> dict[str, int]:
        """Images by verdict, worst first."""
        verdicts = [image.verdict for image in self.images]
        return {each: verdicts.count(each) for each in ("failed", "fail", "warn", "pass") if each in verdicts}

    @property
    def outliers(self) -> tuple[GroupImage, ...]:
        """Images whose mean area is an outlier, the farthest first."""
        found = [image for image in self.images if self.is_outlier(image)]
        return tuple(sorted(found, key=lambda image: -abs(image.score)))

    @property
    def n_participants(self) -> int:
        """Participants with an image."""
        return len({image.subject for image in self.images})


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
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("bids_deepseg.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.tests["known"] = lambda value: value is not None and math.isfinite(value)
    return environment.get_template("group.html").render(page=page, plot=_plot(page), version=version, app=app)


def _plot(page: GroupPage) -> Distribution | None:
    """Lay out the mean areas of all images."""
    return plot_distribution(
        [
            Values(
                kind.kind,
                [
                    (image.area_mm2, f"{image.title}: {image.area_mm2:.1f} mm²", _style(page, image))
                    for image in page.images
                    if image.kind == kind.kind and math.isfinite(image.area_mm2)
                ],
                kind.median_mm2,
                page.outlier_score * kind.spread_mm2,
            )
            for kind in page.kinds
        ]
    )


def _style(page: GroupPage, image: GroupImage) -> str:
    """Return the class of the dot of an image."""
    if page.is_outlier(image):
        return "outlier"
    return "unused" if image.verdict == "fail" else "plain"
