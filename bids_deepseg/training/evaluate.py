"""Score a training on the held-out participants, with the stages of the application.

Terms: *Dice* is 2 x overlap over the sum of both masks; *area bias* is the area found over the manual area minus one,
mean over the slices; *background heat* is the largest heat farther than 20 mm from the cord.
"""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import nibabel as nib
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.geometry.grid import CANONICAL_AXCODES, Grid
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.judge.certainty import dice
from bids_deepseg.networks.keras_predictor import KerasPredictor
from bids_deepseg.networks.specs import ModelSpec
from bids_deepseg.stages.heatmap import detect_cord
from bids_deepseg.stages.mask import probability_on
from bids_deepseg.stages.patches import extract_patches
from bids_deepseg.stages.probability import ask_network, sharpen
from bids_deepseg.stages.structure import middle_of_cord
from bids_deepseg.training.configuration import TrainingConfig, load_checkpoint
from bids_deepseg.training.fit import build_model
from bids_deepseg.training.grey.evaluate import score_people
from bids_deepseg.training.sources import find_labelled, read_sources

logger = logging.getLogger(__name__)

FIGURES_NAME = "figures.json"
#: Thresholds and exponents of the odds (:func:`sharpen`) that are compared.
THRESHOLDS = (0.35, 0.4, 0.45, 0.55, 0.6, 0.65)
EXPONENTS = (1.5, 2.0, 2.5, 3.0)
_FAR_MM = 20.0
_NEAR_MM = 3.0


def load_trained(config: TrainingConfig, run_dir: Path) -> KerasPredictor:
    """Return the network of a run's checkpoint as the predictor that the stages expect."""
    model = build_model(config)
    load_checkpoint(run_dir, model)
    spec = ModelSpec(
        name=config.name,
        contrast="any",
        patch_shape=config.samples.patch_shape,
        zoom_mm=config.samples.zoom_mm,
        threshold=config.threshold,
        architecture=config.architecture,
        weights=run_dir,
        sha256="0" * 64,
    )
    return KerasPredictor(spec, model)


def evaluate(
    config: TrainingConfig, run_dir: Path, data_dir: Path, held_out: tuple[str, ...] | None = None
) -> dict[str, dict[str, float]]:
    """Score the checkpoint on each image of the held-out participants and save the figures, in the run folder."""
    predictor = load_trained(config, run_dir)
    if held_out is None:
        held_out = tuple(read_sources()["held_out"])
    if config.samples.task == "grey":
        scores = score_people(predictor, data_dir, held_out)
    else:
        scores = _score_cords(config.samples.task, predictor, data_dir, held_out)
    figures = {}
    for name, found in scores:
        figures[name] = {key: round(value, 4) for key, value in found.items()}
        logger.info("%s %s", name, figures[name])
    (run_dir / FIGURES_NAME).write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return figures


def _score_cords(
    task: str, predictor: KerasPredictor, data_dir: Path, participants: tuple[str, ...]
) -> Iterator[tuple[str, dict[str, float]]]:
    """Yield name and figures of each image of these participants that has a manual mask of the cord."""
    score = score_segmentation if task == "segmentation" else score_detection
    for image_path, mask_path in find_labelled(data_dir):
        if any(f"sub-{participant}" in image_path.parts for participant in participants):
            image, mask = _read(image_path), _read(mask_path)
            yield image_path.name.removesuffix(".nii.gz"), score(predictor, image, mask.data > 0)


def score_segmentation(predictor: KerasPredictor, image: Volume, mask: NDArray[np.bool_]) -> dict[str, float]:
    """Segment around the manual centre line and compare with the manual mask on the native grid.

    Parameters
    ----------
    predictor : KerasPredictor
        Segmentation network.
    image : Volume
        Image on canonical axes.
    mask : (I, J, K) bool array
        Manual mask.

    Returns
    -------
    dict
        Dice, worst Dice of a slice, area bias and calibration error near the outline; Dice and area bias with other
        thresholds, and the calibration error of sharpened probabilities, for choosing them.
    """
    line = middle_of_cord(Volume(mask.astype(np.uint8), image.grid))
    patches = extract_patches(image, line, patch_shape=predictor.patch_shape, zoom_mm=predictor.zoom_mm)
    native = probability_on(ask_network(patches, predictor).probability, image.grid).data[..., line.k]
    truth = mask[..., line.k]
    found = native >= predictor.threshold
    figures = {
        "slices": float(len(line.k)),
        "dice": dice(found, truth),
        "dice_worst_slice": min(dice(found[..., k], truth[..., k]) for k in range(len(line.k))),
        "area_bias_percent": _area_bias_percent(found, truth),
        "calibration_error": calibration_error(native, truth, image.grid.zooms[:2]),
    }
    for threshold in THRESHOLDS:
        figures[f"dice_threshold_{threshold}"] = dice(native >= threshold, truth)
        figures[f"area_bias_percent_threshold_{threshold}"] = _area_bias_percent(native >= threshold, truth)
    for exponent in EXPONENTS:
        sharp = sharpen(native, exponent)
        figures[f"calibration_error_exponent_{exponent}"] = calibration_error(sharp, truth, image.grid.zooms[:2])
    return figures


def _area_bias_percent(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return how much larger the areas found are than the manual ones, mean over the slices."""
    return float(100 * ((found.sum((0, 1)) / truth.sum((0, 1))).mean() - 1))


def calibration_error(
    probability: NDArray[np.float32], truth: NDArray[np.bool_], zooms_mm: tuple[float, float]
) -> float:
    """Return the expected calibration error [1]_ of the pixels within 3 mm of the outline.

    Parameters
    ----------
    probability : (I, J, K) float array
        Probability of cord.
    truth : (I, J, K) bool array
        Manual mask; slices without it are left out.
    zooms_mm : (float, float)
        In-plane pixel size.

    Returns
    -------
    float
        Mean over ten bins of equal width, weighted by their pixels, of the distance between the mean probability and
        the share of cord.

    References
    ----------
    .. [1] Guo C, et al. On calibration of modern neural networks. ICML 2017.
    """
    near = np.zeros(truth.shape, bool)
    for k in np.flatnonzero(truth.any((0, 1))):
        inside, outside = (
            ndimage.distance_transform_edt(m, sampling=zooms_mm) for m in (truth[..., k], ~truth[..., k])
        )
        near[..., k] = np.maximum(inside, outside) <= _NEAR_MM
    values, is_cord = probability[near], truth[near]
    if not len(values):
        return 0.0
    bins = np.minimum((values * 10).astype(int), 9)
    counts = np.bincount(bins, minlength=10)
    sums = np.bincount(bins, weights=values - is_cord, minlength=10)
    return float(np.abs(sums).sum() / counts.sum())


def score_detection(predictor: KerasPredictor, image: Volume, mask: NDArray[np.bool_]) -> dict[str, float]:
    """Compare the hottest pixel of each slice with the centre of the manual mask."""
    line = middle_of_cord(Volume(mask.astype(np.uint8), image.grid))
    try:
        heat = detect_cord(image, predictor).volume
    except CordNotFoundError:
        return {"slices_found": 0.0}
    points = heat.grid.world_to_voxel(line.xyz)[:, :2]
    i, j = np.indices(heat.grid.shape[:2])
    errors, peaks, far = [], [], []
    for (ci, cj), k in zip(points, line.k, strict=True):
        distance = np.hypot((i - ci) * heat.grid.zooms[0], (j - cj) * heat.grid.zooms[1])
        values = heat.data[..., k]
        hottest = np.unravel_index(values.argmax(), values.shape)
        errors.append(distance[hottest])
        peaks.append(values[distance < 5].max())
        far.append(values[distance > _FAR_MM].max(initial=0))
    return {
        "slices": float(len(line.k)),
        "slices_found": float(np.mean(np.array(peaks) >= 0.5)),
        "error_mm_median": float(np.median(errors)),
        "error_mm_largest": float(np.max(errors)),
        "peak_median": float(np.median(peaks)),
        "peak_lowest": float(np.min(peaks)),
        "background_heat": float(np.max(far)),
    }


def _read(path: Path) -> Volume:
    """Read an image onto canonical axes."""
    image = nib.load(path)
    data = np.asarray(image.dataobj, np.float32)
    return reorient(Volume(data, Grid(data.shape, image.affine)), CANONICAL_AXCODES)
