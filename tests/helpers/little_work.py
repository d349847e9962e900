"""Work for jobs that needs no image; in a module that worker processes can import."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from bids_deepseg.errors import ImageError


@dataclass(frozen=True)
class LittleWork:
    """Note each job in a folder, then do what its payload says."""

    folder: Path
    token: int = 0

    def __call__(self):
        return self.work

    def work(self, job):
        (self.folder / f"{job.name}-{time.monotonic_ns()}").touch()
        if job.payload == "raise":
            raise ImageError(f"{job.name} is bad")
        if job.payload == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if job.payload == "slow":
            time.sleep(1)
        return job.name.upper(), os.environ.get("OMP_NUM_THREADS")

    def count(self, name):
        return len(list(self.folder.glob(f"{name}-*")))
