"""The extent of a mask is that of its voxels, in any orientation, of the whole image or of some of its slices."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.geometry.grid import CANONICAL_AXCODES
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.rescue.images import some_slices
from bids_deepseg.stages.extent import MOST_SLICES, extent_of
from tests.helpers.phantoms import oblique

AXCODES = [codes for letters in itertools.permutations(("RL", "AP", "SI")) for codes in itertools.product(*letters)]


def boxes_of(canonical):
    """Return the extent of every slice between the first and the last one with a mask, voxel by voxel."""
    present = np.flatnonzero(canonical.any((0, 1)))
    rows = {}
    for k in range(present[0], present[-1] + 1):
        voxels = np.argwhere(canonical[..., k])
        rows[k] = (
            (k, *(int(n) for pair in zip(voxels.min(0), voxels.max(0), strict=True) for n in pair))
            if len(voxels)
            else (k,)
        )
    return rows


@given(
    st.tuples(st.integers(1, 12), st.integers(1, 12), st.integers(1, 120)),
    st.sampled_from(AXCODES),
    st.integers(0, 2**32 - 1),
    st.sampled_from([0.002, 0.05, 1.0]),
)
def test_each_kept_slice_tells_the_first_and_the_last_voxel_of_the_mask(shape, axcodes, seed, share):
    values = (np.random.default_rng(seed).random(shape) < share).astype(np.uint8)
    mask = reorient(Volume(values, oblique(shape, (0.7, 0.9, 2.0))), axcodes)
    found = extent_of(mask, mask.grid)
    canonical = reorient(mask, CANONICAL_AXCODES).data
    if not canonical.any():
        assert found == ()
        return
    rows = boxes_of(canonical)
    assert len(found) <= MOST_SLICES
    assert [rows[row[0]] for row in found] == list(found)
    assert {found[0][0], found[-1][0]} == {min(rows), max(rows)}
    if len(rows) <= MOST_SLICES:
        assert {row[0]: row for row in found} == rows
    # What is kept goes into a sidecar.
    assert all(type(n) is int for row in found for n in row)


@pytest.mark.parametrize("axcodes", AXCODES[::3], ids="".join)
def test_slices_of_a_part_of_the_image_have_their_numbers_in_the_image(axcodes):
    values = np.random.default_rng(1).random((9, 8, 60)).astype(np.float32)
    image = reorient(Volume(values, oblique((9, 8, 60), (0.7, 0.9, 2.0))), axcodes)
    few = some_slices(image)
    mask = Volume((few.data > 0.9).astype(np.uint8), few.grid)
    whole = boxes_of(reorient(Volume((image.data > 0.9).astype(np.uint8), image.grid), CANONICAL_AXCODES).data)
    found = extent_of(mask, image.grid)
    assert len(found) > 5
    assert [whole[row[0]] for row in found] == list(found)
