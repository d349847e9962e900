"""Hold what the page of the group level shows."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from bids_deepseg.report.thumbnail import Thumbnail

#: Order of the verdicts, worst first.
VERDICTS = ("failed", "fail", "warn", "pass")


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupImage:
    """One image.

    Attributes
    ----------
    subject : str
        Label without ``sub-``.
    title : str
        Path of the source image relative to its data set, with ``#<number>`` for a volume that is an image of its own.
    kind : str
        Kind of image, the value of ``desc``.
    verdict : str
        ``pass``, ``warn``, ``fail``, or ``failed`` if there is no result.
    session : str
        Label without ``ses-``; empty if there is none.
    area_mm2 : float
        Mean area; NaN if there is none.
    score : float
        Robust z-score of the mean area; NaN if there is none.
    n_slices : int or None
        Slices with mask; None without result.
    note : str
        Doubts about the result, or why there is none.
    advice : str
        What to do about an image without result.
    along : tuple of float
        Areas along the cord at the places of its kind, from superior to inferior; empty if they cannot be compared.
    thumbnail : Thumbnail or None
        Picture.
    person : tuple of str
        Cells of the participant in the columns of ``participants.tsv``.
    mark, rank, comment : str
        What a person said about the image; empty if nothing.
    """

    subject: str
    title: str
    kind: str
    verdict: str
    session: str = ""
    area_mm2: float = math.nan
    score: float = math.nan
    n_slices: int | None = None
    note: str = ""
    advice: str = ""
    along: tuple[float, ...] = ()
    thumbnail: Thumbnail | None = None
    person: tuple[str, ...] = ()
    mark: str = ""
    rank: str = ""
    comment: str = ""

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
        All images, in any order: the page begins with the worst.
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
    levels : mapping of str to tuple of str
        For the kinds whose areas along the cord are by vertebral level, the names of the levels.
    identity : str
        Word for the data set, by which the browser tells its judgements from those of others.
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
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    identity: str = ""

    def is_outlier(self, image: GroupImage) -> bool:
        """Return whether the mean area of an image is an outlier."""
        return abs(image.score) >= self.outlier_score

    @property
    def counts(self) -> dict[str, int]:
        """Images by verdict, worst first."""
        verdicts = [image.verdict for image in self.images]
        return {each: verdicts.count(each) for each in VERDICTS if each in verdicts}

    @property
    def outliers(self) -> tuple[GroupImage, ...]:
        """Images whose mean area is an outlier, the farthest first."""
        found = [image for image in self.images if self.is_outlier(image)]
        return tuple(sorted(found, key=lambda image: -abs(image.score)))

    @property
    def worst_first(self) -> tuple[GroupImage, ...]:
        """Images without result, then those with the verdict fail, outliers of area, other doubts, and the rest."""

        def place(image: GroupImage) -> tuple[int, float, str, str]:
            rank = VERDICTS.index(image.verdict) if image.verdict in VERDICTS else len(VERDICTS)
            outlying = self.is_outlier(image) and rank > 1
            far = -abs(image.score) if outlying else 0.0
            return (2 if outlying else rank + (rank > 1), far, image.subject, image.title)

        return tuple(sorted(self.images, key=place))

    @property
    def n_participants(self) -> int:
        """Participants with an image."""
        return len({image.subject for image in self.images})
