"""PropSeg as a method of the app: the tube is judged by the network, which a tube cannot fool."""

import numpy as np
import pytest

from bids_deepseg.errors import UsageError
from bids_deepseg.methods.propseg.method import run_propseg
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.stages.guide import Guide
from tests.helpers.phantoms import FakePredictor, bright_is_cord, dice, noisy_cord

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


@pytest.mark.parametrize(
    "other", [{"centerline": "svm"}, {"brain": "no"}, {"kernel": "3d"}], ids=lambda other: next(iter(other))
)
def test_what_a_tube_does_not_look_at_is_refused(other):
    with pytest.raises(UsageError, match="--method propseg and"):
        MethodSettings(method="propseg", **other)
