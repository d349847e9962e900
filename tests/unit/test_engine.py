"""Methods beside the default one, on phantoms with simple functions in place of the networks."""

import numpy as np
import pytest

from bids_deepseg.errors import CordNotFoundError, NetworkError, UsageError
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.methods import models as app_models
from bids_deepseg.methods.models import identify_models
from bids_deepseg.methods.optic.model import read_own_model
from bids_deepseg.methods.sct.method import sct_settings
from bids_deepseg.networks.predictor import Models
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.pipeline import segment
from tests.helpers.phantoms import FakePredictor, bright_is_cord, bright_is_hot, dice, grid_of, noisy_cord

CORD = FakePredictor(bright_is_cord)


def test_the_linear_detector_finds_the_cord_and_the_mask_decides_where_it_ends():
    image, truth = noisy_cord((48, 44, 32))
    data = image.data.copy()
    data[..., 24:] = 100 + np.random.default_rng(1).normal(0, 4, data[..., 24:].shape)
    truth[..., 24:] = False
    models = Models(None, CORD, read_own_model("t1"))
    found = segment(Volume(data, image.grid), models, settings=MethodSettings(centerline="svm"))
    assert dice(found.mask.data[..., :24] > 0, truth[..., :24]) > 0.9
    present = np.flatnonzero(found.mask.data.any((0, 1)))
    assert found.centerline.k[0] == present[0]
    assert found.centerline.k[-1] == present[-1]


def test_a_turned_image_gives_the_same_centerline_in_the_world():
    image, _ = noisy_cord()
    models, settings = Models(None, CORD, read_own_model("t1")), MethodSettings(centerline="svm")
    one = segment(image, models, settings=settings)
    other = segment(reorient(image, ("S", "R", "P")), models, settings=settings)
    np.testing.assert_allclose(one.centerline.xyz, other.centerline.xyz, atol=1e-3)


def test_brain_no_keeps_a_faint_stretch_between_two_ends():
    image, _ = noisy_cord((48, 44, 60))
    # All slices in one call: the network sees as many patches as there are slices.
    thin = Volume(image.data[:, :, :16].copy(), grid_of((48, 44, 16)))
    thin.data.flags.writeable = False

    def few(patches):
        level = np.full(len(patches), 0.02)
        level[:10], level[-1:] = 0.9, 0.9
        hot = bright_is_hot(patches)
        return hot / hot.max() * level[:, None, None]

    models = Models(FakePredictor(few, (96, 96), 1.0), CORD)
    cut = segment(thin, models)
    kept = segment(thin, models, settings=MethodSettings(brain="no"))
    assert cut.centerline.k.tolist() == list(range(10))
    assert kept.centerline.k.tolist() == list(range(16))


def test_the_names_of_the_models_follow_the_settings(tmp_path):
    def names(contrast="t2", **settings):
        return [model.name for model in identify_models(MethodSettings(**settings), contrast)]

    assert names() == ["detection", "segmentation"]
    assert names(centerline="svm") == ["optic-svm", "segmentation"]
    assert names(centerline="file", centerline_file=tmp_path) == ["segmentation"]
    svm = {c: identify_models(MethodSettings(centerline="svm"), c)[0].sha256 for c in ("t1", "t2", "t2s", "dwi")}
    assert len(set(svm.values())) == 4


@pytest.mark.parametrize(
    ("settings", "contrast", "text"),
    [
        ({"weights": "sct"}, "t2", "t2_ctr"),
        ({"weights": "sct"}, None, "State the folder and the contrast"),
        ({"weights": "sct", "centerline": "svm"}, "t2", "t2_model.yml"),
        ({"centerline": "svm"}, None, "--contrast"),
    ],
)
def test_missing_models_are_named(tmp_path, settings, contrast, text):
    folder = {"weights_dir": tmp_path} if "weights" in settings else {}
    with pytest.raises(NetworkError) as caught:
        identify_models(MethodSettings(**settings, **folder), contrast)
    assert text in str(caught.value)


def test_a_missing_3d_network_is_named(monkeypatch):
    def missing(name, folder=None):
        raise NetworkError(f"{name} is not there")

    monkeypatch.setattr(app_models, "read_spec", missing)
    with pytest.raises(NetworkError, match=r"--kernel 3d needs .*segmentation3d"):
        identify_models(MethodSettings(kernel="3d", centerline="svm"), "t2")


def test_settings_travel_to_the_reference_method(tmp_path):
    asked = MethodSettings(
        profile="sct", weights="sct", weights_dir=tmp_path, centerline="cnn", brain="no", threshold="soft"
    )
    found = sct_settings(asked, "t2s")
    assert (found.contrast, found.centerline, found.brain, found.soft, found.threshold) == (
        *("t2s", "cnn", False),
        *(True, None),
    )
    with pytest.raises(UsageError, match="--contrast"):
        sct_settings(asked, None)


def test_an_empty_image_has_no_tube_or_path():
    image, _ = noisy_cord()
    flat = Volume(np.full(image.grid.shape, 7, np.float32), image.grid)
    with pytest.raises(CordNotFoundError):
        segment(flat, Models(None, CORD, read_own_model("t2")), settings=MethodSettings(centerline="svm"))
