"""Run cases of one fuzz target in this process, within its limits.

``python -m tests.fuzz.worker TARGET SEED FIRST END SECONDS``

Prints one JSON object per case. A case that hangs ends the process, with a traceback on the standard error.
"""

import faulthandler
import json
import resource
import sys
import traceback
import warnings
from pathlib import Path

import numpy as np

from tests.fuzz.harness import MEGABYTES, Target, find_targets, generator_of


def main() -> None:
    """Run the cases."""
    name, seed, first, end, seconds = sys.argv[1], *map(int, sys.argv[2:5]), float(sys.argv[5])
    target = find_targets(name)[name]
    warnings.simplefilter("ignore")
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * resource.getpagesize() + MEGABYTES * 10**6
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    for case in range(first, end):
        print(json.dumps({"case": case} | _run(target, generator_of(name, seed, case), seconds)), flush=True)  # noqa: T201


def _run(target: Target, rng: np.random.Generator, seconds: float) -> dict[str, str]:
    """Run one case."""
    faulthandler.dump_traceback_later(seconds, exit=True)
    try:
        return {"outcome": target(rng)}
    except Exception as error:
        places = [f"{Path(at.filename).name}:{at.lineno} {at.name}" for at in traceback.extract_tb(error.__traceback__)]
        return {"violation": f"{type(error).__name__}: {error} ({' > '.join(places[-6:])})"}
    finally:
        faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main()
