"""Run the app on a pseudo-terminal, and read what a person would see on it."""

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import pyte

ROOT = Path(__file__).parents[2]


class Terminal:
    """The app with its standard error stream on a terminal of 60 lines.

    ``content`` is what was written so far, ``lines`` what is seen.
    """

    def __init__(self, *words, settings="{}", columns=120, **environ):
        self.number, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 60, columns, 0, 0))
        command = [sys.executable, "-m", "tests.helpers.driver", settings, *map(str, words)]
        plain = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR")}
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=inner,
            env=plain | {"TERM": "xterm-256color"} | environ,
        )
        os.close(inner)
        self.content = b""
        self._screen = pyte.Screen(columns, 60)
        self._stream = pyte.ByteStream(self._screen)

    @property
    def lines(self):
        return [line.rstrip() for line in self._screen.display if line.strip()]

    def read(self):
        """Take what is there; return whether more may come."""
        try:
            part = os.read(self.number, 65536)
        except OSError:
            return False
        self.content += part
        self._stream.feed(part)
        return bool(part)

    def wait_for(self, condition, patience_s=60):
        """Read until a condition holds for the lines that are seen."""
        until = time.monotonic() + patience_s
        while not condition(self.lines):
            assert time.monotonic() < until, self.lines
            assert self.read(), self.lines

    def finish(self):
        """Read to the end; return the exit code."""
        while self.read():
            pass
        os.close(self.number)
        self.process.stdout.read()
        self.process.stdout.close()
        return self.process.wait()

    def hang_up(self):
        """Close the terminal; return the exit code of the run, which goes on."""
        os.close(self.number)
        self.process.stdout.read()
        self.process.stdout.close()
        return self.process.wait()
