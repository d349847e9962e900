"""Run a command that lets somebody click a centerline, in a process of its own with the fake engine."""

import re
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Waiting:
    """A command that waits for clicks; ``url`` is that of its page."""

    def __init__(self, *words):
        given = [sys.executable, "-m", "tests.helpers.driver", "{}", *map(str, words), "--no-browser"]
        self.process = subprocess.Popen(given, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.told = []
        self.url = ""
        for line in self.process.stdout:
            self.told.append(line)
            found = re.search(r"http://\S+", line)
            if found:
                self.url = found[0]
                break

    def end(self):
        """Wait for the end; return everything that it wrote, and its exit code."""
        rest, _ = self.process.communicate(timeout=120)
        return "".join(self.told) + rest, self.process.returncode

    def stop(self):
        """End it as Ctrl-C does, unless it has ended."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        return self.end()
