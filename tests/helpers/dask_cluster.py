"""A Dask cluster on this machine, whose parts can be killed."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]


class DaskCluster:
    """A scheduler and workers in processes of their own; each worker has a nanny that starts it again."""

    def __init__(self, folder, n_workers):
        self.folder, self.n_workers = folder, n_workers
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.address = f"tcp://127.0.0.1:{self.port}"
        self.file = folder / "scheduler.json"
        self.processes = []

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    def start(self):
        """Start the scheduler, then the workers, which wait for it."""
        self.scheduler = self._start(
            *("scheduler", "--host", "127.0.0.1", "--port", str(self.port), "--no-show"),
            *("--scheduler-file", str(self.file)),
        )
        for _ in range(self.n_workers):
            self._start("worker", self.address, *["--nthreads", "1", "--memory-limit", "0", "--death-timeout", "30"])

    def _start(self, kind, *words):
        """Start one process of the library."""
        environ = os.environ | {
            "PYTHONPATH": str(ROOT),
            # The first killed worker puts its jobs under suspicion.
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0",
        }
        log = (self.folder / f"{kind}-{len(self.processes)}.log").open("w")
        command = [sys.executable, "-m", f"distributed.cli.dask_{kind}", *words, "--no-dashboard"]
        with log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.folder, env=environ)
        self.processes.append(process)
        return process

    def working(self):
        """Return the processes that do the work, below the nannies."""
        found = []
        for process in self.processes:
            if process is not self.scheduler and process.poll() is None:
                with contextlib.suppress(psutil.NoSuchProcess):
                    children = psutil.Process(process.pid).children()
                    found += [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        return found

    def kill_worker(self, rng):
        """Kill one of the processes that do the work."""
        until = time.monotonic() + 30
        while not (found := self.working()):
            assert time.monotonic() < until
            time.sleep(0.05)
        with contextlib.suppress(psutil.NoSuchProcess):
            found[rng.integers(len(found))].kill()

    def restart(self):
        """Kill the scheduler, and start everything again as a site would: workers end when they lose it."""
        self.stop(signal.SIGKILL)
        self.start()

    def stop(self, number=signal.SIGTERM):
        """End all processes; the scheduler first, by this signal."""
        if self.scheduler.poll() is None:
            self.scheduler.send_signal(number)
            self.scheduler.wait()
        for process in self.processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                for each in [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        each.kill()
            process.wait()
        self.processes = []
