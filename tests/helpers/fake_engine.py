"""The app without networks: the real method with simple predictors, and small data sets to run it on."""

import json
import os
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import nibabel as nib
import numpy as np

from bids_deepseg.errors import NetworkError
from bids_deepseg.networks.predictor import Models, StructureModel
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.pipeline import segment
from tests.helpers.phantoms import FakePredictor, bright_is_cord, bright_is_hot, front_part, grid_of, tube

SPEC = SimpleNamespace(
    name="fake", contrast="any", patch_shape=(64, 64), zoom_mm=0.5, threshold=0.5, architecture={}, sha256="0" * 64
)


@dataclass(frozen=True)
class FakeEngine:
    """The real pipeline with predictors that take bright tubes for cords.

    ``trace`` is a folder in which each use leaves a file; images whose size along i is ``slow_size`` take a minute,
    those of ``kill_size`` kill their process. A ``broken`` engine has a bug, an ``unloadable`` one no weights.
    """

    trace: Path | None = None
    slow_size: int = 0
    kill_size: int = 0
    version: str = "0"
    broken: bool = False
    unloadable: bool = False
    backend: str = ""
    settings: MethodSettings = field(default_factory=MethodSettings)

    def note(self, what):
        if self.trace is not None:
            (self.trace / f"{what}-{os.getpid()}-{time.monotonic_ns()}").touch()

    def count(self, what):
        return len(list(self.trace.glob(f"{what}-*")))

    def configured(self, settings):
        return replace(self, settings=settings)

    def specs(self, contrast=None):
        if (self.settings.centerline, self.settings.kernel) not in {("cnn", "2d"), ("file", "2d"), ("viewer", "2d")}:
            raise NetworkError("The engine of the tests has no such models.")
        return (SimpleNamespace(**vars(SPEC) | {"sha256": self.version * 64}),)

    def structure_specs(self, contrast=None):
        return () if self.settings.task == "cord" else (SimpleNamespace(**vars(SPEC) | {"name": "inner"}),)

    def load(self):
        self.note("load")
        if self.unloadable:
            raise NetworkError("The weights are missing. Install the package again.")
        models = Models(FakePredictor(bright_is_hot, zoom_mm=1.0), FakePredictor(bright_is_cord))
        return lambda volume, guide, observer: self.segment(volume, models, guide, observer)

    def load_structure(self, contrast=None):
        return None if self.settings.task == "cord" else StructureModel(FakePredictor(front_part, zoom_mm=0.3))

    def segment(self, volume, models, guide, observer):
        self.note("segment")
        if self.broken:
            raise ZeroDivisionError("a bug")
        if volume.data.shape[0] == self.slow_size:
            time.sleep(60)
        if volume.data.shape[0] == self.kill_size:
            os.kill(os.getpid(), 9)
        return segment(volume, models, settings=self.settings, guide=guide, observer=observer)


def write_nifti(path, data, affine=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Nifti1Image(data, grid_of(data.shape[:3]).affine if affine is None else affine).to_filename(path)
    return path


def cord(shape=(40, 40, 8), radius_mm=5.0):
    """Return an image of a bright tube on a dark ground with some texture."""
    image = tube(grid_of(shape), radius_mm=radius_mm, supersample=3).data * 200
    return image + np.random.default_rng(0).uniform(0, 5, shape).astype(np.float32)


def write_dataset(folder, *names, description=None):
    """Write a BIDS data set with a cord in each image, given by paths without extension."""
    folder.mkdir(parents=True, exist_ok=True)
    content = description or {"Name": "Test", "BIDSVersion": "1.10.0", "DatasetType": "raw"}
    (folder / "dataset_description.json").write_text(json.dumps(content))
    for name in names:
        write_nifti(folder / f"{name}.nii.gz", cord())
    return folder


def files_of(folder):
    """Return content and time of change of all files outside the logs."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder).parts[0] != "logs"
    }


def summary_of(text):
    """Return the summary in the last line of the output."""
    return json.loads(text.rstrip("\n").splitlines()[-1].removeprefix("bids_deepseg-summary "))
