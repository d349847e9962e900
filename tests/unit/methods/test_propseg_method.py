"""PropSeg as a method of the app: the tube is judged by the network, which a tube cannot fool."""

from pathlib import Path

import numpy as np
import pytest

from bids_deepseg.errors import UsageError
from bids_deepseg.methods.propseg.method import identify_propseg, run_propseg
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.stages.segmentation import Guide
from tests.helpers.phantoms import FakePredictor, bright_is_cord, bright_is_hot, dice, noisy_cord

CORD = FakePredictor(bright_is_cord)


def test_a_tube_is_grown_and_judged_by_the_network():
    image, truth = noisy_cord()
    settings = MethodSettings(method="propseg")
    found = run_propseg(image, CORD, settings, Guide("t1"), lambda *_: None)
    assert dice(found.mask.data > 0, truth) > 0.85
    assert found.verdict != "fail"
    blind = FakePredictor(np.zeros_like)
    doubted = run_propseg(image, blind, settings, Guide("t1"), lambda *_: None)
    np.testing.assert_array_equal(doubted.mask.data, found.mask.data)
    assert doubted.verdict != "pass"
    assert doubted.score < found.score


def test_a_tube_needs_the_contrast():
    image, _ = noisy_cord()
    with pytest.raises(UsageError, match="--contrast"):
        run_propseg(image, CORD, MethodSettings(method="propseg"), Guide(), lambda *_: None)


@pytest.mark.parametrize("other", [{"brain": "no", "centerline": "cnn"}, {"kernel": "3d"}], ids=["brain", "kernel"])
def test_what_a_tube_does_not_look_at_is_refused(other):
    with pytest.raises(UsageError, match="--method propseg and"):
        MethodSettings(method="propseg", **other)


def test_the_start_by_circles_is_about_tubes_without_a_centerline():
    with pytest.raises(UsageError, match="--method propseg"):
        MethodSettings(propseg_init="hough")
    with pytest.raises(UsageError, match="--propseg-init hough and --centerline-file"):
        MethodSettings(
            method="propseg", propseg_init="hough", centerline="file", centerline_file=Path("centerline.nii.gz")
        )


def test_the_default_centerline_needs_no_network_with_a_tube():
    assert MethodSettings(method="propseg").centerline == "svm"
    assert MethodSettings().centerline == "cnn"
    assert "centerline" not in MethodSettings().facts()


def test_a_corrected_centerline_takes_the_place_of_circles():
    assert MethodSettings(method="propseg", propseg_init="hough").along(Path("c.csv")).propseg_init == "optic"


ALONG_Z = np.array([[0.0, 0.0, z] for z in (-15.0, 0.0, 15.0)])


@pytest.mark.parametrize(
    ("settings", "points"),
    [
        ({"centerline": "svm"}, None),
        ({"centerline": "cnn"}, None),
        ({"centerline": "file", "centerline_file": Path("c.csv")}, ALONG_Z),
        ({"centerline": "viewer", "centerline_file": Path("c.csv")}, ALONG_Z),
    ],
    ids=["svm", "cnn", "file", "viewer"],
)
def test_a_tube_is_laid_along_any_centerline(settings, points):
    image, truth = noisy_cord()
    hot = FakePredictor(bright_is_hot, zoom_mm=1.0)
    guide = Guide("t1", points)
    found = run_propseg(image, CORD, MethodSettings(method="propseg", **settings), guide, lambda *_: None, hot)
    assert dice(found.mask.data > 0, truth) > 0.9
    assert found.verdict != "fail"


def test_a_given_centerline_must_be_there():
    image, _ = noisy_cord()
    settings = MethodSettings(method="propseg", centerline="file", centerline_file=Path("c.csv"))
    with pytest.raises(UsageError, match="--centerline-file"):
        run_propseg(image, CORD, settings, Guide("t1"), lambda *_: None)


def test_a_tube_that_the_detection_network_denies_fails():
    image, _ = noisy_cord()
    settings, blind = MethodSettings(method="propseg"), FakePredictor(np.zeros_like)
    found = run_propseg(image, CORD, settings, Guide("t1"), lambda *_: None, blind)
    assert found.verdict == "fail"


def test_what_decided_on_a_tube_is_recorded():
    names = [model.name for model in identify_propseg(MethodSettings(method="propseg"), "t2")]
    assert names == ["optic-svm", "detection", "segmentation", "propseg"]
    along = MethodSettings(method="propseg", centerline="file", centerline_file=Path("c.csv"))
    assert [model.name for model in identify_propseg(along, "t2")] == ["detection", "segmentation", "propseg"]
