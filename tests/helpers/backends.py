"""Ask networks the same in processes of their own, each with another backend of Keras."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np

from bids_deepseg.networks.backend import start_keras
from bids_deepseg.networks.keras_predictor import made_ready
from bids_deepseg.networks.legacy.build import build_legacy
from bids_deepseg.networks.legacy.h5 import read_legacy
from bids_deepseg.networks.predictor import load_own
from bids_deepseg.networks.published.predictor import load_published
from bids_deepseg.networks.published.specs import find_files
from tests.helpers.legacy_files import cord_2d, detection, random_weights, to_bytes, volume_net

ROOT = Path(__file__).parents[2]

OWN = ("detection", "segmentation", "segmentation3d", "grey")

#: Networks with the layers of the published ones: pooling, transposed and dilated convolutions, 3D ones.
REBUILT = {
    "ctr": detection(3, 3, (16, 12)),
    "sc": cord_2d(2, (16, 8), 4),
    "sc_3D": volume_net(2, 2, (8, 4, 6)),
    "lesion": volume_net(2, 3, (8, 4, 12)),
}


def in_new_process(backend, code, *words):
    """Run code in a process with a backend, and return what it printed."""
    environment = os.environ | {"KERAS_BACKEND": backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def answers_of(backend, folder, published=None):
    """Return what all networks answer on a backend, by name; those of a folder of published ones included."""
    path = folder / f"{backend}.npz"
    code = "import sys; from tests.helpers.backends import save_answers; save_answers(*sys.argv[1:])"
    in_new_process(backend, code, path, *([published] if published else []))
    return dict(np.load(path))


def save_answers(path, published=None):
    """Ask all networks about slices that differ in brightness, and keep the answers."""
    if published:
        names = [file.spec.name for file in find_files(Path(published)) if file.state == "present"]
        answers = {name: _answer(load_published(Path(published), name), 2) for name in names}
    else:
        answers = {name: _answer(load_own(name), 23) for name in OWN} | dict(map(_rebuilt, REBUILT))
    np.savez(path, **answers)


def _answer(predictor, n):
    shape = predictor.patch_shape
    patches = np.random.default_rng(0).standard_normal((n, *shape)).astype(np.float32)
    # A bright disc looks like a cord: there are high probabilities among the answers.
    distance = np.hypot(*np.meshgrid(*(np.arange(size) - size / 2 for size in shape[:2]), indexing="ij"))
    patches += 4 * (distance < 9).reshape(*shape[:2], *(1,) * (len(shape) - 2)).astype(np.float32)
    return predictor.predict(patches)


def _rebuilt(name):
    net = REBUILT[name]
    legacy = read_legacy(to_bytes(net, random_weights(net, np.random.default_rng(1))))
    keras = start_keras()
    images = np.random.default_rng(2).normal(size=(2, *legacy.plan.patch_shape, 1)).astype(np.float32)
    return name, np.asarray(made_ready(keras, build_legacy(legacy)).predict_on_batch(images))
