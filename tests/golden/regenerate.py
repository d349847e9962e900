"""Write the kept results again, and print what changed: a line for the changelog's "Numerical changes".

usage: python -m tests.golden.regenerate
"""

import json
from pathlib import Path

import numpy as np

from bids_deepseg.networks.predictor import load_models
from tests.golden.cases import CASES, run_case, summary_of

KEPT = Path(__file__).with_name("kept.json")


def main():
    """Run all cases."""
    before = json.loads(KEPT.read_text()) if KEPT.exists() else {}
    models = load_models()
    after = {name: summary_of(run_case(name, models)[1]) for name in CASES}
    for name, numbers in after.items():
        old = np.mean(before[name]["area_mm2"]) if name in before else float("nan")
        print(f"{name:10} mean area {old:8.3f} -> {np.mean(numbers['area_mm2']):8.3f} mm2")  # noqa: T201 - a command
    KEPT.write_text(json.dumps(after, indent=1) + "\n")


if __name__ == "__main__":
    main()
