"""The sct profile behind the options of the app."""

from pathlib import Path

import numpy as np
import pytest

from bids_deepseg.cli import main as cli
from bids_deepseg.errors import NetworkError, UsageError
from bids_deepseg.methods.sct import method
from bids_deepseg.methods.sct.networks import SctNetworks
from bids_deepseg.methods.sct.segment import segment_sct
from bids_deepseg.methods.sct.settings import SctSettings
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.stages.segmentation import Guide, Segmentation
from tests.helpers.fake_engine import write_dataset
from tests.helpers.phantoms import grid_of
from tests.helpers.scaled_predictors import ScaledFake
from tests.helpers.sct_phantoms import SHAPE, bright, image, line_of

FOLDER = Path("published")


def asked(**words):
    return MethodSettings(profile="sct", weights="sct", weights_dir=FOLDER, **words)


@pytest.mark.parametrize(
    ("words", "contrast", "expected"),
    [
        ({"centerline": "svm"}, "t2", SctSettings(contrast="t2")),
        ({"centerline": "svm", "threshold": 0.25}, "t1", SctSettings(contrast="t1", threshold=0.25)),
        ({"centerline": "svm", "threshold": "soft"}, "t2s", SctSettings(contrast="t2s", soft=True)),
        (
            {"centerline": "cnn", "brain": "no", "sct_quirks": "all", "kernel": "3d"},
            "dwi",
            SctSettings(contrast="dwi", centerline="cnn", brain=False, quirks="all", kernel="3d"),
        ),
        (
            {"centerline": "viewer", "centerline_file": Path("points.csv")},
            "t2",
            SctSettings(contrast="t2", centerline="viewer"),
        ),
    ],
)
def test_options_become_the_reference_s_settings(words, contrast, expected):
    assert method.sct_settings(asked(**words), contrast) == expected


def test_the_contrast_must_be_known():
    with pytest.raises(UsageError, match="--contrast"):
        method.sct_settings(asked(centerline="svm"), None)


def test_the_app_gets_the_result_of_the_profile(monkeypatch):
    networks = SctNetworks(ScaledFake(bright))
    monkeypatch.setattr(method, "load_sct_networks", lambda folder, settings: networks)
    grid = grid_of(SHAPE)
    volume, points = image(grid), line_of(grid)
    settings = asked(centerline="file", centerline_file=Path("line.csv"))
    found = method.load_sct(settings, "t2")(volume, Guide("t2", points), lambda _name, _result: None)
    expected = segment_sct(volume, networks, SctSettings(contrast="t2", centerline="file"), given=points)
    assert isinstance(found, Segmentation)
    np.testing.assert_array_equal(found.mask.data, expected.mask.data)
    assert found.score == expected.score


def test_missing_networks_are_named_before_anything_is_loaded(tmp_path):
    settings = MethodSettings(profile="sct", weights="sct", weights_dir=tmp_path, centerline="cnn", kernel="3d")
    with pytest.raises(NetworkError, match=r"t2_ctr\.h5 \(missing\), t2_sc_3D\.h5 \(missing\)"):
        method.identify_sct(settings, "t2")


def test_a_run_without_the_published_networks_ends_with_their_names(tmp_path, capsys):
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")
    (tmp_path / "published").mkdir()
    words = ["--profile", "sct", "--weights-dir", tmp_path / "published", "--skip-bids-validation"]
    code = cli.main([str(word) for word in [data, tmp_path / "out", "participant", *words]])
    assert code == 78
    assert "t2_sc.h5 (missing)" in capsys.readouterr().err
    assert not list((tmp_path / "out").rglob("*.nii.gz"))


@pytest.mark.parametrize(
    "words", [{"weights": "own", "weights_dir": None}, {"profile": "default", "sct_quirks": "all"}]
)
def test_what_the_profile_has_not_is_refused(words):
    with pytest.raises(UsageError):
        MethodSettings(**{"profile": "sct", "weights": "sct", "weights_dir": FOLDER, **words})
