"""Loss functions against values computed by hand."""

import math

import numpy as np
import pytest

from bids_deepseg.training.fit import cross_entropy, detection_loss, segmentation_loss, soft_dice


def batch(*values):
    """One 2x2 patch."""
    return np.array(values, np.float32).reshape(1, 2, 2, 1)


def test_cross_entropy_of_an_undecided_answer_is_log_2():
    assert float(cross_entropy(batch(0, 1, 1, 0), batch(0.5, 0.5, 0.5, 0.5))) == pytest.approx(math.log(2), abs=1e-6)


def test_soft_dice_by_hand():
    # overlap 2 * (1 * 0.5 + 1 * 1) = 3; squares 2 + (0.25 + 1 + 0.25) = 3.5; one pixel on both sides.
    value = float(soft_dice(batch(1, 1, 0, 0), batch(0.5, 1, 0, 0.5)))
    assert value == pytest.approx((3 + 1) / (3.5 + 1), abs=1e-6)


@pytest.mark.parametrize("target", [batch(0, 0, 0, 0), batch(1, 1, 0, 0), batch(0.3, 0.7, 0, 1)])
def test_soft_dice_of_a_met_target_is_one(target):
    assert float(soft_dice(target, target)) == pytest.approx(1, abs=1e-6)


def test_segmentation_loss_joins_both():
    target, answer = batch(1, 1, 0, 0), batch(0.5, 0.5, 0.5, 0.5)
    expected = 2 * math.log(2) + 1 - (2 + 1) / (2 + 1 + 1)
    assert float(segmentation_loss(target, answer)) == pytest.approx(expected, abs=1e-5)


def test_detection_loss_is_ten_times_the_cross_entropy():
    target, answer = batch(1, 0, 0, 0), batch(0.5, 0.5, 0.5, 0.5)
    assert float(detection_loss(target, answer)) == pytest.approx(10 * math.log(2), abs=1e-5)


def test_certain_and_wrong_answers_stay_finite():
    assert np.isfinite(float(segmentation_loss(batch(1, 1, 1, 1), batch(0, 0, 0, 0))))
