"""Compare two output folders: ``python same.py REFERENCE OTHER [--within-tolerance]``.

Every mask of OTHER must be in REFERENCE with the same bytes. With another backend the last digits differ: then at most
one voxel in a thousand may differ, and no probability by more than 0.001; the heat of the detection network, which is
kept in steps of 1/255, by no more than one step beyond that.
"""

import sys
from pathlib import Path

import nibabel
import numpy as np


def main(reference: Path, other: Path, *, is_exact: bool) -> int:
    """Return 1 and say why, if they differ."""
    masks = sorted(other.rglob("*_mask.nii.gz"))
    if not masks:
        sys.stderr.write(f"same: there is no mask in {other}\n")
        return 1
    wrong = [path.name for path in masks if not is_same(reference / path.relative_to(other), path, is_exact=is_exact)]
    wrong += [
        path.name
        for path in sorted(other.rglob("*_probseg.nii.gz"))
        if not is_exact and largest_difference(reference / path.relative_to(other), path) > tolerance(path.name)
    ]
    for name in wrong:
        sys.stderr.write(f"same: {name} of {other} differs from that of {reference}\n")
    return 1 if wrong else 0


def is_same(reference: Path, other: Path, *, is_exact: bool) -> bool:
    """Return whether two masks are the same, or nearly."""
    if is_exact:
        return reference.read_bytes() == other.read_bytes()
    first, second = (np.asanyarray(nibabel.load(path).dataobj) > 0 for path in (reference, other))
    return first.shape == second.shape and (first != second).sum() <= first.sum() / 1000


def tolerance(name: str) -> float:
    """Return by how much two maps of this name may differ."""
    return 1e-3 + (1 / 255 if "_res-detection_" in name else 0.0)


def largest_difference(reference: Path, other: Path) -> float:
    """Return the largest difference of two maps of probability."""
    first, second = (nibabel.load(path).get_fdata(dtype=np.float32) for path in (reference, other))
    return float(np.abs(first - second).max())


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), is_exact="--within-tolerance" not in sys.argv))
