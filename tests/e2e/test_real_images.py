"""The app on real images: every bar of accuracy that the project states for its development data."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.networks.predictor import load_models
from bids_deepseg.pipeline import segment
from tests.helpers.phantoms import ALL_AXCODES

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def run_app(*arguments):
    return subprocess.run(
        [sys.executable, ROOT / "run.py", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def files_of(folder):
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and "logs" not in path.relative_to(folder).parts
    }


@pytest.fixture(scope="module")
def dev_run(shared_data, tmp_path_factory):
    output = tmp_path_factory.mktemp("dev") / "out"
    done = run_app(shared_data / "dev", output, "participant", "--skip-bids-validation")
    return done, output


def test_all_images_are_segmented(dev_run):
    done, output = dev_run
    assert done.returncode == 0, done.stdout + done.stderr
    summary = json.loads(done.stdout.splitlines()[-1].removeprefix("bids_deepseg-summary "))
    assert summary["done"] == 12
    assert summary["failed"] == 0
    assert len(list(output.rglob("*_label-SC_desc-*_mask.nii.gz"))) == 12


def test_dice_of_every_file_with_a_manual_mask(dev_run, shared_data):
    _, output = dev_run
    labels = shared_data / "dev" / "derivatives" / "labels"
    scores = []
    for reference in sorted(labels.rglob("*_label-SC_*_mask.nii.gz")):
        predicted = nib.load(output / reference.relative_to(labels))
        expected = nib.load(reference)
        np.testing.assert_array_equal(predicted.affine, expected.affine)
        a, b = np.asarray(predicted.dataobj) > 0, np.asarray(expected.dataobj) > 0
        axis = int(np.argmax(np.abs(predicted.affine[2, :3])))
        others = tuple(n for n in range(3) if n != axis)
        with_cord = b.any(others)
        a, b = np.moveaxis(a, axis, 0)[with_cord], np.moveaxis(b, axis, 0)[with_cord]
        assert a.any((1, 2)).mean() >= 0.98, reference.name
        scores.append(dice(a, b))
    assert len(scores) == 8
    assert min(scores) >= 0.80
    assert np.median(scores) >= 0.90


def test_the_grey_matter_lies_inside_of_the_cord(dev_run, shared_data):
    _, output = dev_run
    name = "sub-dev04/anat/sub-dev04_space-orig_label-{}_desc-T2starw_mask.nii.gz"
    grey = np.asarray(nib.load(shared_data / "dev/derivatives/labels" / name.format("GM")).dataobj) > 0
    cord = np.asarray(nib.load(output / name.format("SC")).dataobj) > 0
    assert (grey & cord).sum() / grey.sum() >= 0.95


def test_the_same_command_again_changes_nothing(dev_run, shared_data):
    _, output = dev_run
    before = files_of(output)
    done = run_app(shared_data / "dev", output, "participant", "--skip-bids-validation")
    assert done.returncode == 0
    summary = json.loads(done.stdout.splitlines()[-1].removeprefix("bids_deepseg-summary "))
    assert (summary["done"], summary["skipped"]) == (0, 12)
    assert files_of(output) == before


def test_the_output_is_valid_bids(dev_run, tmp_path):
    validator = Path(sys.executable).with_name("bids-validator-deno")
    if not validator.exists():
        pytest.skip("bids-validator-deno is not installed")
    _, output = dev_run
    done = subprocess.run(
        [validator, "--format", "json", output],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"HOME": str(tmp_path)},
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    assert [
        (issue["code"], issue.get("location")) for issue in issues if issue["severity"] in ("error", "warning")
    ] == []
    assert done.returncode == 0


@pytest.fixture(scope="module")
def small_image(shared_data):
    image = nib.load(shared_data / "dev/sub-dev03/anat/sub-dev03_T2w.nii.gz")
    return Volume(np.asarray(image.dataobj, np.float32), Grid(image.shape, image.affine))


def test_all_48_orientations_and_an_oblique_affine_give_the_same_mask(small_image):
    models = load_models()
    expected = reorient(segment(small_image, models).mask, ("R", "A", "S")).data > 0
    for axcodes in ALL_AXCODES:
        native = reorient(small_image, axcodes)
        mask = segment(native, models).mask
        assert mask.grid.affine.tobytes() == native.grid.affine.tobytes()
        assert dice(reorient(mask, ("R", "A", "S")).data > 0, expected) >= 0.995, axcodes
    oblique = Volume(small_image.data, Grid(small_image.grid.shape, turned(small_image.grid.affine, 20)))
    assert dice(reorient(segment(oblique, models).mask, ("R", "A", "S")).data > 0, expected) >= 0.995


def turned(affine, degrees):
    angle = np.radians(degrees)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    result = affine.copy()
    result[:3] = turn @ affine[:3]
    return result
