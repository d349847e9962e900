"""The profile with networks of the published architectures and random weights.

The files of the segmentation networks could not be had; files of their description (2.2 and 2.3 of the description of
the reference method), with their numbers of parameters, can be written. They go through the loader and the profile: 3D
networks that take channels first included.
"""

from dataclasses import replace

import numpy as np
import pytest

from bids_deepseg.methods.sct.networks import SctNetworks
from bids_deepseg.methods.sct.segment import segment_sct
from bids_deepseg.methods.sct.settings import SctSettings
from bids_deepseg.networks.legacy.build import build_legacy
from bids_deepseg.networks.legacy.h5 import read_legacy
from bids_deepseg.networks.published.predictor import PublishedPredictor
from bids_deepseg.networks.published.specs import published_spec
from tests.helpers.legacy_files import cord_2d, random_weights, to_bytes, volume_net
from tests.helpers.phantoms import grid_of
from tests.helpers.sct_phantoms import image, line_of


@pytest.mark.parametrize(
    ("name", "net", "kernel"),
    [
        ("t2_sc", cord_2d(3), "2d"),
        ("t1_sc", cord_2d(2), "2d"),
        ("t2_sc_3D", volume_net(24, 2, (64, 64, 48)), "3d"),
        ("t2s_sc_3D", volume_net(24, 2, (96, 96, 48)), "3d"),
    ],
)
def test_published_architectures_run_through_the_profile(name, net, kernel, rng):
    spec = published_spec(name)
    legacy = read_legacy(to_bytes(net, random_weights(net, rng)))
    assert (legacy.plan.patch_shape, legacy.plan.n_parameters) == (spec.patch_shape, spec.n_parameters)
    # Random weights know no cord: every answer counts.
    network = PublishedPredictor(replace(spec, threshold=0.0), build_legacy(legacy))
    grid = grid_of((60, 64, 5), (1.0, 1.0, 2.0))
    settings = SctSettings(contrast=spec.contrast, kernel=kernel, centerline="file", soft=True, quirks="all")
    found = segment_sct(image(grid), SctNetworks(network), settings, given=line_of(grid))
    # The windows are 32 or 48 mm wide; nothing lies outside them, and the network answers inside them.
    side = round(spec.patch_shape[0] * 0.5)
    columns = found.probability.data.any((1, 2)).sum(), found.probability.data.any((0, 2)).sum()
    assert all(side <= n <= side + 12 for n in columns)
    assert 0 < found.probability.data.max() <= 1
    assert np.isfinite(found.probability.data).all()
