"""Measure what segmenting one image costs, and fit the constants of ``bids_deepseg/app/participant/cost.py``.

Phantoms of growing size are read, segmented and written by one process with one thread, as a worker does. Processor
time is taken instead of wall time, so that a busy machine gives the same numbers; the peak memory only grows, so the
sizes come in ascending order. A first small image, during which the networks' graphs are built, counts as start.

usage: python benchmarks/cost.py {tensorflow,openvino} [deepseg|propseg]
"""

import multiprocessing
import os
import resource
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

# Read by libraries when they are loaded, as in a run with one thread.
os.environ |= {"OMP_NUM_THREADS": "1", "TF_NUM_INTRAOP_THREADS": "1", "TF_NUM_INTEROP_THREADS": "1"}

import numpy as np

from benchmarks.speed.datasets import Size, write_phantoms
from bids_deepseg.app.participant.image_job import ImageWork
from bids_deepseg.app.participant.known import Request
from bids_deepseg.app.participant.planning import job_of
from bids_deepseg.bids.derivatives.layout import ResultFiles
from bids_deepseg.bids.source.query import Selection, find_images
from bids_deepseg.engine import NetworkEngine
from bids_deepseg.logs import LogSettings
from bids_deepseg.options.method import MethodSettings

#: Shape and voxel size along R-L, P-A, I-S.
SIZES = (
    Size((96, 96, 12), (1.0, 1.0, 5.0)),
    Size((128, 128, 40), (1.0, 1.0, 3.0)),
    Size((320, 320, 15), (0.5, 0.5, 5.0)),
    Size((64, 192, 192), (1.0, 1.0, 1.0)),
    Size((192, 240, 160), (1.0, 1.0, 1.0)),
    Size((512, 512, 60), (0.4, 0.4, 3.0)),
    Size((64, 320, 320), (0.8, 0.8, 0.8)),
    Size((320, 320, 260), (0.7, 0.7, 0.7)),
)


def peak_mb() -> float:
    """Return the largest memory of this process so far in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main(backend: str, method: str = "deepseg") -> None:
    """Measure and fit."""
    # Without other methods: few images need them.
    settings = MethodSettings(rescue="off", method=method)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a process of its own, whose memory does not count.
        writer = multiprocessing.get_context("spawn").Process(target=write_phantoms, args=(folder, SIZES))
        writer.start()
        writer.join()
        images = [Request(settings).look_up(image) for image in find_images(folder, Selection()).images]
        begin = time.process_time()
        engine = NetworkEngine(settings, backend)
        work = ImageWork(engine, partial(ResultFiles.of_image, folder / "derivatives" / "out"), LogSettings())()
        work(job_of(images[0]))
        print(f"start: {time.process_time() - begin:.1f} s of processor time, {peak_mb():.0f} MB")
        rows = []
        for image, (shape, zooms) in zip(images, SIZES, strict=True):
            begin = time.process_time()
            verdict = work(job_of(image)).verdict
            seconds = time.process_time() - begin
            area = shape[0] * zooms[0] * shape[1] * zooms[1]
            rows.append((1.0, shape[2], shape[2] * area / 1e6, np.prod(shape) / 1e6, seconds, peak_mb()))
            print(f"{shape} {zooms}: {verdict}, {seconds:.1f} s, {peak_mb():.0f} MB", flush=True)
    table = np.array(rows)
    features = table[:, :4]
    # Relative errors count, so that small images are fitted as well as large ones.
    seconds, *_ = np.linalg.lstsq(features / table[:, 4:5], np.ones(len(table)), rcond=None)
    memory, *_ = np.linalg.lstsq(table[:, [0, 3]], table[:, 5], rcond=None)
    print("seconds = {:.2f} + {:.3f} slices + {:.2f} Mpixel of 1 mm + {:.2f} Mvoxel".format(*seconds))
    print(f"MB = {memory[0]:.0f} + {memory[1]:.1f} Mvoxel")
    print("measured / fitted:", np.round(table[:, 4] / (features @ seconds), 2))


if __name__ == "__main__":
    main(*sys.argv[1:])
