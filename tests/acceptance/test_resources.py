"""A7, A10 and A11: help is quick and loads nothing; a run needs no network, one processor and 2 GB if told so."""

import json
import os
import resource
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.example.phantom import make_phantom
from tests.helpers.fake_engine import summary_of, write_dataset

ROOT = Path(__file__).parents[2]

#: Ends the process when a socket is used to reach anything; set up before anything else is loaded. TensorFlow loads
#: urllib3, which binds one to the address of this machine, to see whether it has IPv6: that reaches nothing.
NO_SOCKETS = """
import os, sys
def hook(event, arguments):
    if event in {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto", "socket.sendmsg"}:
        os._exit(97)
    if event == "socket.bind" and arguments[1] != ("::1", 0):
        os._exit(98)
sys.addaudithook(hook)
"""


def run_py(*words, cwd=ROOT, code="", **more):
    program = ["-c", code] if code else [str(ROOT / "run.py")]
    return subprocess.run(
        [sys.executable, *program, *map(str, words)], capture_output=True, text=True, cwd=cwd, check=False, **more
    )


def processor_seconds():
    """Return the time that processors spent on ended processes started by this one."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_a07_help_is_quick():
    """Time of the processor: other work on the machine does not count."""
    seconds = []
    for _ in range(3):
        begin = processor_seconds()
        done = run_py("--help")
        seconds.append(processor_seconds() - begin)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: run.py bids_dir output_dir {participant,group}")
    assert min(seconds) < 0.5


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["-h"], [], ["in"], ["in", "out", "nothing"]])
def test_a07_nothing_heavy_is_loaded_and_no_socket_opened_before_a_run(words, tmp_path):
    code = (
        "import sys, socket; socket.socket = None\n"
        "sys.dont_write_bytecode = True\n"
        "from bids_deepseg.cli.main import main\n"
        f"main({words!r})\n"
        "heavy = {'tensorflow', 'keras', 'pandas', 'bids', 'nibabel', 'scipy', 'numpy', 'matplotlib', 'jinja2'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = run_py(code=code, cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": ""})
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    assert list(tmp_path.iterdir()) == []


# ---- one run with the real networks ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class RealRun:
    """What a run did and took."""

    code: int
    out: str
    err: str
    wall_s: float
    processor_s: float
    peak_bytes: int
    output: Path


def write_large_image(path):
    """Write a phantom of 17 million voxels: 512 x 512 pixels of 0.125 mm in 64 slices."""
    phantom = make_phantom(np.random.default_rng(5), contrast="t2", shape=(64, 64, 64), zooms=(1.0, 1.0, 1.0))
    fine = np.rint(phantom.image.data).astype(np.int16).repeat(8, 0).repeat(8, 1)
    affine = phantom.image.grid.affine @ np.diag([0.125, 0.125, 1.0, 1.0])
    path.parent.mkdir(parents=True)
    nib.Nifti1Image(fine, affine).to_filename(path)


@pytest.fixture(scope="module")
def real_run(tmp_path_factory):
    """Run the app with its own networks on one processor, without a network where that can be had."""
    folder = tmp_path_factory.mktemp("real")
    data = write_dataset(folder / "in")
    write_large_image(data / "sub-01" / "anat" / "sub-01_T2w.nii.gz")
    words = [data, folder / "out", "participant", "--skip-bids-validation", "--n-cpus", "1", "--mem", "2G"]
    code = NO_SOCKETS + f"sys.argv = ['run.py', *{list(map(str, words))!r}]\nfrom bids_deepseg.cli.main import main\n"
    command = [*without_network(), sys.executable, "-c", code + "sys.exit(main())"]
    with (folder / "text.out").open("w") as out, (folder / "text.err").open("w") as err:
        begin = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, stdout=out, stderr=err, env=os.environ | {"TMPDIR": str(folder)})
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - begin
    return RealRun(
        process.returncode,
        (folder / "text.out").read_text(),
        (folder / "text.err").read_text(),
        wall,
        used.ru_utime + used.ru_stime,
        used.ru_maxrss * 1024,
        folder / "out",
    )


def without_network():
    """Return the start of a command that runs in a name space without network, or nothing where that is refused."""
    command = ["unshare", "-rn"]
    if shutil.which("unshare") is None:
        return []
    return command if subprocess.run([*command, "true"], capture_output=True, check=False).returncode == 0 else []


def test_a07_a_whole_run_uses_no_socket(real_run):
    assert real_run.code == 0, real_run.err
    assert summary_of(real_run.out)["done"] == 1
    (mask,) = real_run.output.rglob("*_label-SC_desc-T2w_mask.nii.gz")
    assert np.asanyarray(nib.load(mask).dataobj).any()


def test_a07_a_whole_run_in_a_name_space_without_network(real_run):
    if not without_network():
        pytest.skip("unshare -rn is not permitted here; the test above watches the sockets of the run")
    assert real_run.code == 0, real_run.err


def test_a10_a_limit_of_2_gb_is_kept(real_run):
    assert real_run.code == 0, real_run.err
    assert real_run.peak_bytes <= 2 * 10**9


def test_a11_one_processor_is_used(real_run):
    assert real_run.code == 0, real_run.err
    assert real_run.processor_s <= 1.2 * real_run.wall_s
    config = json.loads(next((real_run.output / "logs").glob("*/config.json")).read_text())
    assert (config["allocation"]["n_workers"], config["allocation"]["omp_nthreads"]) == (1, 1)
