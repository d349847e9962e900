"""Write the HTML report of one participant from its images and the results on the disk."""

from collections.abc import Iterable
from pathlib import Path

from bids_deepseg.bids.query import BidsImage
from bids_deepseg.record import RunRecord


def write_subject_report(_subject: str, _images: Iterable[BidsImage], _output_dir: Path, _record: RunRecord) -> None:
    """Write nothing yet: the page is still to be drawn."""
