"""State what a loaded method is to the engine."""

from collections.abc import Callable
from dataclasses import dataclass

from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.guide import Guide
from bids_deepseg.stages.segmentation import Observer, Segmentation

#: Segments an image with what was loaded.
Segment = Callable[[Volume, Guide, Observer], Segmentation]


@dataclass(frozen=True, slots=True, eq=False)
class LoadedMethod:
    """A method with its networks, ready to segment images of one contrast.

    Attributes
    ----------
    run : callable
        Segments the cord.
    """

    run: Segment
