"""Score the grey matter network on the held-out participants by the application's stages inside the manual cord."""

from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np

from bids_deepseg.geometry.grid import CANONICAL_AXCODES, Grid
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.networks.predictor import Predictor, StructureModel
from bids_deepseg.stages.metrics import measure_cord
from bids_deepseg.structures.find import find_structure
from bids_deepseg.training.grey.samples import find_grey


def score_people(
    predictor: Predictor, data_dir: Path, participants: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield name and figures of each image of these participants that has masks of cord and grey matter.

    Parameters
    ----------
    predictor : Predictor
        Grey matter network.
    data_dir : Path
        Root of the data.
    participants : tuple of str
        Labels without ``sub-``.
    """
    for image_path, cord_path, grey_path in find_grey(data_dir):
        if any(f"sub-{participant}" in image_path.parts for participant in participants):
            image, cord, grey = (_read(path) for path in (image_path, cord_path, grey_path))
            mask = Volume((cord.data > 0).astype(np.uint8), cord.grid)
            name = image_path.name.removesuffix(".nii.gz")
            yield name, score_grey(predictor, image, mask, grey)


def score_grey(
    predictor: Predictor, image: Volume, cord: Volume, grey: Volume, *, is_published: bool = False
) -> dict[str, float]:
    """Find grey matter inside a cord and compare it with a manual mask.

    Parameters
    ----------
    predictor : Predictor
        Grey matter network.
    image, cord, grey : Volume
        Image, uint8 mask of the cord and manual mask of grey matter on canonical axes.
    is_published : bool, optional
        Whether it is one of the published networks.

    Returns
    -------
    dict
        Dice over all slices, in the worst slice, and area bias: area found over manual area minus one, mean over the
        slices that have grey matter in the manual mask.
    """
    metrics = measure_cord(cord, Volume(cord.data.astype(np.float32), cord.grid), image.grid)
    model = StructureModel(predictor, is_published=is_published)
    found = find_structure("gm", image, cord, metrics, model).mask.data > 0
    truth = grey.data > 0
    slices = np.flatnonzero(truth.any((0, 1)))
    found, truth = found[..., slices], truth[..., slices]
    overlap, sizes, areas = (found & truth).sum((0, 1)), found.sum((0, 1)), truth.sum((0, 1))
    return {
        "slices": float(len(slices)),
        "dice": float(2 * overlap.sum() / (sizes.sum() + areas.sum())),
        "dice_worst_slice": float((2 * overlap / (sizes + areas)).min()),
        "area_bias_percent": float(100 * (sizes / areas - 1).mean()),
    }


def _read(path: Path) -> Volume:
    """Read an image onto canonical axes."""
    image = nib.load(path)
    data = np.asarray(image.dataobj, np.float32)
    return reorient(Volume(data, Grid(data.shape, image.affine)), CANONICAL_AXCODES)
