"""Gather what a person thinks of the images, and write the lists of images to correct."""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bids_deepseg.bids.derivatives.judgements import JUDGEMENTS, Judgement, read_judgements
from bids_deepseg.bids.derivatives.review_lists import LIST_MARKS, LISTS, format_list, image_name, read_review
from bids_deepseg.files.atomic import make_folder
from bids_deepseg.files.own import remove_own, write_own

logger = logging.getLogger(__name__)

#: Where a person puts the lists and the table that were saved while looking at the results.
REVIEW_PLACE = "sourcedata"


@dataclass(frozen=True, slots=True)
class Review:
    """What a person thinks of the images.

    Attributes
    ----------
    lists : mapping of str to str
        Marks of ``qc_fail.yml`` and ``qc_artifact.yml``, by names without folder and extension.
    judgements : mapping of str to Judgement
        Rows of ``qc_judgements.tsv``, by source image.
    """

    lists: Mapping[str, str] = field(default_factory=dict)
    judgements: Mapping[str, Judgement] = field(default_factory=dict)

    def of(self, source: str) -> Judgement:
        """Return what is said about a source image; the mark of the table comes before that of a list."""
        found = self.judgements.get(source, Judgement())
        return found if found.mark else Judgement(self.lists.get(image_name(source), ""), found.rank, found.comment)


def read_marks(output_dir: Path, sources: Collection[str]) -> Review:
    """Read lists and table; what in them is unknown or contradicts itself is named in a warning.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set.
    sources : collection of str
        All images, with or without result.

    Raises
    ------
    UsageError
        If a list or the table cannot be read.
    """
    folder = output_dir / REVIEW_PLACE
    review = Review(read_review(folder), read_judgements(folder))
    unknown = set(review.lists) - {image_name(source) for source in sources}
    unknown |= set(review.judgements) - set(sources)
    if unknown:
        logger.warning("Listed in the review, but not among the results: %s.", ", ".join(sorted(unknown)))
    marked = {source: review.judgements[source].mark for source in sources if source in review.judgements}
    twice = [source for source, mark in marked.items() if mark and review.lists.get(image_name(source), mark) != mark]
    if twice:
        logger.warning(
            "%s has another mark than %s for %s; that of the table was taken.",
            JUDGEMENTS,
            " or ".join(LISTS.values()),
            ", ".join(sorted(twice)),
        )
    return review


def write_lists(
    folder: Path, wrong: Collection[str], without_result: Collection[str], marks: Mapping[str, str]
) -> None:
    """Write the lists of images to correct, and remove those of an earlier run that have no entry any more.

    Parameters
    ----------
    folder : Path
        Where they stand.
    wrong : collection of str
        Source images whose result the judge calls wrong. A person who marks one with ``pass`` takes it off the list.
    without_result : collection of str
        Source images without usable result.
    marks : mapping of str to str
        Marks of a person by source image.

    Raises
    ------
    OutputError
        If a list has to be written where a file stands that is not ours.
    """
    listed: dict[str, list[str]] = {mark: [image for image in marks if marks[image] == mark] for mark in LISTS}
    listed["fail"] += [*(image for image in wrong if marks.get(image) != "pass"), *without_result]
    make_folder(folder)
    for mark, images in listed.items():
        if images:
            write_own(folder / LISTS[mark], format_list(image.partition("#")[0] for image in images), LIST_MARKS)
        else:
            remove_own(folder / LISTS[mark], LIST_MARKS)
