"""Run ``bids_deepseg review`` in a process of its own; images are run again with the fake engine.

``python -m tests.helpers.review_server output_dir ...``
"""

import re
import signal
import subprocess
import sys
from pathlib import Path

from bids_deepseg.cli import review
from bids_deepseg.cli.lifecycle import Command, run_command

ROOT = Path(__file__).parents[2]


class ReviewServer:
    """A server in a process of its own; ``url`` ends with the token."""

    def __init__(self, output_dir, *words):
        self._words = [sys.executable, "-m", "tests.helpers.review_server", str(output_dir), "--no-browser", *words]
        self.process = None
        self.url = ""
        self.told = []

    def start(self, port=0):
        words = [*self._words, "--port", str(port)]
        self.process = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            self.told.append(line)
            found = re.search(r"http://\S+", line)
            if found:
                self.url = found[0]
                break
        assert self.url, self.told
        return self

    @property
    def port(self):
        return int(re.search(r":(\d+)/", self.url)[1])

    def kill(self):
        self.process.kill()
        self.process.communicate()
        self.url = ""

    def stop(self):
        """End it as Ctrl-C does; return everything that it wrote, and its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        rest, _ = self.process.communicate(timeout=30)
        return "".join(self.told) + rest, self.process.returncode


def main():
    """Serve."""
    program = (sys.executable, "-m", "tests.helpers.driver", "{}")
    command = Command("review", "", "", lambda words, engine: review.run_review(words, engine, program))
    return run_command(command, sys.argv[1:], None)


if __name__ == "__main__":
    sys.exit(main())
