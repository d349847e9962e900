"""Write what the detection network saw, on the grid on which it looked."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np

from bids_deepseg.bids.derivatives.provenance import image_sidecar
from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.nifti.reading import write_nifti
from bids_deepseg.files.atomic import longest_name, too_long
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.stages.heatmap import Heatmap

#: Steps between 0 and 1 that are kept: more are not seen, and need much more room.
STEPS = 255


def fits(path: Path) -> bool:
    """Return whether the file system takes the name of a heatmap, which is longer than those of all other results."""
    return too_long(path.name, longest_name(path.parent)) is None


def heatmap_part(
    heatmap: Heatmap | None, source: str, image: BidsImage
) -> tuple[Callable[[BinaryIO], None], dict[str, Any]]:
    """Return writer and sidecar of a heatmap.

    Parameters
    ----------
    heatmap : Heatmap
        What the network saw.
    source : str
        What the sidecar calls the image.
    image : BidsImage
        The image.

    Raises
    ------
    ValueError
        If there is none.
    """
    if heatmap is None:
        raise ValueError("The heatmap is to be written and there is none.")
    zooms = heatmap.volume.grid.zooms
    pixels = f"{zooms[0]:.3g} x {zooms[1]:.3g} mm"
    sidecar = image_sidecar(source, image, "heatmap") | {
        "Resolution": f"Pixels of {pixels} in the slices of the image, as the detection network sees them"
    }
    return partial(_write, heatmap.volume), sidecar


def _write(volume: Volume, stream: BinaryIO) -> None:
    """Write the values in steps."""
    values = np.rint(volume.data * np.float32(STEPS)) / np.float32(STEPS)
    image = nib.Nifti1Image(values, volume.grid.affine)
    image.header.set_xyzt_units("mm")
    write_nifti(stream, values, image.header)
