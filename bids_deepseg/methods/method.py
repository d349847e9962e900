"""State what a whole method is to the engine, which holds the table of them."""

from collections.abc import Callable
from dataclasses import dataclass

from bids_deepseg.geometry.volume import Volume
from bids_deepseg.networks.specs import ModelIdentity
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.stages.segmentation import Guide, Observer, Segmentation

#: A method with its models: segments one image.
Segmenter = Callable[[Volume, Guide, Observer], Segmentation]


@dataclass(frozen=True, slots=True)
class Method:
    """A way from an image to the mask of its cord.

    Attributes
    ----------
    identify : callable
        Describes the models for images of a contrast, in the order of their use, the one that is thresholded last.
        Compares their files with their checksums and loads nothing; raises ``NetworkError`` where one is missing or
        changed, and ``UsageError`` where the method cannot do without the contrast.
    load : callable
        Loads the models that every image needs, and returns a function that completes them for a contrast.
    is_rescued : bool
        Whether other methods are tried where something speaks against the result.
    has_probability : bool
        Whether the result holds a probability that is worth writing.
    has_heatmap : bool
        Whether the result holds what the detection network saw, where that was asked for the centerline.
    """

    identify: Callable[[MethodSettings, str | None], tuple[ModelIdentity, ...]]
    load: Callable[[MethodSettings], Callable[[str | None], Segmenter]]
    is_rescued: bool = True
    has_probability: bool = True
    has_heatmap: bool = False
