"""A number in a sentence never contradicts it."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.judge.rules import rules
from bids_deepseg.stages.findings import Measured
from bids_deepseg.stages.heatmap import DETECTION_THRESHOLD, Heatmap
from tests.helpers.phantoms import grid_of


@given(st.floats(-1e3, 1e3), st.sampled_from([0.5, 0.25, 10.0, 150.0]), st.sampled_from([".0f", ".1f", ".2f", ".0%"]))
def test_a_shown_number_lies_on_its_side_of_the_limit(value, limit, spec):
    text = format(Measured(value, limit), spec)
    shown = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    assert np.sign(shown - limit) == np.sign(value - limit) or value == limit


@pytest.mark.parametrize("largest", [0.498, 0.4999, 0.49999997, 0.3, 0.0])
def test_a_heat_below_the_threshold_is_shown_below_it(largest):
    heat = np.zeros((4, 4, 3), np.float32)
    heat[1, 1, 1] = largest
    with pytest.raises(CordNotFoundError) as caught:
        Heatmap(Volume(heat, grid_of(heat.shape)))
    shown = re.search(r"largest heat is ([0-9.e-]+), at least 0.5", str(caught.value))[1]
    assert float(shown) < DETECTION_THRESHOLD
    assert "0.498" in str(caught.value) or largest != 0.498


def test_the_judges_messages_show_values_beyond_the_limits_that_they_name():
    named = [rule for rule in rules() if "{limit" in rule.message]
    assert named
    for rule in named:
        for limit in filter(None, (rule.warn, rule.fail)):
            value = np.nextafter(limit, np.inf if rule.is_upper else -np.inf)
            shown, told = (
                float(n)
                for n in re.findall(r"\d+\.?\d*", rule.message.format(value=Measured(value, limit), limit=limit))[:2]
            )
            assert rule.passed(shown, told), rule.code
