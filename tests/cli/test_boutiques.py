"""The Boutiques descriptor: up to date, valid, and its command lines are understood."""

import json
import runpy
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bids_deepseg.options.declare import options_of
from bids_deepseg.options.parsing import parse_arguments
from bids_deepseg.options.run import RunOptions

FOLDER = Path(__file__).parents[2] / "boutiques"
DESCRIPTOR, INVOCATION = FOLDER / "descriptor.json", FOLDER / "invocation.json"


@pytest.fixture(scope="module")
def bosh():
    """Return a function that runs bosh and returns its code and output."""
    program = shutil.which("bosh", path=str(Path(sys.executable).parent)) or shutil.which("bosh")
    if program is None:
        pytest.skip("boutiques is not installed (pip install boutiques)")

    def bosh(*words):
        done = subprocess.run([program, *map(str, words)], capture_output=True, text=True, timeout=120, check=False)
        return done.returncode, done.stdout + done.stderr

    return bosh


def test_the_descriptor_is_the_one_that_is_generated():
    generated = runpy.run_path(str(FOLDER / "generate.py"))["format_descriptor"]()
    assert DESCRIPTOR.read_text() == generated, "Run: python boutiques/generate.py"


def test_every_option_is_an_input_and_part_of_the_command():
    descriptor = json.loads(DESCRIPTOR.read_text())
    inputs = {each["id"]: each for each in descriptor["inputs"]}
    for option in options_of(RunOptions):
        assert inputs[option.destination]["value-key"] in descriptor["command-line"].split()
    assert {each["code"] for each in descriptor["error-codes"]} >= {
        1,
        16,
        17,
        18,
        64,
        65,
        66,
        70,
        73,
        74,
        75,
        78,
        130,
        143,
    }


def test_a15_bosh_validates_it(bosh, tmp_path):
    assert bosh("validate", DESCRIPTOR) == (0, "OK\n")
    code, text = bosh("validate", "--bids", DESCRIPTOR)
    assert code == 0, text
    assert "BIDS validation OK" in text


def test_the_command_of_the_sample_is_understood(bosh, tmp_path):
    code, text = bosh("exec", "simulate", DESCRIPTOR, "-i", INVOCATION)
    assert code == 0, text
    command = next(line for line in text.splitlines() if line.startswith("mkdir"))
    made, run = command.split("; ")
    assert made == "mkdir -p out"
    program, *words = shlex.split(run)
    assert program == "run.py"
    options = parse_arguments(words)
    assert (options.bids_dir, options.output_dir, options.levels) == (Path("ds"), Path("out"), ("participant",))
    assert (options.participants, options.sessions, options.n_cpus) == (("01", "02"), ("pre",), 2)
    assert options.validation == "off"
