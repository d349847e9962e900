"""The whole app on both libraries: the same masks, a record of which one it was, and nothing done twice."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.example import write_example
from tests.helpers.fake_engine import files_of, summary_of

ROOT = Path(__file__).parents[2]

BACKENDS = ("tensorflow", "openvino")

#: Overlap of the masks of both, in each image.
LEAST_DICE = 0.999

pytestmark = pytest.mark.skipif(not all(map(find_spec, BACKENDS)), reason="needs both backends: pip install '.[fast]'")


def run(*words):
    command = [sys.executable, str(ROOT / "run.py"), *map(str, words), "--skip-bids-validation"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    return done, summary_of(done.stdout)


def masks_in(folder):
    return {path.name: np.asanyarray(nib.load(path).dataobj) > 0 for path in folder.rglob("*_label-SC_*_mask.nii.gz")}


def sidecars_in(folder):
    return {path.name: json.loads(path.read_text()) for path in folder.rglob("*_label-SC_*_mask.json")}


def least_overlap(folders):
    """Return the least Dice of the masks in two folders, which hold the same names."""
    first, second = map(masks_in, folders)
    assert first.keys() == second.keys() != set()
    return min(2 * (mask & second[name]).sum() / (mask.sum() + second[name].sum()) for name, mask in first.items())


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Segment the example with each backend: two workers on one, this process on the other."""
    folder = tmp_path_factory.mktemp("backends")
    write_example(folder / "in")
    for backend, n_cpus in zip(BACKENDS, (1, 2), strict=True):
        words = ("participant", "--backend", backend, "--n-cpus", n_cpus, "--omp-nthreads", 1)
        done, summary = run(folder / "in", folder / backend, *words)
        assert summary["failed"] == 0, done.stderr
    return folder


def test_both_give_the_same_masks_and_verdicts(results):
    folders = [results / backend for backend in BACKENDS]
    assert least_overlap(folders) >= LEAST_DICE
    first, second = map(sidecars_in, folders)
    for name, sidecar in first.items():
        assert sidecar["QC"]["Verdict"] == second[name]["QC"]["Verdict"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_results_logs_and_methods_text_name_the_library(results, backend):
    folder = results / backend
    assert {sidecar["Backend"] for sidecar in sidecars_in(folder).values()} == {backend}
    config = json.loads(next((folder / "logs").glob("*/config.json")).read_text())
    assert config["backend"] == backend
    library, other = ("TensorFlow", "OpenVINO") if backend == "tensorflow" else ("OpenVINO", "TensorFlow")
    text = (folder / "logs" / "CITATION.md").read_text()
    (software,) = [line for line in text.splitlines() if line.startswith("Software:")]
    assert library in software
    assert other not in software


def test_a_result_is_up_to_date_whatever_computed_it(results):
    before = files_of(results / "tensorflow")
    done, summary = run(results / "in", results / "tensorflow", "participant", "--backend", "openvino")
    assert (summary["done"], summary["skipped"]) == (0, len(masks_in(results / "tensorflow"))), done.stderr
    assert files_of(results / "tensorflow") == before


def test_the_mask_and_the_record_of_real_images(shared_data, tmp_path):
    """Six images of one participant: T1w, T2w, T2*w, MT twice, diffusion."""
    for backend in BACKENDS:
        words = ("participant", "--participant-label", "dev03", "--backend", backend)
        done, summary = run(shared_data / "dev", tmp_path / backend, *words)
        assert summary["done"] + summary["failed"] == 6, done.stderr
    assert least_overlap([tmp_path / backend for backend in BACKENDS]) >= LEAST_DICE


def test_python_takes_the_backend_once(tmp_path):
    write_example(tmp_path / "in")
    path = next((tmp_path / "in").rglob("sub-02_T1w.nii.gz"))
    code = (
        "import os, sys\n"
        "os.environ.pop('KERAS_BACKEND', None)\n"
        "from bids_deepseg import segment\n"
        "from bids_deepseg.errors import UsageError\n"
        "print(segment(sys.argv[1], backend='openvino', rescue='off').verdict, 'tensorflow' in sys.modules)\n"
        "print(segment(sys.argv[1], rescue='off').verdict, os.environ.get('KERAS_BACKEND'))\n"
        "try:\n"
        "    segment(sys.argv[1], backend='tensorflow')\n"
        "except UsageError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    first, second, third = done.stdout.splitlines()
    assert first.endswith("False")
    assert second.split() == [first.split()[0], "None"]
    assert "runs on openvino in this process already" in third
