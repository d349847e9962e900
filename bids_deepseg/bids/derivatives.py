"""Write the results of one image, all or nothing.

Every file is written under a temporary name beside its place and then renamed; the JSON sidecar of the mask comes
last, so that its presence says that all others are complete. The same results give the same bytes on every run.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bids_deepseg.bids.provenance import RunStamp
from bids_deepseg.bids.query import BidsImage
from bids_deepseg.bids.reader import LoadedImage

if TYPE_CHECKING:
    from bids_deepseg.pipeline import Segmentation


@dataclass(frozen=True, slots=True, eq=False)
class ImageProducts:
    """Everything to write for one image.

    Attributes
    ----------
    image : BidsImage
        Source.
    loaded : LoadedImage
        Source as it was read: header and notes.
    segmentation : Segmentation
        Result on the native grid.
    stamp : RunStamp
        App, networks and options.
    has_link : bool
        Whether ``dataset_description.json`` states where the source is; decides on the form of ``Sources``.
    """

    image: BidsImage
    loaded: LoadedImage
    segmentation: "Segmentation"
    stamp: RunStamp


def write_products(products: ImageProducts, output_dir: Path) -> tuple[Path, ...]:
    """Write masks, probability, tables and sidecars of one image.

    Parameters
    ----------
    products : ImageProducts
        What to write.
    output_dir : Path
        Root of the derivative data set.

    Returns
    -------
    tuple of Path
        Files in the order of writing; the sidecar of the mask is the last.

    Raises
    ------
    OutputError
        If a folder or file cannot be created.
    OutputWriteError
        If the disk is full or fails.
    """
    raise NotImplementedError
