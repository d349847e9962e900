"""Nothing is sent: no process that a default run starts opens a connection or looks up a name."""

import os
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from bids_deepseg.bids.source import offline
from bids_deepseg.bids.source.offline import offline_environment
from bids_deepseg.bids.source.validation import find_validator
from bids_deepseg.example import write_example

ROOT = Path(__file__).parents[2]

#: Calls by which something leaves a process. Name look-ups are connections or messages to a server of names. A socket
#: that is only made and bound sends nothing: urllib3 does so when it is imported, to see whether there is IPv6.
_SENDS = re.compile(r"\b(connect|sendto|sendmsg|sendmmsg|listen)\(")

can_trace = pytest.mark.skipif(
    shutil.which("strace") is None
    or subprocess.run(["strace", "-o", os.devnull, "true"], check=False, capture_output=True).returncode != 0,
    reason="strace is not installed, or may not trace here",
)


def sent(trace):
    """Return the lines of a trace that tell of something sent or connected through a socket of the internet."""
    return [line for line in trace.splitlines() if _SENDS.search(line) and "AF_INET" in line]


def traced(folder, *command, **environment):
    """Run a command with all its processes and return what :func:`sent` finds, and the process."""
    trace = folder / "trace"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-s", "200", "-e", "trace=network", "-o", trace, *map(str, command)],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return sent(trace.read_text(errors="replace")), done


@can_trace
def test_the_trace_sees_a_connection(tmp_path):
    """The test below can fail."""
    asks = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('127.0.0.1', 9))"
    found, done = traced(tmp_path, sys.executable, "-c", asks)
    assert done.returncode == 0
    assert len(found) == 1


@can_trace
@pytest.mark.skipif(find_validator() is None, reason="bids-validator-deno is not installed")
@pytest.mark.parametrize("backend", ["tensorflow", "openvino"])
def test_a_default_run_with_the_validator_opens_no_connection(tmp_path, backend):
    if not find_spec(backend):
        pytest.skip(f"{backend} is not installed")
    write_example(tmp_path / "in")
    words = (tmp_path / "in", tmp_path / "out", "participant", "group", "--participant-label", "02", "--suffix", "T1w")
    # A fresh folder for what programs remember, as in a container.
    # OpenVINO leaves its users alone on machines that it takes for those of continuous integration.
    environment = {"HOME": str(tmp_path / "home"), "CI": "false", "KERAS_BACKEND": backend}
    found, done = traced(tmp_path, sys.executable, "-m", "bids_deepseg", *words, **environment)
    assert done.returncode == 0, done.stderr
    assert "BIDS validation of the input" in done.stderr
    assert found == []
    assert not (tmp_path / "home" / "intel").exists()


def test_the_validator_is_told_to_ask_nobody():
    environment = offline_environment({"PATH": "x", "BIDS_SCHEMA": "https://example.org/schema.json"})
    assert environment["DENO_NO_UPDATE_CHECK"] == "1"
    assert environment["PATH"] == "x"
    assert "BIDS_SCHEMA" not in environment


def test_a_program_that_is_started_offline_can_open_no_socket_of_the_internet():
    """Whatever it is asked to fetch: schemas that a data set names, files of a data set that are elsewhere."""
    tries = "\n".join(
        [
            "import socket, subprocess, sys",
            "socket.socketpair()",
            "for family in (socket.AF_INET, socket.AF_INET6):",
            "    try:",
            "        socket.socket(family)",
            "    except PermissionError:",
            "        print('refused')",
            "if len(sys.argv) < 2:",
            "    done = subprocess.run([sys.executable, '-c', SOURCE, 'x'], capture_output=True, text=True)",
            "    print(done.stdout, end='')",
        ]
    )
    tries = f"SOURCE = {tries!r}\n{tries}"
    done = subprocess.run(
        [sys.executable, "-I", offline.__file__, sys.executable, "-c", tries],
        capture_output=True,
        text=True,
        check=True,
    )
    if not done.stdout:
        pytest.skip("this system has no filter of system calls")
    # Two families in the program, and in what it starts.
    assert done.stdout.split() == ["refused"] * 4
