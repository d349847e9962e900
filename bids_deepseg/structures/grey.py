"""Find grey matter inside the cord, and judge how much of the cord it takes."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.volume import Volume
from bids_deepseg.geometry.window import paste
from bids_deepseg.networks.predictor import Predictor, StructureModel
from bids_deepseg.stages.findings import Finding
from bids_deepseg.stages.mask import probability_on
from bids_deepseg.stages.patches import PatchStack, extract_patches
from bids_deepseg.stages.probability import ask_network
from bids_deepseg.stages.structure import middle_of_cord

#: Part of the cord's area that grey matter takes: 0.14 to 0.20 in nine slices of ten of hand-drawn masks of people in
#: the training data (neck and upper thorax), with room for the lumbar enlargement.
GREY_FRACTION_RANGE = (0.08, 0.35)
#: Share of unusual slices from which the whole mask is not to be used.
_FAIL_SHARE = 0.5


def find_grey(canonical: Volume, cord: Volume, model: StructureModel) -> Volume:
    """Find grey matter with the network of this package, or a published one [1]_.

    Patches are cut around the middle of the cord's mask. The published networks see patches of 200 x 200 pixels of
    0.25 mm in units of the mean and standard deviation of all patches, and keep pixels above their threshold (spec of
    ``sct_deepseg_gm``); what is averaged over a voxel is the part of it that they mark. Their windows are centred on
    the cord here, not on the image.

    References
    ----------
    .. [1] Perone CS, Calabrese E, Cohen-Adad J. Spinal cord gray matter segmentation using deep dilated convolutions.
       Scientific Reports 8:5966 (2018).
    """
    predictor = model.predictor
    line = middle_of_cord(cord)
    patches = extract_patches(canonical, line, patch_shape=predictor.patch_shape, zoom_mm=predictor.zoom_mm)
    if not model.is_published:
        return probability_on(ask_network(patches, predictor).probability, canonical.grid)
    return probability_on(_marked_by_published(patches, predictor), canonical.grid)


def standardise_by_volume(values: NDArray[np.floating], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Subtract the mean of all valid pixels of the patches (N, H, W) and divide by their standard deviation.

    Pixels outside the field of view are 0, the mean.
    """
    inside = values[valid].astype(np.float64)
    if not inside.size:
        return np.zeros(values.shape, np.float32)
    standard = (values - inside.mean()) / (inside.std() or 1.0)
    return np.where(valid, standard, 0).astype(np.float32)


def _marked_by_published(patches: PatchStack, predictor: Predictor) -> Volume:
    """Return the pixels, 1 or 0 on the grid of the patches, that a published network marks."""
    predicted = predictor.predict(standardise_by_volume(patches.values, patches.valid))
    data = np.zeros(patches.grid.shape, np.float32)
    for values, window in zip(predicted, patches.windows, strict=True):
        paste(data, (values > predictor.threshold).astype(np.float32), window)
    return Volume(data, patches.grid)


def judge_grey(measures: Mapping[str, NDArray[np.float64]]) -> tuple[Finding, ...]:
    """Report slices of the cord in which grey matter takes an unusual part of it, or is missing."""
    return tuple(_judge_grey(measures["cord_fraction"]))


def _judge_grey(fraction: NDArray[np.float64]) -> Iterator[Finding]:
    """Yield the findings about the parts (K,) of the cord that are grey matter."""
    fraction = fraction[np.isfinite(fraction)]
    if not (fraction > 0).any():
        yield Finding("gm-empty", "fail", "No grey matter was found. Is its contrast visible in this image?")
        return
    missing = fraction == 0
    if missing.any():
        severity = "fail" if missing.mean() > _FAIL_SHARE else "warn"
        yield Finding(
            "gm-missing",
            "fail" if severity == "fail" else "warn",
            f"{int(missing.sum())} of {len(fraction)} slices with cord have no grey matter.",
        )
    low, high = GREY_FRACTION_RANGE
    odd = ~missing & ((fraction < low) | (fraction > high))
    if odd.any():
        yield Finding(
            "gm-range",
            "fail" if odd.mean() > _FAIL_SHARE else "warn",
            f"In {int(odd.sum())} of {len(fraction)} slices grey matter takes less than {100 * low:g} % or more than "
            f"{100 * high:g} % of the cord. Look at its mask there.",
        )
