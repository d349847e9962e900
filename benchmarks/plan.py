"""Measure time and memory of ``--dry-run`` on a data set of many participants, in a process of its own.

The data set has twelve files a participant: T1w, T2w, T2starw, dwi and bold images, their sidecars, b-values and
b-vectors; four of them are images that are planned. Measured are all participants and one of them.

usage: python benchmarks/plan.py [N_PARTICIPANTS] [--runs N]
"""

import argparse
import gzip
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import nibabel as nib
import numpy as np

from benchmarks.speed.running import ROOT, take

_FILES = {
    "anat": ("T1w.nii.gz", "T1w.json", "T2w.nii.gz", "T2w.json", "T2starw.nii.gz", "T2starw.json"),
    "dwi": ("dwi.nii.gz", "dwi.json", "dwi.bval", "dwi.bvec"),
    "func": ("task-rest_bold.nii.gz", "task-rest_bold.json"),
}


def write_dataset(folder: Path, n_participants: int) -> None:
    """Write a data set of small images."""
    (folder / "dataset_description.json").write_text(json.dumps({"Name": "Plan", "BIDSVersion": "1.10.0"}))
    image = gzip.compress(nib.Nifti1Image(np.zeros((64, 64, 24), np.int16), np.eye(4)).to_bytes())
    for number in range(n_participants):
        name = f"sub-{number:05d}"
        for datatype, endings in _FILES.items():
            (folder / name / datatype).mkdir(parents=True)
            for ending in endings:
                content = image if ending.endswith(".nii.gz") else b"{}"
                (folder / name / datatype / f"{name}_{ending}").write_bytes(content)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one run took.

    Attributes
    ----------
    code : int
        Exit code.
    n_planned : int
        Images that would be segmented.
    wall_s, processor_s : float
        Time.
    peak_mib : float
        Memory.
    """

    code: int
    n_planned: int
    wall_s: float
    processor_s: float
    peak_mib: float


def measure(bids_dir: Path, output_dir: Path, *words: str) -> Measurement:
    """Plan a data set in a process of its own; ``words`` are further options."""
    taken = take((ROOT / "run.py", bids_dir, output_dir, "participant", "--dry-run", "-q", *words))
    return Measurement(taken.code, taken.text.count("->"), taken.wall_s, taken.processor_s, taken.peak_mib)


def main() -> None:
    """Build the data set, plan it, and print the least time and the largest memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n_participants", type=int, nargs="?", default=1000)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "in"
        folder.mkdir()
        write_dataset(folder, args.n_participants)
        runs = [measure(folder, Path(name) / "out") for _ in range(args.runs)]
        alone = [measure(folder, Path(name) / "out", "--participant-label", "00000") for _ in range(args.runs)]
    for one in runs:
        print(f"exit {one.code}, {one.n_planned} images: {one.wall_s:.2f} s wall, {one.processor_s:.2f} s processor")
    print(
        f"least: {min(one.wall_s for one in runs):.2f} s wall, {min(one.processor_s for one in runs):.2f} s processor"
    )
    print(
        f"one participant, least: {min(one.wall_s for one in alone):.2f} s wall, "
        f"{min(one.processor_s for one in alone):.2f} s processor"
    )
    print(f"largest: {max(one.peak_mib for one in runs):.0f} MiB")


if __name__ == "__main__":
    main()
