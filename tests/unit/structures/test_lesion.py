"""The way of the lesion networks: their scale, their windows and their voxels, with networks of one rule."""

import numpy as np
import pytest

from bids_deepseg.errors import NetworkError
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.networks.published.specs import PUBLISHED
from bids_deepseg.structures.lesion import LANDMARKS, contrast_of_lesion_network, find_lesions, lesion_landmarks
from tests.helpers.phantoms import grid_of, tube
from tests.helpers.scaled_predictors import ScaledFake


@pytest.mark.parametrize("zooms", [(0.5, 0.5, 2.0), (0.6, 0.6, 3.5), (1.0, 1.0, 1.0)])
def test_a_spot_in_the_cord_is_found_at_its_place(zooms):
    grid = grid_of((60, 64, 14), zooms)
    cord = tube(grid, radius_mm=6, slope=(0.1, 0.2))
    spot = tube(grid, radius_mm=2.5, slope=(0.1, 0.2)).data * (np.arange(14) > 2) * (np.arange(14) < 11)
    noise = np.random.default_rng(0).uniform(0, 20, grid.shape)
    image = Volume((100 * cord.data + 200 * spot + noise).astype(np.float32), grid)
    # The spot takes 2 % of the windows, so its brightness is the last landmark, and the cord's the one before.
    network = ScaledFake(lambda x: (x > 2250) * 0.8 + (x <= 2250) * 0.1, (48, 48, 48))
    found = find_lesions(image, Volume((cord.data > 0.5).astype(np.uint8), grid), network, LANDMARKS["t2_ax"])
    assert found.grid is grid
    assert found.data.max() == pytest.approx(0.8, abs=1e-5)
    # Values of 0.1 are not above the threshold, and so are 0.
    assert found.data.min() == 0
    inside = found.data[(spot > 0.9) & (cord.data > 0.9)]
    assert (inside > 0.4).mean() > 0.85
    outside = found.data[(tube(grid, radius_mm=4.5, slope=(0.1, 0.2)).data == 0) | (np.abs(np.arange(14) - 6.5) > 5)]
    assert outside.max() < 0.5


def test_the_network_sees_its_own_scale_in_blocks_of_its_size():
    grid = grid_of((40, 40, 30), (0.5, 0.5, 1.0))
    seen = []
    network = ScaledFake(lambda x: seen.append(x.copy()) or 0 * x, (48, 48, 48), mean=500.0, std=250.0)
    cord = tube(grid, radius_mm=4)
    image = Volume(np.random.default_rng(0).uniform(50, 900, grid.shape).astype(np.float32), grid)
    found = find_lesions(image, Volume((cord.data > 0.5).astype(np.uint8), grid), network, LANDMARKS["t2s"])
    assert not found.data.any()
    # 30 slices of 1 mm are 60 of 0.5 mm: two blocks, the second filled up.
    assert [block.shape for block in seen] == [(1, 48, 48, 48)] * 2
    np.testing.assert_allclose(seen[1][..., 12:], -2)
    low, high = (np.array([-523, 2611 + 532]) - 500) / 250
    assert low <= seen[0].min() < seen[0].max() <= high


def test_every_network_of_the_table_has_landmarks():
    for spec in PUBLISHED:
        if spec.task == "lesion":
            assert len(lesion_landmarks(spec.name)) == 11
    for landmarks in LANDMARKS.values():
        assert (np.diff(landmarks) > 0).all()
    with pytest.raises(NetworkError, match="Known: t2_lesion, t2_ax_lesion, t2s_lesion"):
        lesion_landmarks("t1_lesion")


@pytest.mark.parametrize(
    ("contrast", "zooms", "expected"),
    [("t2", (0.5, 0.5, 3.0), "t2_ax"), ("t2", (1, 1, 1), "t2"), ("t2", (3, 0.7, 0.7), "t2"), ("t2s", (1, 1, 5), "t2s")],
)
def test_thick_axial_slices_have_a_network_of_their_own(contrast, zooms, expected):
    assert contrast_of_lesion_network(contrast, tube(grid_of((9, 9, 9), zooms))) == expected


@pytest.mark.parametrize("contrast", ["t1", "dwi", None])
def test_other_contrasts_are_refused(contrast):
    with pytest.raises(NetworkError, match="No lesion network was published"):
        contrast_of_lesion_network(contrast, tube(grid_of((9, 9, 9))))
