"""Measure how soon the first image begins when one participant of a large data set is selected.

The data set is that of ``plan.py``. One participant has a T2w image with a cord; the app segments it with the networks.
Told are, from the lines of ``run.log``: the time between the end of the loading of the networks and the end of the
reading of the first image (the bar is 1 s), and the time from the start of the process to then without that loading.
With ``--database``, the files are listed by pybids' index, which a first run makes.

usage: python benchmarks/large_dataset.py [N_PARTICIPANTS] [--database]
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import nibabel as nib
import numpy as np

from benchmarks.plan import write_dataset
from bids_deepseg.example.phantom import make_phantom

_PARTICIPANT = "00500"


def write_cord(bids_dir: Path, participant: str) -> None:
    """Give a participant a T2w image with a cord."""
    image = make_phantom(np.random.default_rng(0), contrast="t2", shape=(96, 96, 24), zooms=(1.0, 1.0, 3.0)).image
    path = bids_dir / f"sub-{participant}" / "anat" / f"sub-{participant}_T2w.nii.gz"
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(image.data.astype(np.int16), image.grid.affine).to_filename(path)


def measure(bids_dir: Path, output_dir: Path, participant: str, *words: str) -> dict[str, float]:
    """Segment the T2w image of one participant; return times in seconds."""
    run = Path(__file__).parents[1] / "run.py"
    command = [sys.executable, str(run), str(bids_dir), str(output_dir), "participant", "--skip-bids-validation"]
    command += ["--participant-label", participant, "--suffix", "T2w", "--n-cpus", "1", "-q", *words]
    begin = datetime.datetime.now(datetime.UTC)
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
    (log,) = output_dir.glob("logs/*/run.log")
    lines: list[dict[str, Any]] = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    loaded = next(line for line in lines if line.get("stage") == "load")
    read = next(line for line in lines if line.get("stage") == "read")
    at_loaded, at_read = (datetime.datetime.fromisoformat(line["time"]) for line in (loaded, read))
    return {
        "exit": done.returncode,
        "read_after_load_s": (at_read - at_loaded).total_seconds(),
        "read_without_load_s": (at_read - begin).total_seconds() - loaded["seconds"],
        "load_s": loaded["seconds"],
    }


def main() -> None:
    """Build the data set, and measure a first and a second run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("n_participants", type=int, nargs="?", default=1000)
    parser.add_argument("--database", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "in").mkdir()
        write_dataset(folder / "in", args.n_participants)
        write_cord(folder / "in", _PARTICIPANT)
        words = ["--bids-database-dir", str(folder / "index")] if args.database else []
        for number in range(2):
            found = measure(folder / "in", folder / f"out-{number}", _PARTICIPANT, *words)
            print({key: round(value, 2) for key, value in found.items()}, "load average", os.getloadavg()[0])


if __name__ == "__main__":
    main()
