"""Measure PropSeg: against manual masks by contrast, and on degraded images where the networks fail.

usage: python benchmarks/propseg.py DATASET [DATASET ...]
       python benchmarks/propseg.py --degraded DATA [--only WORD ...]

A DATASET is a BIDS data set with manual masks in ``derivatives/labels``; images without a mask are segmented as well.
DATA is the folder with ``train/``, whose images and phantoms are degraded as for the judge.
"""

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import nibabel as nib
import numpy as np
from suite.cases import degraded, dice
from suite.sources import all_sources

from bids_deepseg.errors import SegmentationError
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.propseg.method import run_propseg
from bids_deepseg.networks.predictor import Models, Predictor, load_own
from bids_deepseg.networks.specs import contrast_of_suffix
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.pipeline import segment
from bids_deepseg.stages.segmentation import Guide

#: Dice below which the networks failed, and from which PropSeg is right.
FAILED, RIGHT = 0.85, 0.85

#: Suffixes that the app takes for no contrast unless it is stated, and what they are measured as.
_STATED = {"bold": "t2s"}


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks that judge a tube, and that are compared with it."""

    detector: Predictor
    segmenter: Predictor

    def tube_of(self, volume: Volume, contrast: str) -> tuple[np.ndarray, str]:
        """Return PropSeg's mask and verdict; an empty mask and the status of the error where there is none."""
        settings = MethodSettings(method="propseg")
        try:
            found = run_propseg(volume, self.segmenter, settings, Guide(contrast), _ignore, self.detector)
        except SegmentationError as error:
            return np.zeros(volume.data.shape, bool), error.status
        return found.mask.data > 0, str(found.verdict)

    def mask_of(self, volume: Volume) -> np.ndarray:
        """Return the default method's mask, empty where it found none."""
        models = Models(self.detector, self.segmenter)
        try:
            return segment(volume, models).mask.data > 0
        except SegmentationError:
            return np.zeros(volume.data.shape, bool)


def main() -> None:
    """Print the table that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", type=Path, help="BIDS data sets")
    parser.add_argument("--degraded", type=Path, help="folder with train/")
    parser.add_argument("--only", nargs="+", help="only degradations whose names hold one of these words")
    args = parser.parse_args()
    networks = Networks(load_own("detection"), load_own("segmentation"))
    for line in degraded_table(networks, args.degraded, args.only) if args.degraded else ():
        print(line, flush=True)
    for line in contrast_table(networks, args.datasets) if args.datasets else ():
        print(line, flush=True)


def contrast_table(networks: Networks, datasets: list[Path]) -> Iterator[str]:
    """Yield the table of all images, ordered by contrast."""
    yield "| Image | Dice | Volume, mask / manual | Area, mm² | Area, networks | Verdict | s |"
    yield "|---|---|---|---|---|---|---|"
    images = [each for root in datasets for each in _images(root)]
    for path, root, contrast in sorted(images, key=lambda each: (each[2], each[0].name)):
        volume = _read(path)
        begin = time.process_time()
        mask, verdict = networks.tube_of(volume, contrast)
        seconds = time.process_time() - begin
        truth = _manual_mask(path, root, volume)
        agreed, ratio = "-", "-"
        if truth is not None:
            agreed = f"{dice(mask, truth):.3f}"
            ratio = f"{mask.sum() / max(1, truth.sum()):.2f}"
        areas = (f"{_area(each, volume):.0f}" for each in (mask, networks.mask_of(volume)))
        cells = (path.name.removesuffix(".nii.gz"), agreed, ratio, *areas, verdict, f"{seconds:.1f}")
        yield f"| {' | '.join(cells)} |"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    yield ""
    yield f"Largest memory of the process, networks and all images: {peak:.0f} MiB."


def _images(root: Path) -> Iterator[tuple[Path, Path, str]]:
    """Yield the images of a data set with its folder and their contrasts."""
    for path in sorted(root.glob("sub-*/**/*.nii.gz")):
        suffix = path.name.removesuffix(".nii.gz").rpartition("_")[2]
        contrast = contrast_of_suffix(suffix) or _STATED.get(suffix)
        if contrast:
            yield path, root, contrast


def _read(path: Path) -> Volume:
    """Read an image; of a series the mean."""
    image = nib.load(path)
    data = np.nan_to_num(np.asarray(image.dataobj, np.float32))
    data = np.asarray(data.mean(axis=3) if data.ndim == 4 else data, np.float32)
    return Volume(data, Grid(data.shape, image.affine))


def _manual_mask(path: Path, root: Path, volume: Volume) -> np.ndarray | None:
    """Return the manual mask of an image on its grid, if there is one."""
    *entities, suffix = path.name.removesuffix(".nii.gz").split("_")
    folded = [each for each in entities if each.startswith(("flip-", "mt-"))]
    desc = suffix + "".join(each.replace("-", "") for each in folded)
    stem = "_".join(each for each in entities if each not in folded)
    name = f"{stem}_space-orig_label-SC_desc-{desc}_mask.nii.gz"
    found = root / "derivatives" / "labels" / path.parent.relative_to(root) / name
    if not found.is_file():
        return None
    mask = np.asarray(nib.load(found).dataobj) > 0
    return mask if mask.shape == volume.data.shape else None


def _area(mask: np.ndarray, volume: Volume) -> float:
    """Return the mean cross-section of the slices with mask, along the axis that is nearest to the body's."""
    axis = int(np.argmax(np.abs(volume.grid.affine[2, :3])))
    sizes = mask.sum(axis=tuple(n for n in range(3) if n != axis))
    pixel = np.prod([zoom for n, zoom in enumerate(volume.grid.zooms) if n != axis])
    return float(sizes[sizes > 0].mean() * pixel) if sizes.any() else 0.0


def degraded_table(networks: Networks, data: Path, only: list[str] | None) -> Iterator[str]:
    """Yield what PropSeg makes of degraded images where the networks fail."""
    yield "| Image | Change | Dice, networks | Dice, PropSeg | Verdict |"
    yield "|---|---|---|---|---|"
    seen, right, passed_wrong = 0, 0, 0
    for number, source in enumerate(all_sources(data)):
        for name, pair in degraded(number, source):
            if only and not any(word in name for word in only):
                continue
            truth = pair.cord.data >= 0.5
            first = dice(networks.mask_of(pair.image), truth)
            if first >= FAILED:
                continue
            mask, verdict = networks.tube_of(pair.image, source.contrast)
            reached = dice(mask, truth)
            seen, right = seen + 1, right + (reached >= RIGHT)
            passed_wrong += reached < RIGHT and verdict == "pass"
            yield f"| {source.name} | {name} | {first:.2f} | {reached:.2f} | {verdict} |"
    yield ""
    yield f"{seen} images below {FAILED}; PropSeg reaches {RIGHT} on {right}; {passed_wrong} wrong ones pass."


def _ignore(_name: str, _result: object) -> None:
    """Observe nothing."""


if __name__ == "__main__":
    main()
