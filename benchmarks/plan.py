"""Measure time and memory of ``--dry-run`` on a data set of many participants, in a process of its own.

The data set has twelve files a participant: T1w, T2w, T2starw, dwi and bold images, their sidecars, b-values and
b-vectors; four of them are images that are planned.

usage: python benchmarks/plan.py [N_PARTICIPANTS] [--runs N]
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nibabel as nib
import numpy as np

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


def main() -> None:
    """Build the data set, plan it, and print the least time and the largest memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n_participants", type=int, nargs="?", default=1000)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    run = Path(__file__).parents[1] / "run.py"
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "in"
        folder.mkdir()
        write_dataset(folder, args.n_participants)
        for _ in range(args.runs):
            begin = time.perf_counter()
            command = [sys.executable, run, folder, Path(name) / "out", "participant", "--dry-run"]
            with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
                lines = process.stdout.read().count(b"->") if process.stdout else 0
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.perf_counter() - begin
            rows.append((seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024))
            print(
                f"exit {process.returncode}, {lines} images: {seconds:.2f} s wall, {rows[-1][1]:.2f} s processor time"
            )
    print(f"least: {min(row[0] for row in rows):.2f} s wall, {min(row[1] for row in rows):.2f} s processor time")
    print(f"largest: {max(row[2] for row in rows):.0f} MiB")


if __name__ == "__main__":
    main()
