"""Segment all images of a data set in this process, as a worker does, and print what each took as JSON.

usage: python -m benchmarks.speed.process BIDS_DIR OUTPUT_DIR {auto,off} {ours,naive}

The first image warms up. ``naive`` runs the same networks the way that the reference does: for each slice, a new
session is opened and the network is read from its file.
"""

import json
import logging
import resource
import sys
import time
from collections import defaultdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bids_deepseg.app.participant.image_job import ImageWork
from bids_deepseg.app.participant.known import Request
from bids_deepseg.app.participant.planning import job_of
from bids_deepseg.bids.derivatives.layout import ResultFiles
from bids_deepseg.bids.source.query import Selection, find_images
from bids_deepseg.engine import NetworkEngine
from bids_deepseg.logs import LogSettings
from bids_deepseg.networks import keras_predictor
from bids_deepseg.networks.keras_predictor import KerasPredictor
from bids_deepseg.options.method import MethodSettings


class StageTimes(logging.Handler):
    """Take the processor time at the end of each stage, from the lines of the log."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = defaultdict(float)
        self.last = time.process_time()

    def emit(self, record: logging.LogRecord) -> None:
        """Count the time since the last stage."""
        if hasattr(record, "stage"):
            now = time.process_time()
            self.seconds[record.stage] += now - self.last
            self.last = now


class NetworkTime:
    """Count the processor time inside the networks, and how often they are asked."""

    def __init__(self, *, naive: bool) -> None:
        self.seconds, self.n_sessions = 0.0, 0
        inner = KerasPredictor.predict

        def predict(predictor: KerasPredictor, patches: Any) -> Any:
            begin = time.process_time()
            found = self._one_by_one(predictor, patches, inner) if naive else inner(predictor, patches)
            self.seconds += time.process_time() - begin
            return found

        KerasPredictor.predict = predict  # type: ignore[method-assign]

    def _one_by_one(self, predictor: KerasPredictor, patches: Any, inner: Any) -> Any:
        """Open a session and read the network anew for each patch."""
        import keras  # noqa: PLC0415 - the networks have loaded it

        found = []
        for patch in patches:
            keras.utils.clear_session()
            found.append(inner(keras_predictor.load_predictor(predictor.spec), patch[None]))
            self.n_sessions += 1
        return np.concatenate(found) if found else inner(predictor, patches)


def main() -> None:
    """Segment and print."""
    bids_dir, output_dir, rescue, way = sys.argv[1:]
    begin = time.process_time()
    stages = StageTimes()
    logger = logging.getLogger("bids_deepseg")
    logger.addHandler(stages)
    logger.setLevel(logging.INFO)
    settings = MethodSettings(rescue=rescue)
    images = find_images(Path(bids_dir), Selection()).images
    files_of = partial(ResultFiles.of_image, Path(output_dir))
    work = ImageWork(NetworkEngine(settings=settings), files_of, LogSettings())()
    networks = NetworkTime(naive=way == "naive")
    rows = []
    for image in images:
        known = Request(settings).look_up(image)
        stages.seconds.clear()
        stages.last = start = time.process_time()
        networks.seconds, networks.n_sessions, wall = 0.0, 0, time.perf_counter()
        result = work(job_of(known))
        rows.append(
            {
                "image": image.path.name,
                "verdict": result.verdict,
                "wall_s": time.perf_counter() - wall,
                "processor_s": time.process_time() - start,
                "networks_s": networks.seconds,
                "n_sessions": networks.n_sessions,
                "stages": dict(stages.seconds),
                "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "n_slices": known.size.n_slices,
                "n_voxels": known.size.n_voxels,
            }
        )
        if len(rows) == 1:
            rows[0]["start_s"] = time.process_time() - begin
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
