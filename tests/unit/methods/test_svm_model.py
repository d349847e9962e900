"""Linear detectors: what is read, and what is refused and how."""

import json

import numpy as np
import pytest

from bids_deepseg.errors import NetworkError
from bids_deepseg.methods.optic.model import (
    CONTRASTS,
    SvmModel,
    read_own_model,
    read_published_model,
    weights_sha256,
)

HEADER = """%YAML:1.0
HOG: !!opencv-object-detector-hog
   winSize: [ 32, 32 ]
   blockSize: [ 8, 8 ]
   blockStride: [ 8, 8 ]
   cellSize: [ 4, 4 ]
   nbins: 9
   derivAperture: 1
   winSigma: 2.
   histogramNormType: 0
   L2HysThreshold: 2.0000000000000001e-01
   gammaCorrection: 1
   nlevels: 64
   signedGradient: 1
"""
END = "ps0: 1.\nps1: 1.\n"


def published(values=None):
    values = np.arange(577) / 1000 if values is None else values
    lines = [", ".join(f"{value:.8e}" for value in values[start : start + 4]) for start in range(0, len(values), 4)]
    return HEADER + "   SVMDetector: [ " + ",\n       ".join(lines) + " ]\n" + END


def write(tmp_path, text, name="t2_model.yml"):
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_a_published_model_is_read(tmp_path, newline):
    model = read_published_model(write(tmp_path, published().replace("\n", newline)))
    np.testing.assert_allclose(model.weights, np.arange(576) / 1000)
    assert model.bias == pytest.approx(0.576)
    assert model.contrast == "t2"
    assert len(model.sha256) == 64
    assert not model.weights.flags.writeable


def test_the_contrast_can_be_stated(tmp_path):
    assert read_published_model(write(tmp_path, published(), "mine.yml"), contrast="dwi").contrast == "dwi"


HOSTILE = {
    "a pickle": (b"\x80\x04\x95\x00", "cannot be read"),
    "an object to build": ("%YAML:1.0\nHOG: !!python/object/apply:os.system [ 'true' ]\n", "no HOG detector"),
    "empty": ("", "no HOG detector"),
    "huge": ("%YAML:1.0\n" + "#" * 300_000, "larger than 200000 bytes"),
    "too few numbers": (published(np.ones(500)), "500 numbers in SVMDetector. 576 weights and 1 constant"),
    "too many numbers": (published(np.ones(578)), "578 numbers"),
    "no detector": (HEADER + END, "0 numbers"),
    "not a number": (published().replace("1.00000000e-03", "__import__"), "SVMDetector that is not a number"),
    "NaN": (published().replace("1.00000000e-03", "nan"), "NaN or infinite"),
    "overflow": (published().replace("1.00000000e-03", "1e999"), "NaN or infinite"),
    "unclosed list": (published().replace("]\nps0", "\nps0"), "0 numbers"),
    "other window": (published().replace("winSize: [ 32, 32 ]", "winSize: [ 64, 128 ]"), "winSize = 64 x 128. 32 x 32"),
    "unsigned gradients": (published().replace("signedGradient: 1", "signedGradient: 0"), "signedGradient = 0. 1 is"),
    "other pixel size": (published().replace("ps0: 1.", "ps0: 0.5"), "ps0 = 0.5. 1 is expected"),
    "missing entry": (published().replace("   nbins: 9\n", ""), "nbins = nothing. 9 is expected"),
    "doubled entry": (published() + "ps1: 1.\n", "states ps1 twice"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_wrong_and_hostile_files_are_refused_with_the_reason(tmp_path, case):
    content, message = HOSTILE[case]
    with pytest.raises(NetworkError, match=message):
        read_published_model(write(tmp_path, content))


def test_a_missing_file_and_an_unknown_contrast_are_refused(tmp_path):
    with pytest.raises(NetworkError, match=r"t1_model\.yml cannot be read"):
        read_published_model(tmp_path / "t1_model.yml")
    with pytest.raises(NetworkError, match=r"unknown contrast 'model\.yml'"):
        read_published_model(write(tmp_path, published(), "model.yml"))


def test_the_shared_published_models_are_read(shared_data):
    bias = {"t2": -1.2635, "t1": -2.1441, "t2s": -0.8401, "dwi": -1.2196}
    for contrast in CONTRASTS:
        model = read_published_model(shared_data / "weights" / "optic" / f"{contrast}_model.yml")
        assert model.contrast == contrast
        assert model.bias == pytest.approx(bias[contrast], abs=1e-4)


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_there_is_an_own_model_of_every_contrast(contrast):
    model = read_own_model(contrast)
    assert model.contrast == contrast
    assert np.abs(model.weights).max() > 0


def own_card(**changes):
    weights = np.ones(576)
    card = {
        "contrast": "t2",
        "weights": weights.tolist(),
        "bias": -1.0,
        "weights_sha256": weights_sha256(weights, -1.0),
    }
    return json.dumps(card | changes)


def test_an_own_model_is_read_from_a_folder(tmp_path):
    write(tmp_path, own_card(), "t2.json")
    assert read_own_model("t2", tmp_path).bias == -1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (own_card(bias=-2.0), "was changed"),
        (own_card(contrast="t1"), "was changed"),
        (own_card(weights=[1.0]), "was changed"),
        (own_card(weights="all"), "cannot be read"),
        ("[]", "cannot be read"),
        ("{}", "cannot be read"),
        ("[" * 100_000, "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_changed_own_model_is_refused(tmp_path, content, message):
    write(tmp_path, content, "t2.json")
    with pytest.raises(NetworkError, match=message):
        read_own_model("t2", tmp_path)


def test_missing_own_models_are_named(tmp_path):
    with pytest.raises(NetworkError, match="contrast 't1' cannot be read"):
        read_own_model("t1", tmp_path)
    with pytest.raises(NetworkError, match="no SVM model for the contrast 'ct'"):
        read_own_model("ct")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": np.ones(5)}, r"shape \(5,\). 576 are expected"),
        ({"bias": float("nan")}, "NaN or infinite"),
        ({"contrast": "ct"}, "contrast 'ct'"),
        ({"sha256": "0"}, "not a sha256"),
    ],
)
def test_a_model_is_checked_when_it_is_made(changes, message):
    fields = {"weights": np.ones(576), "bias": 0.0, "contrast": "t2", "sha256": "0" * 64} | changes
    with pytest.raises(NetworkError, match=message):
        SvmModel(**fields)
