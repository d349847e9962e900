"""Start processes, and take their time and memory."""

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]

#: Runs a command and prints what it took. It runs in a small process of its own, since Linux counts the memory of the
#: process that starts a command as the command's.
_OBSERVER = """
import json, os, subprocess, sys, time
begin = time.perf_counter()
with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
    text = process.stdout.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
taken = [process.returncode, time.perf_counter() - begin, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text]
print(json.dumps(taken))
"""


class Taken(NamedTuple):
    """What a command took; the memory is that of its largest process."""

    code: int
    wall_s: float
    processor_s: float
    peak_mib: float
    text: str


def take(words: Sequence[object], environ: dict[str, str] | None = None) -> Taken:
    """Run a command of this Python."""
    command = [sys.executable, "-c", _OBSERVER, sys.executable, *map(str, words)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT, env=os.environ | (environ or {})
    )
    return Taken(*json.loads(done.stdout))


def segment_in_one_process(
    bids_dir: Path, output_dir: Path, *, backend: str = "tensorflow", rescue: str = "off", way: str = "ours"
) -> list[dict[str, Any]]:
    """Segment a data set in a process with one thread; return what each image took."""
    words = ["-m", "benchmarks.speed.process", bids_dir, output_dir, rescue, way]
    done = take(words, threads(1) | {"KERAS_BACKEND": backend})
    if done.code:
        raise SystemExit(done.text)
    rows: list[dict[str, Any]] = json.loads(done.text.splitlines()[-1])
    return rows


def threads(number: int) -> dict[str, str]:
    """Return the variables that limit the threads of all libraries."""
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    return dict.fromkeys(names, str(number)) | {
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }


def installed(backends: Sequence[str]) -> list[str]:
    """Return those of the libraries for networks that are there and that the app can use."""
    usable = [name for name in backends if importlib.util.find_spec(name)]
    if importlib.util.find_spec("bids_deepseg.networks.backend") is None:
        usable = [name for name in usable if name == "tensorflow"]
    for name in backends:
        if name not in usable:
            print(f"{name} is left out: it is not installed, or this version does not use it.", file=sys.stderr)
    return usable
