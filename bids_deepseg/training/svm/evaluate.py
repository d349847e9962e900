"""Measure the linear detectors on held-out participants: ``python -m bids_deepseg.training.svm.evaluate``.

The error of a slice is the distance in mm, in plane, from the centerline's pixel to the centre of mass of the manual
mask. Contrasts without a real image with a mask are measured on a held-out T2w volume whose tone curve makes the cord
brighter than the fluid.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.optic.centerline import svm_centerline
from bids_deepseg.methods.optic.model import SvmModel, read_own_model, read_published_model
from bids_deepseg.training.sources import find_labelled, read_canonical, read_sources
from bids_deepseg.training.svm.slices import inverting_curve
from bids_deepseg.training.synthesis.remapping import apply_curve

#: Seed of the tone curves.
_SEED, _N_CURVES = 1, 3


def centerline_errors_mm(image: Volume, mask: NDArray[np.bool_], model: SvmModel) -> dict[str, float]:
    """Compare the centerline of an image with its manual mask.

    Parameters
    ----------
    image : Volume
        Canonical axes.
    mask : (I, J, K) bool array
        Manual mask; slices where it is empty do not count.
    model : SvmModel
        Detector.

    Returns
    -------
    dict
        Mean, median and largest error in mm, share of slices whose point lies in the mask, number of slices.
    """
    line = svm_centerline(image, model)
    slices = np.flatnonzero(mask.any(axis=(0, 1)))
    centres = np.array([np.argwhere(mask[..., k]).mean(0) for k in slices])
    found = line.ij[slices]
    errors = np.hypot(*((found - centres) * np.array(image.grid.zooms[:2])).T)
    i, j = found.astype(int).T
    return {
        "mean_mm": round(float(errors.mean()), 2),
        "median_mm": round(float(np.median(errors)), 2),
        "largest_mm": round(float(errors.max()), 2),
        "inside": round(float(mask[i, j, slices].mean()), 3),
        "slices": len(slices),
    }


def evaluate_contrast(contrast: str, model: SvmModel, data_dir: Path) -> dict[str, dict[str, float]]:
    """Return the errors of a detector on each image of a held-out participant that can stand for its contrast."""
    suffix = {"t2": "_T2w", "t2s": "_T2starw"}.get(contrast)
    held_out = tuple(f"sub-{participant}" for participant in read_sources()["held_out"])
    figures = {}
    for image_path, mask_path in find_labelled(data_dir):
        if not set(image_path.parts) & set(held_out) or (suffix or "_T2w") not in image_path.name:
            continue
        data, zooms = read_canonical(image_path)
        values = np.asarray(data, np.float32)
        mask = read_canonical(mask_path)[0] > 0
        grid = Grid(values.shape, np.diag([-zooms[0], zooms[1], zooms[2], 1]))
        name = image_path.name.removesuffix(".nii.gz")
        if suffix:
            figures[name] = centerline_errors_mm(Volume(values, grid), mask, model)
            continue
        for number in range(_N_CURVES):
            curve = inverting_curve(np.random.default_rng([_SEED, number]), values, mask.astype(np.float32))
            if curve is not None:
                mapped = Volume(apply_curve(values, curve), grid)
                figures[f"{name}, inverted {number + 1}"] = centerline_errors_mm(mapped, mask, model)
    return figures


def main(argv: list[str] | None = None) -> int:
    """Print the figures of the named models; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bids_deepseg.training.svm.evaluate", description=__doc__)
    parser.add_argument("contrasts", nargs="+", metavar="contrast", help="t1, t2, t2s, dwi")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("BIDS_DEEPSEG_DATA", "../shared/data")))
    parser.add_argument("--models", type=Path, help="folder of own models (default: the package's)")
    parser.add_argument("--published", type=Path, help="folder of published models to measure instead")
    args = parser.parse_args(argv)
    for contrast in args.contrasts:
        if args.published:
            model = read_published_model(args.published / f"{contrast}_model.yml")
        else:
            model = read_own_model(contrast, args.models)
        for name, figures in evaluate_contrast(contrast, model, args.data).items():
            print(contrast, name, json.dumps(figures))  # noqa: T201 - a command's output
    return 0


if __name__ == "__main__":
    sys.exit(main())
