"""Train the linear detectors of the cord: ``python -m bids_deepseg.training.svm.fit``.

Terms: a *window* is the HOG descriptor around one pixel of a detector slice; it is *positive* within 1 mm of the
cord's centre and *negative* beyond 3 mm; those between are left out. *Hard* negatives are those that the detector of
the round before scores highest [1]_.

References
----------
.. [1] Felzenszwalb et al. (2010), Object detection with discriminatively trained part-based models, IEEE Transactions
   on Pattern Analysis and Machine Intelligence 32, 1627-1645 (mining of hard negatives).
.. [2] Chapelle (2007), Training a support vector machine in the primal, Neural Computation 19, 1155-1178.
"""

import argparse
import json
import logging
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.methods.optic.hog import N_FEATURES, describe_windows, score_map
from bids_deepseg.methods.optic.model import CONTRASTS, weights_sha256
from bids_deepseg.training.sources import RealImage, load_real_images, load_shapes, read_sources
from bids_deepseg.training.svm.slices import SOURCES, DetectorSlice, cut_slices, painted_slices, whole_slices
from bids_deepseg.training.synthesis.shapes import ShapeBank

logger = logging.getLogger(__name__)

MODELS_DIR = Path(__file__).parents[2] / "methods" / "optic" / "models"

#: Distance from the cord's centre up to which a window is positive, and from which it is negative.
POSITIVE_MM, NEGATIVE_MM = 1.0, 3.0
#: Negatives of a slice in the first round, and the most that each further round adds.
_N_RANDOM, _N_HARD = 30, 8
#: Score from which a negative is hard: inside the margin.
_MARGIN = -1.0
#: Most Newton steps, and the relative gain of a step below which the minimum is reached.
_MAX_NEWTON, _LEAST_GAIN = 50, 1e-7

Windows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class SvmSettings:
    """How a detector is trained.

    Attributes
    ----------
    n_painted, n_cut : int
        Number of painted slices and of slices cut from real images.
    rounds : int
        Rounds of mining hard negatives.
    regularisation : float
        Weight of the squared norm of the weights against the mean squared hinge loss.
    seed : int
        Seed of all randomness.
    """

    n_painted: int = 900
    n_cut: int = 700
    rounds: int = 3
    regularisation: float = 1e-4
    seed: int = 20240502


def fit_svm(
    windows: Windows, labels: NDArray[np.floating], *, regularisation: float
) -> tuple[NDArray[np.float64], float]:
    """Fit a linear support vector machine with squared hinge loss.

    Minimises ``regularisation/2 |w|² + sum of c max(0, 1 - y (w x + b))²``, where the weights c of the positives sum
    to 1/2, as do those of the negatives. The loss is convex and quadratic as long as the same windows lie inside
    the margin, so that Newton steps reach its only minimum within some ten steps [2]_.

    Parameters
    ----------
    windows : (N, F) float32 array
        Descriptors x.
    labels : (N,) array
        y, +1 or -1; both must occur.
    regularisation : float
        Positive.

    Returns
    -------
    weights : (F,) float64 array
        w.
    bias : float
        b.
    """
    y = np.asarray(labels, np.float32)
    importance = np.where(y > 0, 0.5 / (y > 0).sum(), 0.5 / (y < 0).sum()).astype(np.float32)
    penalty = np.append(np.full(windows.shape[1], regularisation), 0.0)

    def loss(parameters: NDArray[np.float64]) -> tuple[float, NDArray[np.float32]]:
        hinge = np.maximum(0, 1 - y * (windows @ parameters[:-1].astype(np.float32) + np.float32(parameters[-1])))
        return float(penalty @ parameters**2 / 2 + np.sum(importance * hinge**2, dtype=np.float64)), hinge

    parameters = np.zeros(len(penalty))
    value, hinge = loss(parameters)
    for _ in range(_MAX_NEWTON):
        inside = hinge > 0
        target = _least_squares(windows[inside], y[inside], importance[inside], penalty)
        step = target - parameters
        # Windows that enter the margin can make the full step too long.
        for length in 0.5 ** np.arange(12):
            new_value, new_hinge = loss(parameters + length * step)
            if new_value < value:
                break
        else:
            break
        parameters, gain, value, hinge = parameters + length * step, value - new_value, new_value, new_hinge
        if gain < _LEAST_GAIN * value:
            break
    return parameters[:-1], float(parameters[-1])


def _least_squares(
    windows: Windows, y: NDArray[np.float32], importance: NDArray[np.float32], penalty: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the weights and the bias (F + 1,) that fit labels by penalised least squares."""
    scaled = windows * np.sqrt(importance)[:, None]
    n = windows.shape[1]
    normal = np.diag(penalty)
    normal[:n, :n] += 2 * (scaled.T @ scaled)
    normal[:n, n] = normal[n, :n] = 2 * (importance @ windows)
    normal[n, n] += 2 * importance.sum(dtype=np.float64)
    right = 2 * np.append((importance * y) @ windows, (importance * y).sum(dtype=np.float64))
    return np.asarray(np.linalg.solve(normal, right))


def train_detector(
    rng: np.random.Generator, slices: list[DetectorSlice], settings: SvmSettings
) -> tuple[NDArray[np.float64], float]:
    """Fit a detector to slices, adding hard negatives in rounds; return its weights (576,) and bias."""
    parts = [_first_windows(rng, item) for item in slices]
    windows = np.concatenate([part[0] for part in parts])
    labels = np.concatenate([part[1] for part in parts])
    weights, bias = fit_svm(windows, labels, regularisation=settings.regularisation)
    for number in range(settings.rounds):
        hard = np.concatenate([_hard_negatives(item, weights, bias) for item in slices])
        windows = np.concatenate([windows, hard])
        labels = np.concatenate([labels, np.full(len(hard), -1.0)])
        weights, bias = fit_svm(windows, labels, regularisation=settings.regularisation)
        logger.info("Round %d: %d windows, %d of them new", number + 1, len(labels), len(hard))
    return weights, bias


def gather_slices(
    rng: np.random.Generator, contrast: str, bank: ShapeBank, images: tuple[RealImage, ...], settings: SvmSettings
) -> list[DetectorSlice]:
    """Make the slices of one contrast from label shapes and real images."""
    sources = SOURCES[contrast]
    own = tuple(image for image in images if sources.suffix and sources.suffix in image.name)
    masked = tuple(image for image in images if image.mask is not None)
    slices = painted_slices(rng, bank, settings.n_painted, modes=sources.modes)
    n_inverted = settings.n_cut // 2 if sources.inverted and masked else 0
    slices += cut_slices(rng, masked, n_inverted, inverted=True)
    slices += cut_slices(rng, own, settings.n_cut - n_inverted, inverted=False)
    for image in own:
        slices += whole_slices(image)
    return slices


def distance_to_centre(item: DetectorSlice) -> NDArray[np.float64]:
    """Return the distance of each pixel (I, J) to the cord's centre in mm; infinite without cord."""
    if np.isnan(item.centre_ij).any():
        return np.full(item.image.shape, np.inf)
    i, j = np.indices(item.image.shape)
    return np.asarray(np.hypot(i - item.centre_ij[0], j - item.centre_ij[1]))


def _first_windows(rng: np.random.Generator, item: DetectorSlice) -> tuple[Windows, NDArray[np.float64]]:
    """Return all positives of a slice and random negatives, with their labels."""
    distance = distance_to_centre(item)
    positive = np.argwhere(distance <= POSITIVE_MM)
    # Half of the negatives are close to the cord, where they decide on the exact place.
    groups = [np.argwhere((distance >= NEGATIVE_MM) & (distance < 12)), np.argwhere(distance >= 12)]
    drawn = [rng.choice(group, min(len(group), _N_RANDOM // 2), replace=False) for group in groups]
    pixels = np.concatenate([positive, *drawn])
    labels = np.where(np.arange(len(pixels)) < len(positive), 1.0, -1.0)
    return describe_windows(item.image, pixels), labels


def _hard_negatives(item: DetectorSlice, weights: NDArray[np.float64], bias: float) -> Windows:
    """Return the windows of the highest local peaks among the negatives of a slice."""
    score = np.where(distance_to_centre(item) < NEGATIVE_MM, -np.inf, score_map(item.image, weights, bias))
    peaks = np.argwhere((score == ndimage.maximum_filter(score, 3)) & (score > _MARGIN))
    order = np.argsort(-score[tuple(peaks.T)], kind="stable")[:_N_HARD]
    if not len(order):
        return np.empty((0, N_FEATURES), np.float32)
    return describe_windows(item.image, peaks[order])


def write_model(
    folder: Path, contrast: str, weights: NDArray[np.float64], bias: float, training: dict[str, Any]
) -> Path:
    """Write a model with its card as ``<contrast>.json``; numbers have seven digits."""
    rounded = [float(f"{weight:.6e}") for weight in weights]
    constant = float(f"{bias:.6e}")
    card = {
        "contrast": contrast,
        "method": "linear SVM on HOG of 32 x 32 pixels of 1 mm; bids_deepseg/methods/optic/hog.py",
        "training": training,
        "weights_sha256": weights_sha256(np.array(rounded), constant),
        "bias": constant,
        "weights": rounded,
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{contrast}.json"
    path.write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    return path


def train_contrast(contrast: str, data_dir: Path, output: Path, settings: SvmSettings) -> Path:
    """Train the detector of one contrast without the held-out participants, and write it."""
    held_out = tuple(read_sources()["held_out"])
    rng = np.random.default_rng([settings.seed, CONTRASTS.index(contrast)])
    images = load_real_images(data_dir, held_out)
    slices = gather_slices(rng, contrast, load_shapes(data_dir, held_out), images, settings)
    logger.info("%s: %d slices", contrast, len(slices))
    weights, bias = train_detector(rng, slices, settings)
    suffix = SOURCES[contrast].suffix
    training = {
        "command": f"python -m bids_deepseg.training.svm.fit {contrast}",
        "seed": settings.seed,
        "painted_slices": settings.n_painted,
        "painted_modes": list(SOURCES[contrast].modes),
        "slices": len(slices),
        "real_images": sorted({image.name for image in images if suffix and suffix in image.name}),
        "real_images_inverted": SOURCES[contrast].inverted,
        "people_held_out": list(held_out),
        "licences": "of the images and label maps: MIT, CC0, CC BY 4.0 (spine-generic); see docs/models.md",
    }
    return write_model(output, contrast, weights, bias, training)


def main(argv: list[str] | None = None) -> int:
    """Train the detectors of the named contrasts; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bids_deepseg.training.svm.fit", description=__doc__)
    parser.add_argument("contrasts", nargs="*", metavar="contrast", help="t1, t2, t2s, dwi (default: all)")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BIDS_DEEPSEG_DATA", "../shared/data")))
    parser.add_argument("--output", type=Path, default=MODELS_DIR, help="folder (default: the package's models)")
    args = parser.parse_args(argv)
    unknown = set(args.contrasts) - set(CONTRASTS)
    if unknown:
        parser.error(f"unknown contrast {', '.join(sorted(unknown))}; choose from {', '.join(CONTRASTS)}")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    for contrast in args.contrasts or CONTRASTS:
        path = train_contrast(contrast, args.data, args.output, SvmSettings())
        logger.info("Wrote %s", path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
