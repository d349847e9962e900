"""Hold what the page of a participant shows about one image."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import ImageError
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.findings import Finding


@dataclass(frozen=True, slots=True, eq=False)
class ReportImage:
    """What the report shows about one image.

    Attributes
    ----------
    title : str
        Path of the source image relative to its data set.
    image : Volume or None
        The source image; None when it cannot be read.
    mask : Volume or None
        uint8 mask on the grid of the image; None when there is no result.
    probability : Volume or None
        float32 probability on the same grid.
    centerline_xyz : (N, 3) float array or None
        Course of the cord in RAS+ mm.
    morph : mapping of str to (K,) array
        Measures per native slice, the columns of :data:`bids_deepseg.stages.metrics.COLUMNS`, NaN without mask.
    verdict : {"pass", "warn", "fail"} or None
        Judgement of the result; None when there is none.
    status : str
        Word that says what became of the image, for example ``done`` or ``cord-not-found``.
    messages : tuple of str
        What went wrong, or what else is to be said.
    facts : mapping of str to str
        Further rows of the table of facts: network, threshold, seconds.
    reasons : tuple of Finding
        Reasons of the verdict, and notes.
    options, provenance : mapping of str to str
        How the result was made, and what from.
    command : str
        What to type to process this image again; empty if that is not known.
    level_names : tuple of str
        Names of the vertebral levels that the column ``vertebral_level`` of ``morph`` counts from 1.
    tries : tuple of mapping
        Methods that were tried, where the first did not content the judge: ``Method``, ``Verdict``, ``Score``,
        ``Reasons``, ``Kept``, and ``Extent`` of its mask where that is known.
    structure : Volume or None
        uint8 mask of a structure inside the cord.
    structure_noun : str
        What the structure is called.
    heat : Volume or None
        What the detection network saw, float32 in [0, 1] on a grid of its own.
    heat_note : str
        Why there is no heat; empty if there is, or if nothing needs to be said.

    Raises
    ------
    ImageError
        If the grids of image, masks and probability differ.
    """

    title: str
    image: Volume | None = None
    mask: Volume | None = None
    probability: Volume | None = None
    centerline_xyz: NDArray[np.float64] | None = None
    morph: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    verdict: Literal["pass", "warn", "fail"] | None = None
    status: str = "done"
    messages: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    reasons: tuple[Finding, ...] = ()
    options: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    level_names: tuple[str, ...] = ()
    tries: tuple[Mapping[str, Any], ...] = ()
    structure: Volume | None = None
    structure_noun: str = ""
    heat: Volume | None = None
    heat_note: str = ""

    def __post_init__(self) -> None:
        for other in (self.mask, self.probability, self.structure):
            if other is not None and (self.image is None or not self.image.grid.same_as(other.grid)):
                raise ImageError(f"The result of {self.title} does not lie on the grid of its image.")
