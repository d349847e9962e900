"""Read the small pictures of the images from the pages of the participants."""

from collections.abc import Iterable
from pathlib import Path

from bids_deepseg.bids.derivatives.layout import place
from bids_deepseg.files.own import read_head
from bids_deepseg.report.seal import HEAD_BYTES, PAGE_MARKS
from bids_deepseg.report.thumbnail import Thumbnail, find_thumbnails

#: The head of a page ends within this size for the images of most participants, and within the second for all.
_HEAD_BYTES, _MOST_BYTES = 2**18, 2**24


def read_thumbnails(output_dir: Path, subjects: Iterable[str]) -> dict[tuple[str, str], Thumbnail]:
    """Return the pictures by participant and image; none of a participant without a page of ours.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set.
    subjects : iterable of str
        Labels without ``sub-``.
    """
    return {
        (subject, title): thumbnail
        for subject in subjects
        for title, thumbnail in find_thumbnails(_head(place(output_dir, f"sub-{subject}.html"))).items()
    }


def _head(path: Path) -> str:
    """Return the head of a page of ours, or nothing."""
    head = read_head(path, _HEAD_BYTES)
    if not any(mark in head[:HEAD_BYTES] for mark in PAGE_MARKS):
        return ""
    if len(head) == _HEAD_BYTES and b"<body" not in head:
        head = read_head(path, _MOST_BYTES)
    return head.decode("utf-8", "replace")
