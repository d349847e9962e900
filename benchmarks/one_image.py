"""Measure wall time and peak memory of the whole app on one participant, in a process of its own.

usage: python benchmarks/one_image.py BIDS_DIR PARTICIPANT [--suffix T2w]
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Run the app as a user would and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bids_dir", type=Path)
    parser.add_argument("participant")
    parser.add_argument("--suffix", default="T2w")
    args = parser.parse_args()
    run = Path(__file__).parents[1] / "run.py"
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        command = [sys.executable, run, args.bids_dir, folder, "participant", "-v"]
        command += ["--participant-label", args.participant, "--suffix", args.suffix]
        done = subprocess.run(command, check=False)
        seconds = time.perf_counter() - start
    peak_mb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"exit {done.returncode}, {seconds:.1f} s wall, {peak_mb:.0f} MiB peak resident")


if __name__ == "__main__":
    main()
