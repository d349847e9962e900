"""Small rules of the reference method, each against a slow and obvious computation or a hand-made example."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.errors import ImageError, UsageError
from bids_deepseg.geometry.resample import resample, rounded_size, working_grid
from bids_deepseg.methods.sct.networks import predict_isotropic, predict_slices, scale_to_byte
from bids_deepseg.methods.sct.postprocess import (
    clean_slices,
    clean_volume,
    fill_holes,
    keep_one_object,
    list_holes,
    remove_blobs_above,
    remove_small_ends,
    slice_area_mm2,
)
from bids_deepseg.methods.sct.settings import SctSettings
from bids_deepseg.networks.batches import predict_blocks
from bids_deepseg.stages.crops import Course, cut_crops, paste_crops, window_start
from tests.helpers.phantoms import grid_of, tube
from tests.helpers.scaled_predictors import ScaledFake

ONE_MM = (1.0, 1.0, 1.0)


def random_mask(rng, shape=(12, 13), density=0.55):
    return rng.random(shape) < density


# Resampling


@given(n=st.integers(1, 600), centi_mm=st.integers(10, 400))
def test_the_number_of_pixels_is_rounded_with_halves_to_even(n, centi_mm):
    exact = Fraction(n * centi_mm, 50)
    # The header holds single precision.
    assert rounded_size(n, float(np.float32(centi_mm / 100))) == max(1, round(exact))


def test_first_voxels_coincide_and_the_spacing_is_that_of_the_rounded_number():
    old = grid_of((7, 10, 3), (0.8, 1.0, 5.0))
    new = working_grid(old)
    assert new.shape == (11, 20, 3)
    np.testing.assert_allclose(new.voxel_to_world([0, 0, 0]), old.voxel_to_world([0, 0, 0]))
    np.testing.assert_allclose(new.zooms, (5.6 / 11, 0.5, 5.0))


def test_resampling_interpolates_between_neighbours_and_repeats_the_border(rng):
    old = tube(grid_of((6, 5, 2)))
    old = type(old)(rng.random((6, 5, 2)).astype(np.float32), old.grid)
    new = resample(old, working_grid(old.grid))
    assert new.grid.shape == (12, 10, 2)
    np.testing.assert_allclose(new.data[::2, ::2], old.data, atol=1e-6)
    np.testing.assert_allclose(new.data[1:-1:2, ::2], (old.data[1:] + old.data[:-1]) / 2, atol=1e-6)
    np.testing.assert_allclose(new.data[-1, ::2], old.data[-1], atol=1e-6)
    np.testing.assert_allclose(resample(new, old.grid).data, old.data, atol=1e-6)


# Windows


@given(n=st.integers(1, 200), half=st.integers(1, 48), data=st.data())
def test_the_window_is_the_nearest_one_that_fits(n, half, data):
    centre = data.draw(st.integers(0, n - 1))
    wanted, size = centre - half + 1, 2 * half
    fitting = range(max(n - size, 0) + 1)
    assert window_start(centre, size, n) == min(fitting, key=lambda start: abs(start - wanted))


@pytest.mark.parametrize(("shape", "size"), [((20, 30), 8), ((5, 30), 8), ((5, 6), 8)])
def test_crop_and_paste_restore_the_windows(rng, shape, size):
    data = rng.random((*shape, 4)).astype(np.float32)
    ij = rng.uniform(0, 1, (3, 2)) * (np.array(shape) - 1)
    crops = cut_crops(data, Course(ij, np.array([0, 1, 3]), grid_of((*shape, 4))), (size, size))
    assert not crops.values[..., 2].any()
    back = paste_crops(crops.values, crops, data.shape)
    for point, k in zip(ij, (0, 1, 3), strict=True):
        low = [window_start(int(c), size, n) for c, n in zip(point, shape, strict=True)]
        expected = np.zeros(shape)
        block = (slice(low[0], low[0] + size), slice(low[1], low[1] + size))
        expected[block] = data[(*block, k)]
        np.testing.assert_array_equal(back[..., k], expected)
    assert not back[..., 2].any()


def test_centres_are_truncated():
    data = np.arange(20, dtype=np.float32)[:, None, None] * np.ones((1, 20, 1), np.float32)
    crops = cut_crops(data, Course(np.array([[9.99, 9.99]]), np.array([0]), grid_of((20, 20, 1))), (4, 4))
    assert crops.values[:, 0, 0].tolist() == [8, 9, 10, 11]


def test_scaling_counts_the_zeros_of_the_filling(rng):
    values = np.zeros((10, 10, 10), np.float32)
    values[..., :5] = rng.uniform(50, 100, (10, 10, 5))
    scaled = scale_to_byte(values)
    ordered = np.sort(values.ravel())
    # NumPy's percentile: linear between the two values next to rank p (n - 1).
    high = np.interp(0.98 * 999, np.arange(1000), ordered)
    np.testing.assert_allclose(scaled, 255 * np.minimum(values, high) / high, rtol=1e-5)


def test_values_without_spread_are_refused():
    with pytest.raises(ImageError, match="cannot be scaled"):
        scale_to_byte(np.zeros((4, 4, 4), np.float32))


# Clean-up of slices


def filled_by_flooding(mask):
    """Let the background in from outside, step by step through sides and corners."""
    outside = np.pad(~mask, 1, constant_values=True)
    reached = np.zeros_like(outside)
    stack = [(0, 0)]
    while stack:
        i, j = stack.pop()
        if 0 <= i < outside.shape[0] and 0 <= j < outside.shape[1] and outside[i, j] and not reached[i, j]:
            reached[i, j] = True
            stack += [(i + a, j + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    return ~reached[1:-1, 1:-1]


def test_holes_are_filled_as_flooding_through_corners_leaves_them(rng):
    for _ in range(60):
        mask = random_mask(rng)
        np.testing.assert_array_equal(fill_holes(mask), filled_by_flooding(mask))


def test_a_diagonal_gap_leaves_a_hole_open():
    ring = np.ones((5, 5), bool)
    ring[2, 2] = False
    assert fill_holes(ring).all()
    ring[1, 1] = ring[0, 0] = False
    assert not fill_holes(ring)[2, 2]


def objects_of(mask):
    """Return the sets of pixels connected through sides."""
    left, found = {tuple(p) for p in np.argwhere(mask)}, []
    while left:
        group, stack = set(), [min(left)]
        while stack:
            point = stack.pop()
            if point in left:
                left.remove(point)
                group.add(point)
                i, j = point
                stack += [(i + 1, j), (i - 1, j), (i, j + 1), (i, j - 1)]
        found.append(group)
    return found


def test_the_object_at_the_remembered_centre_is_kept_otherwise_the_largest(rng):
    n_at_centre = 0
    for _ in range(80):
        mask = random_mask(rng, density=0.4)
        centre = tuple(rng.uniform(0, 1, 2) * (np.array(mask.shape) - 1))
        pixel = tuple(np.rint(centre).astype(int))
        objects = objects_of(mask)
        chosen = next((group for group in objects if pixel in group), None)
        n_at_centre += chosen is not None
        kept = {tuple(p) for p in np.argwhere(keep_one_object(mask, centre))}
        if chosen is None:
            assert kept in objects
            assert len(kept) == max(map(len, objects))
        else:
            assert kept == chosen
    assert 10 < n_at_centre < 70


def test_the_centre_is_remembered_across_empty_slices():
    probability = np.zeros((20, 20, 4), np.float32)
    probability[2:6, 2:6, 0] = 0.9
    # Slices 1 and 2 are empty; in slice 3 the larger object is elsewhere.
    probability[2:5, 2:5, 3] = 0.9
    probability[10:18, 10:18, 3] = 0.9
    out = clean_slices(probability, 0.5)
    assert out[3, 3, 3] == 1
    assert out[12, 12, 3] == 0
    assert not out[..., 1:3].any()
    # Without slice 0 nothing is remembered.
    assert clean_slices(probability[..., 1:], 0.5)[12, 12, 2] == 1


def test_the_threshold_itself_is_not_cord():
    probability = np.full((3, 3, 1), 0.5, np.float32)
    assert not clean_slices(probability, 0.5).any()
    assert clean_slices(probability, 0.499).all()


# Blocks


@pytest.mark.parametrize("n", [1, 5, 6, 7, 12, 14])
def test_blocks_are_filled_with_zeros_before_they_are_standardised(rng, n):
    seen = []
    network = ScaledFake(lambda x: seen.append(x.copy()) or x / 10, (4, 4, 6), mean=3.0, std=2.0)
    volume = rng.uniform(1, 9, (4, 4, n)).astype(np.float32)
    volume[..., 6:12] = 0
    out = predict_blocks(volume, network)
    starts = [start for start in range(0, n, 6) if start != 6]
    assert len(seen) == len(starts)
    for block, start in zip(seen, starts, strict=True):
        expected = np.full((4, 4, 6), -1.5)
        part = volume[..., start : start + 6]
        expected[..., : part.shape[2]] = (part - 3) / 2
        np.testing.assert_allclose(block[0], expected, rtol=1e-6)
    expected = np.where(volume == 0, 0, (volume - 3) / 20)
    np.testing.assert_allclose(out, expected, rtol=1e-5, atol=1e-7)


def test_isotropic_blocks_give_back_what_changes_linearly():
    network = ScaledFake(lambda x: x, (2, 2, 4))
    ramp = np.arange(1, 8, dtype=np.float32) * np.ones((2, 2, 1), np.float32)
    # Slices of 1 mm become two of 0.5 mm and back.
    np.testing.assert_allclose(predict_isotropic(ramp, network, slice_mm=1.0), ramp, atol=1e-5)


def test_slices_without_window_are_not_predicted(rng):
    network = ScaledFake(np.ones_like, (4, 4))
    data = rng.random((9, 9, 5)).astype(np.float32)
    crops = cut_crops(data, Course(np.full((2, 2), 4.0), np.array([1, 3]), grid_of((9, 9, 5))), (4, 4))
    out = predict_slices(crops.values, crops, network)
    assert out.any((0, 1)).tolist() == [False, True, False, True, False]


# Clean-up of the volume


def boxes(*parts, shape=(24, 24, 20)):
    """Return a mask of boxes (first slice, one past the last, first pixel, side)."""
    mask = np.zeros(shape, bool)
    for first, end, start, side in parts:
        mask[start : start + side, start : start + side, first:end] = True
    return mask


@pytest.mark.parametrize(
    ("blob", "removed"),
    [
        ((12, 13, 18, 4), True),  # 16 voxels of 250, above
        ((12, 14, 18, 4), False),  # 32 voxels: more than a tenth
        ((12, 13, 18, 5), False),  # 25 voxels: a tenth
        ((0, 1, 18, 4), False),  # below
        ((9, 10, 18, 4), False),  # beside
    ],
)
def test_small_objects_above_the_largest_are_removed(blob, removed):
    cord = boxes((1, 11, 4, 5))
    cleaned = remove_blobs_above(cord | boxes(blob))
    np.testing.assert_array_equal(cleaned, cord if removed else cord | boxes(blob))


def test_objects_that_touch_in_a_corner_are_two():
    mask = boxes((0, 4, 4, 5))
    mask[9, 9, 4] = True
    assert not remove_blobs_above(mask)[9, 9, 4]


@given(present=st.lists(st.booleans(), min_size=1, max_size=20), slice_mm=st.sampled_from([1.0, 2.5, 3.0, 5.0]))
def test_holes_are_short_runs_between_slices(present, slice_mm):
    mask = np.ones((2, 2, 1), bool) & np.array(present)
    text = "".join("#" if each else "." for each in present).strip(".")
    offset = present.index(True) if any(present) else 0
    runs, start = [], None
    for k, sign in enumerate(text):
        if sign == "." and start is None:
            start = k
        if sign == "#" and start is not None:
            if (k - start + 1) * slice_mm < 10:
                runs.append((start + offset, k + offset))
            start = None
    assert list_holes(mask, slice_mm, drop_first=False) == runs


def test_holes_are_filled_by_the_union_of_their_neighbours_only_without_quirks():
    cord = boxes((2, 6, 4, 8), (9, 14, 6, 8))
    fixed = clean_volume(cord.astype(np.float32), ONE_MM, all_quirks=False)
    union = cord[..., 5] | cord[..., 9]
    for k in (6, 7, 8):
        np.testing.assert_array_equal(fixed.data[..., k] > 0, union)
    assert np.flatnonzero(fixed.filled).tolist() == [6, 7, 8]
    quirky = clean_volume(cord.astype(np.float32), ONE_MM, all_quirks=True)
    np.testing.assert_array_equal(quirky.data > 0, cord)
    assert not quirky.filled.any()


def test_holes_in_a_probability_get_the_larger_neighbour():
    soft = boxes((2, 6, 4, 8)) * np.float32(0.4) + boxes((8, 14, 4, 8)) * np.float32(0.8)
    fixed = clean_volume(soft, ONE_MM, all_quirks=False)
    assert fixed.data[6, 6, 7] == pytest.approx(0.8)
    assert fixed.data[6, 6, 3] == pytest.approx(0.4)


def test_the_first_empty_slice_is_forgotten_with_quirks():
    mask = boxes((0, 2, 4, 5), (4, 6, 4, 5), (7, 9, 4, 5))
    assert list_holes(mask, 1.0, drop_first=False) == [(2, 4), (6, 7)]
    assert list_holes(mask, 1.0, drop_first=True) == [(3, 4), (6, 7)]


def ends_by_rule(mask, *, first_five_from_zero):
    """Write down the rule for the ends with counted pixels instead of resampled areas."""
    counts = mask.sum((0, 1)).astype(float)
    present = np.flatnonzero(counts)
    first, last = present[0], present[-1]
    if first_five_from_zero:
        lower = [counts[k] or np.nan for k in range(first, 5)]
        upper = [counts[k] or np.nan for k in range(last - 4, last + 1)] if last >= 4 else []
    else:
        lower = [counts[k] for k in range(first, min(first + 5, last + 1)) if counts[k]]
        upper = [counts[k] for k in range(max(last - 4, first), last + 1) if counts[k]]
    gone = set()
    for k, window in ((first, lower), (last, upper)):
        if window and not np.isnan(window).any() and counts[k] < np.median(window) / 2:
            gone.add(int(k))
    return gone


@pytest.mark.parametrize("all_quirks", [False, True])
def test_small_slices_at_the_ends_are_removed(rng, all_quirks):
    n_removed = 0
    for _ in range(60):
        n, first = rng.integers(1, 12), rng.integers(0, 8)
        mask = np.zeros((30, 30, 20), bool)
        for k in range(first, first + n):
            # Sides of 4 or 12 pixels: areas that no rounding of the resampling confuses.
            side = rng.choice([0, 4, 12], p=[0.05, 0.35, 0.6])
            mask[5 : 5 + side, 5 : 5 + side, k] = True
        if not mask.any():
            continue
        out = remove_small_ends(mask, ONE_MM, all_quirks=all_quirks)
        gone = set(np.flatnonzero(mask.any((0, 1)) & ~out.any((0, 1))).tolist())
        assert gone == ends_by_rule(mask, first_five_from_zero=all_quirks)
        assert (out <= mask).all()
        n_removed += len(gone)
    assert n_removed > 5


def test_the_lower_end_is_not_tested_above_slice_four_with_quirks():
    mask = boxes((6, 7, 10, 3), (7, 14, 6, 12))
    assert not remove_small_ends(mask, ONE_MM, all_quirks=False)[..., 6].any()
    assert remove_small_ends(mask, ONE_MM, all_quirks=True)[..., 6].any()


def test_the_area_is_that_of_the_pixels():
    # A pixel of 1 mm, interpolated: (1 - |x|) (1 - |y|) > 1/2 holds on an area of 2 - 2 log 2.
    assert slice_area_mm2(np.pad(np.ones((1, 1), bool), 5), ONE_MM) == pytest.approx(2 - 2 * np.log(2), rel=0.1)
    disc = np.hypot(*np.mgrid[-15:16, -15:16]) < 10
    assert slice_area_mm2(disc, (0.5, 0.8, 3.0)) == pytest.approx(disc.sum() * 0.4, rel=0.02)
    assert slice_area_mm2(np.zeros((4, 4), bool), ONE_MM) == 0


# Settings


@pytest.mark.parametrize(
    "settings",
    [
        {"contrast": "pd"},
        {"contrast": "t2", "centerline": "hough"},
        {"contrast": "t2", "threshold": 1.5},
        {"contrast": "t2", "threshold": 0.5, "soft": True},
        {"contrast": "t2", "brain": True},
        {"contrast": "t2", "quirks": "some"},
    ],
)
def test_impossible_settings_are_refused(settings):
    with pytest.raises(UsageError):
        SctSettings(**settings)


def test_the_threshold_of_the_table_is_for_2d_networks():
    assert SctSettings(contrast="t1").threshold_of(0.15) == 0.15
    assert SctSettings(contrast="t1", kernel="3d").threshold_of(0.15) == 0.5
    assert SctSettings(contrast="t1", kernel="3d", quirks="all").threshold_of(0.15) == 0.15
    assert SctSettings(contrast="t1", kernel="3d", threshold=0.3).threshold_of(0.15) == 0.3
    # There is no 3D network for dwi.
    assert SctSettings(contrast="dwi", kernel="3d").used_kernel == "2d"
