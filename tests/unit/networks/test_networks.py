"""Networks: descriptions are checked, changed weights are refused, batches do not matter."""

import hashlib
import json

import numpy as np
import pytest

from bids_deepseg.errors import NetworkError
from bids_deepseg.networks import architectures, keras_predictor
from bids_deepseg.networks.keras_predictor import KerasPredictor, load_predictor
from bids_deepseg.networks.specs import check_weights, contrast_of_suffix, read_spec

ARGUMENTS = {"base_filters": 4, "depth": 2}


@pytest.fixture
def folder(tmp_path):
    """Return a folder with the description of a tiny network whose weights file is not one."""
    content = b"no weights"
    card = {
        "name": "tiny",
        "contrast": "any",
        "patch_shape": [16, 12],
        "zoom_mm": 0.5,
        "threshold": 0.5,
        "architecture": {"function": "build_unet", "arguments": ARGUMENTS},
        "weights": "tiny.weights.h5",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    (tmp_path / "tiny.json").write_text(json.dumps(card))
    (tmp_path / "tiny.weights.h5").write_bytes(content)
    return tmp_path


def test_a_description_is_read(folder):
    spec = read_spec("tiny", folder)
    assert (spec.patch_shape, spec.zoom_mm, spec.threshold) == ((16, 12), 0.5, 0.5)
    check_weights(spec)


def test_a_missing_description_is_named(folder):
    with pytest.raises(NetworkError, match="network 'other' cannot be read"):
        read_spec("other", folder)


def test_changed_weights_are_refused(folder):
    (folder / "tiny.weights.h5").write_bytes(b"other weights")
    with pytest.raises(NetworkError, match="were changed: sha256"):
        check_weights(read_spec("tiny", folder))


def test_missing_weights_are_named(folder):
    (folder / "tiny.weights.h5").unlink()
    with pytest.raises(NetworkError, match="are missing"):
        check_weights(read_spec("tiny", folder))


@pytest.mark.parametrize(("key", "value"), [("threshold", 1.0), ("sha256", "abc"), ("odds_exponent", 0.0)])
def test_impossible_values_are_refused(folder, key, value):
    card = json.loads((folder / "tiny.json").read_text()) | {key: value}
    (folder / "tiny.json").write_text(json.dumps(card))
    with pytest.raises(NetworkError, match="Network tiny"):
        read_spec("tiny", folder)


def test_weights_that_do_not_fit_are_refused(folder):
    with pytest.raises(NetworkError, match="do not fit its architecture"):
        load_predictor(read_spec("tiny", folder))


def test_unknown_architectures_are_refused(folder):
    card = json.loads((folder / "tiny.json").read_text()) | {"architecture": {"function": "eval", "arguments": {}}}
    (folder / "tiny.json").write_text(json.dumps(card))
    with pytest.raises(NetworkError, match="unknown architecture 'eval'"):
        load_predictor(read_spec("tiny", folder))


def test_prediction_does_not_depend_on_the_batch(folder, rng, monkeypatch):
    spec = read_spec("tiny", folder)
    predictor = KerasPredictor(spec, architectures.build_unet(spec.patch_shape, **ARGUMENTS))
    patches = rng.normal(size=(7, 16, 12)).astype(np.float32)
    at_once = predictor.predict(patches)
    assert at_once.shape == patches.shape
    monkeypatch.setattr(keras_predictor, "_BATCH_PIXELS", 16 * 12 * 2)
    np.testing.assert_allclose(predictor.predict(patches), at_once, atol=1e-5)


def test_the_weights_of_the_package_are_those_of_their_descriptions():
    for spec in map(read_spec, ("detection", "segmentation")):
        check_weights(spec)


@pytest.mark.parametrize(
    ("suffix", "contrast"),
    [("T1w", "t1"), ("UNIT1", "t1"), ("T2w", "t2"), ("MTS", "t2s"), ("dwi", "dwi"), ("bold", "t2s"), ("asl", None)],
)
def test_each_suffix_has_one_contrast(suffix, contrast):
    assert contrast_of_suffix(suffix) == contrast
