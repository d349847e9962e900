"""Read back what was written, to resume a run, to fill the tables and for the reports."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.bids.provenance import RunStamp
from bids_deepseg.bids.query import BidsImage


@dataclass(frozen=True, slots=True, eq=False)
class SavedResult:
    """The result of one image as it stands in the output directory.

    Attributes
    ----------
    name : str
        Name of the mask without extension.
    subject : str
        Label without ``sub-``.
    session : str or None
        Label without ``ses-``.
    mask : Path
        The mask; ``probseg``, ``centerline``, ``centerline_mask`` and ``morph`` stand beside it.
    sidecar : mapping
        Contents of the mask's JSON sidecar.
    """

    mask: Path
    subject: str
    session: str | None
    sidecar: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the mask without extension."""
        return self.mask.name.partition(".")[0]

    @property
    def source(self) -> str:
        """Path of the source image relative to its data set."""
        raise NotImplementedError

    @property
    def verdict(self) -> str:
        """pass, warn or fail."""
        raise NotImplementedError

    @property
    def reasons(self) -> tuple[Mapping[str, str], ...]:
        """Findings and notes, each with ``Code``, ``Severity`` and ``Message``."""
        raise NotImplementedError

    @property
    def csa_mean(self) -> float:
        """Mean cross-sectional area in mm², NaN when unknown."""
        raise NotImplementedError

    @property
    def n_slices(self) -> int:
        """Number of slices with a mask."""
        raise NotImplementedError

    @property
    def probseg(self) -> Path | None:
        """Probability map, None when it was not asked for."""
        raise NotImplementedError

    def morph(self) -> dict[str, NDArray[np.float64]]:
        """Read the table of measures: columns by name, NaN for ``n/a``."""
        raise NotImplementedError

    def centerline(self) -> NDArray[np.float64]:
        """Read the centerline, (N, 3) RAS mm; (0, 3) when it was not asked for."""
        raise NotImplementedError


def is_current(image: BidsImage, output_dir: Path, stamp: RunStamp) -> bool:
    """Tell whether the result of an image is complete and would come out the same again.

    Parameters
    ----------
    image : BidsImage
        Source.
    output_dir : Path
        Root of the derivative data set.
    stamp : RunStamp
        App, networks and options of this run.

    Returns
    -------
    bool
        True when all products exist and source, networks and options are those of the sidecar.
    """
    raise NotImplementedError


def read_saved(image: BidsImage, output_dir: Path) -> SavedResult | None:
    """Read the result of one image, None when there is no complete one."""
    raise NotImplementedError


def find_saved(output_dir: Path) -> Iterator[SavedResult]:
    """Find all complete results of an output directory, sorted by path."""
    raise NotImplementedError
