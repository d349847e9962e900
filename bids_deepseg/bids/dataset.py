"""Write the files that describe the derivative data set, from what stands in it.

Nothing is remembered from the run: every file is made again from the results and the recorded failures in the output
directory, and replaced only when it differs. Runs that write to one directory at the same time therefore end in the
same files as one run after the other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bids_deepseg.bids.query import BidsImage


@dataclass(frozen=True, slots=True)
class Failure:
    """An image without result.

    Attributes
    ----------
    image : BidsImage
        Source.
    status : str
        Word of the error class, for example ``bad-image``.
    message : str
        What happened, what was expected, what to do.
    """

    image: BidsImage
    status: str
    message: str


def prepare_output(output_dir: Path, bids_dir: Path) -> None:
    """Create the output directory, and refuse a place that must not be written to.

    Raises
    ------
    UsageError
        If it is the data set itself or lies inside of one of its participants.
    OutputError
        If it cannot be created or written, or holds another data set.
    """
    raise NotImplementedError


def resolve_links(output_dir: Path, bids_dir: Path, given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return ``DatasetLinks``: where the source data set (``raw``) is found.

    Parameters
    ----------
    output_dir, bids_dir : Path
        Results and source.
    given : mapping of str to str, optional
        Links stated by the user, which win.

    Returns
    -------
    dict of str to str
        A relative path when the results lie inside of the source, else its DOI, else nothing.
    """
    raise NotImplementedError


def write_dataset_files(
    output_dir: Path,
    bids_dir: Path,
    *,
    version: str,
    links: Mapping[str, str] | None = None,
    failures: Sequence[Failure] = (),
) -> None:
    """Bring the files of the data set up to date.

    Parameters
    ----------
    output_dir : Path
        Root of the derivative data set.
    bids_dir : Path
        Source; only its ``dataset_description.json`` is read.
    version : str
        Version of the app.
    links : mapping of str to str, optional
        Links stated by the user (``--dataset-link``).
    failures : sequence of Failure, optional
        Images of this run without result; recorded in ``logs/failed``, where a later success removes them.
    """
    raise NotImplementedError
