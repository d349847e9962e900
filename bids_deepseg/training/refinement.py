"""Bring labels to one definition of the border: a constant distance inside of where the image shows it.

Raters draw a bright cord tighter than a dark one, each in their own way, and a network learns that from them.
"""

from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import CANONICAL_AXCODES, Grid
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.networks.loading import load_models
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.pipeline import segment
from bids_deepseg.stages.border import find_border, move
from bids_deepseg.training.synthesis.fields import Array


def refine_mask(
    data: NDArray[np.generic], soft_mask: NDArray[np.float32], zooms_mm: tuple[float, float, float]
) -> Array:
    """Move the outline of a rater's mask to the border in the image.

    Parameters
    ----------
    data, soft_mask : (I, J, K) array
        Image and smoothed mask on canonical axes.
    zooms_mm : (float, float, float)
        Voxel size.

    Returns
    -------
    (I, J, K) float32 array
        The mask, as it was where the image shows no border.
    """
    grid = Grid(data.shape, np.diag([-zooms_mm[0], zooms_mm[1], zooms_mm[2], 1.0]))
    answer = Volume(np.ascontiguousarray(soft_mask, np.float32), grid)
    image = Volume(np.ascontiguousarray(data, np.float32), grid)
    mask = Volume((answer.data >= 0.5).astype(np.uint8), grid)
    return np.asarray(move(answer, find_border(image, answer, mask, threshold=0.5)).data)


def own_mask(path: Path) -> Array:
    """Return the probability that the application gives to an image without manual mask, on canonical axes."""
    image = nib.load(path)
    data = np.asarray(image.dataobj, np.float32)
    volume = Volume(data, Grid(data.shape, image.affine))
    result = segment(volume, load_models(), settings=MethodSettings(rescue="off"))
    probability = reorient(result.probability, CANONICAL_AXCODES).data
    return np.asarray(probability * (reorient(result.mask, CANONICAL_AXCODES).data > 0), np.float32)
