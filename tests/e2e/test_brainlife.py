"""The brainlife app: both routes, with a stand-in for singularity and simple functions in place of the networks."""

import base64
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from bids_deepseg import __version__
from tests.helpers.fake_engine import cord, write_dataset, write_nifti

ROOT = Path(__file__).parents[2]
MAIN, SAMPLE = ROOT / "brainlife" / "main", ROOT / "brainlife" / "config.json.sample"

STUB = f"""#!/bin/bash
echo "$@" >> "$STUB_LOG"
[ "$1 $2" = "exec -e" ] || exit 99
shift 3
[ "$1" = bids_deepseg-brainlife ] || exit 98
shift
exec {sys.executable} -m tests.helpers.brainlife_driver "$@"
"""


@pytest.fixture
def start(tmp_path):
    """Return a function that starts ``main`` in a folder of its own and returns code, error text and product."""
    folder, programs = tmp_path / "task", tmp_path / "bin"
    folder.mkdir()
    programs.mkdir()
    (programs / "singularity").write_text(STUB)
    (programs / "singularity").chmod(0o755)
    path = f"{programs}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(ROOT), "STUB_LOG": str(tmp_path / "log")}

    def start(config=None, more=None):
        if config is not None:
            (folder / "config.json").write_text(json.dumps(config))
        done = subprocess.run(
            [MAIN], cwd=folder, env=environment | (more or {}), capture_output=True, text=True, timeout=120, check=False
        )
        product = folder / "product.json"
        return done.returncode, done.stderr, json.loads(product.read_text()) if product.exists() else None

    start.folder = folder
    return start


def kinds(product):
    return [each["type"] for each in product["brainlife"]]


def test_the_image_is_the_named_one_then_the_file_in_the_folder_then_that_of_the_version(start, tmp_path):
    write_nifti(start.folder / "input" / "t2.nii.gz", cord((40, 44, 12)))
    start(json.loads(SAMPLE.read_text()))
    (start.folder / "bids_deepseg.sif").write_text("not empty")
    start()
    start(more={"BIDS_DEEPSEG_IMAGE": "named.sif"})
    images = [line.split()[2] for line in (tmp_path / "log").read_text().splitlines()]
    assert images == [f"docker://bids_deepseg:{__version__}", "./bids_deepseg.sif", "named.sif"]


def test_a17_the_sample_configuration_gives_mask_and_product(start, tmp_path):
    write_nifti(start.folder / "input" / "t2.nii.gz", cord((40, 44, 12)))
    code, err, product = start(json.loads(SAMPLE.read_text()))
    assert code == 0, err
    assert f"docker://bids_deepseg:{__version__}" in (tmp_path / "log").read_text()
    assert "BIDS_DEEPSEG_IMAGE" in err
    mask = nib.load(start.folder / "mask" / "mask.nii.gz")
    assert mask.shape == (40, 44, 12)
    assert set(np.unique(np.asarray(mask.dataobj))) == {0, 1}
    assert (start.folder / "product.json").stat().st_size < 64_000
    assert kinds(product) == ["info", "plotly", "image/png"]
    assert product["csa_mean"] == pytest.approx(76)
    assert product["mask"]["meta"] == {"subject": "01", "session": "1"}
    assert len(product["brainlife"][1]["data"][0]["x"]) == 12
    picture = Image.open(io.BytesIO(base64.b64decode(product["brainlife"][2]["base64"]))).convert("RGB")
    assert max(picture.size) <= 224
    # The cord is shown in pink over its whole length, and nothing else is.
    pixels = np.asarray(picture, int)
    pink = pixels[..., 0] - pixels[..., 1] > 50
    assert pink.any(1).mean() > 0.9
    assert pink.any(0).mean() < 0.5
    assert (start.folder / "report" / "html" / "sub-01.html").exists()
    derivative = start.folder / "bids" / "derivatives" / "bids_deepseg"
    assert list(derivative.glob("sub-01/ses-1/anat/*_desc-T2w_mask.nii.gz"))


def test_the_images_of_the_hook_are_segmented(start):
    write_dataset(start.folder / "bids", "sub-7/anat/sub-7_T1w", "sub-7/anat/sub-7_T2w")
    code, err, product = start({"t2": "not/looked/at.nii.gz"})
    assert code == 0, err
    assert product["mask"]["meta"] == {"subject": "7"}
    assert kinds(product) == ["info", "info", "plotly", "image/png"]
    assert "T2w" in product["brainlife"][0]["msg"]
    wanted = next((start.folder / "bids" / "derivatives").rglob("*_label-SC_desc-T2w_mask.nii.gz"))
    assert (start.folder / "mask" / "mask.nii.gz").read_bytes() == wanted.read_bytes()


def test_a_second_start_repeats_nothing_and_gives_the_same(start):
    write_nifti(start.folder / "t1.nii.gz", cord())
    _, _, first = start({"t1": "t1.nii.gz", "_inputs": None})
    mask = next((start.folder / "bids").rglob("*_label-SC_desc-T1w_mask.nii.gz"))
    before = mask.stat().st_mtime_ns
    code, _, second = start()
    assert (code, second) == (0, first)
    assert mask.stat().st_mtime_ns == before


@pytest.mark.parametrize("name", ["datatype_tags", "tags"])
def test_a_tag_tells_a_t2star_image(start, name):
    write_nifti(start.folder / "image.nii", cord())
    inputs = [{"id": "t2", name: ["T2star"], "meta": {"subject": "sub-a_b"}}]
    code, err, _ = start({"t2": "image.nii", "_inputs": inputs})
    assert code == 0, err
    assert (start.folder / "bids" / "sub-ab" / "anat" / "sub-ab_T2starw.nii").is_symlink()


def test_diffusion_takes_its_b_values_along(start):
    image = cord()
    write_nifti(start.folder / "dwi.nii.gz", np.stack([image, image * 0.5], -1))
    (start.folder / "dwi.bvals").write_text("0 1000\n")
    (start.folder / "dwi.bvecs").write_text("0 1\n0 0\n0 0\n")
    code, err, _ = start({"dwi": "dwi.nii.gz", "bvals": "dwi.bvals", "bvecs": "dwi.bvecs"})
    assert code == 0, err
    assert (start.folder / "bids/sub-01/dwi/sub-01_dwi.bval").read_text() == "0 1000\n"
    sidecar = json.loads(next((start.folder / "bids").rglob("*_label-SC_desc-dwi_mask.json")).read_text())
    assert "VolumesUsed" in sidecar


def test_another_image_takes_the_place_of_the_first(start):
    write_nifti(start.folder / "one.nii.gz", cord())
    write_nifti(start.folder / "two.nii.gz", cord(radius_mm=4.0))
    start({"t2": "one.nii.gz"})
    code, _, product = start({"t1": "two.nii.gz"})
    assert code == 0
    assert [path.name for path in (start.folder / "bids" / "sub-01" / "anat").iterdir()] == ["sub-01_T1w.nii.gz"]
    assert product["csa_mean"] < 70


def test_an_unused_threshold_is_told(start):
    write_nifti(start.folder / "one.nii.gz", cord())
    _, _, product = start({"t2": "one.nii.gz", "threshold": 0.3})
    assert "threshold" in product["brainlife"][0]["msg"]


@pytest.mark.parametrize(
    ("config", "expected", "text"),
    [
        ({}, 64, "names no image"),
        ({"t2": "absent.nii.gz"}, 64, "does not exist"),
        ({"t2": "bad.nii.gz"}, 65, "empty"),
        ({"t2": "bad.nii.gz", "contrast": "t9"}, 64, "t9"),
        ([], 64, "not a JSON object"),
    ],
)
def test_what_went_wrong_is_in_the_product(start, config, expected, text):
    (start.folder / "bad.nii.gz").touch()
    code, err, product = start(config)
    assert code == expected, err
    assert text in json.dumps(product)
    assert not (start.folder / "mask" / "mask.nii.gz").exists()


def test_without_configuration_or_container_program_it_says_so(start):
    code, err, _ = start()
    assert code == 66
    assert "config.json.sample" in err
    bash = shutil.which("bash")
    done = subprocess.run([bash, MAIN], env={"PATH": "/nonexistent"}, capture_output=True, text=True, check=False)
    assert done.returncode == 69
    assert "singularity" in done.stderr
