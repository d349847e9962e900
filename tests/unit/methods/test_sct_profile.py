"""The reference method as a whole, with predictors that need no network: its ways, its quirks, its errors."""

import numpy as np
import pytest

from bids_deepseg.errors import CordNotFoundError, EmptyMaskError, ImageError, NetworkError, UsageError
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.resample import working_grid
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.methods.optic.centerline import svm_centerline
from bids_deepseg.methods.optic.model import read_own_model
from bids_deepseg.methods.sct.centerlines import course_by_scan, course_of_mask, course_of_points
from bids_deepseg.methods.sct.networks import SctNetworks, load_sct_networks, needs_optic, network_names
from bids_deepseg.methods.sct.scan import pad_to_tiles, scan_slices
from bids_deepseg.methods.sct.segment import segment_sct
from bids_deepseg.methods.sct.settings import SctSettings
from tests.helpers.phantoms import dice, grid_of, tube
from tests.helpers.scaled_predictors import ScaledFake
from tests.helpers.sct_phantoms import SHAPE, bright, image, line_of


def networks(segmenter=None, **parts):
    return SctNetworks(segmenter or ScaledFake(bright), **parts)


@pytest.mark.parametrize("zooms", [(1.0, 1.0, 1.0), (0.45, 0.6, 4.0), (1.3, 0.9, 2.0)])
@pytest.mark.parametrize("quirks", ["fixed", "all"])
def test_a_tube_is_segmented_around_a_given_line(zooms, quirks):
    grid = grid_of(SHAPE, zooms)
    result = segment_sct(
        image(grid), networks(), SctSettings(contrast="t2", centerline="file", quirks=quirks), given=line_of(grid)
    )
    truth = tube(grid, slope=(0.1, -0.15), supersample=3).data > 0.5
    # Only what lies in the windows of 32 mm can be found, and is here.
    assert dice(result.mask.data > 0, truth) > 0.93
    assert result.mask.grid is result.probability.grid
    assert result.centerline.k.tolist() == list(range(grid.shape[2]))


@pytest.mark.parametrize("axcodes", [("P", "S", "R"), ("R", "A", "S"), ("I", "L", "P")])
def test_the_orientation_of_the_axes_changes_nothing(axcodes):
    plain = image(grid_of(SHAPE))
    settings = SctSettings(contrast="t2", centerline="file")
    expected = segment_sct(plain, networks(), settings, given=line_of(plain.grid))
    turned = reorient(plain, axcodes)
    found = segment_sct(turned, networks(), settings, given=line_of(plain.grid))
    np.testing.assert_array_equal(reorient(found.mask, ("L", "A", "S")).data, expected.mask.data)
    np.testing.assert_array_equal(found.mask.grid.affine, turned.grid.affine)


def test_a_mask_and_the_points_of_a_centerline_give_the_same_windows():
    grid = grid_of(SHAPE)
    points = np.clip(np.rint(grid.world_to_voxel(line_of(grid))).astype(int), 0, np.array(SHAPE) - 1)
    drawn = np.zeros(SHAPE, np.uint8)
    drawn[tuple(points.T)] = 1
    for quirks in (False, True):
        from_mask = course_of_mask(Volume(drawn, grid), grid, all_quirks=quirks).course
        from_points = course_of_points(grid.voxel_to_world(points), grid).course
        np.testing.assert_array_equal(from_mask.k, from_points.k)
        np.testing.assert_array_equal(from_mask.ij.astype(int), from_points.ij.astype(int))


def test_a_centerline_on_other_voxels_is_placed_by_its_affine_without_quirks():
    grid = grid_of(SHAPE)
    other = Grid((30, 33, 20), np.diag([2.0, 1.8, 1.1, 1]) @ np.array(grid_of((30, 33, 20)).affine))
    thin = tube(other, radius_mm=1.2, slope=(0.1, -0.15), supersample=3)
    course = course_of_mask(thin, grid, all_quirks=False).course
    expected = working_grid(grid).world_to_voxel(line_of(grid))[course.k, :2]
    assert np.abs(course.ij - expected).max() < 2.5
    with pytest.raises(ImageError, match="must have the same field of view"):
        course_of_mask(thin, grid, all_quirks=True)


def test_slices_without_given_line_stay_empty():
    grid = grid_of(SHAPE)
    found = segment_sct(
        image(grid), networks(), SctSettings(contrast="t2", centerline="viewer"), given=line_of(grid)[3:9]
    )
    assert np.flatnonzero(found.mask.data.any((0, 1))).tolist() == list(range(3, 9))


def test_the_scan_finds_the_tube():
    # Thick enough to fill more than 2 % of the padded image: otherwise the scale hides it (Q12).
    grid = grid_of((56, 60, 8), (1.0, 1.0, 3.0))
    settings = SctSettings(contrast="t2s", centerline="cnn")
    detector = ScaledFake(bright, (80, 80))
    found = segment_sct(image(grid, radius_mm=8), networks(detector=detector), settings)
    assert dice(found.mask.data > 0, tube(grid, radius_mm=8, slope=(0.1, -0.15), supersample=3).data > 0.5) > 0.9
    ij = working_grid(grid).world_to_voxel(found.centerline.xyz)[:, :2]
    distance_mm = 0.5 * np.linalg.norm(ij - working_grid(grid).world_to_voxel(line_of(grid))[:, :2], axis=1)
    assert distance_mm.max() < 1


@pytest.mark.parametrize(("empty_above", "n_kept"), [(0, 6), (2, 5)])
def test_with_quirks_the_distance_maps_are_an_image_for_the_linear_detector(empty_above, n_kept):
    """Q1, and Q9: the last slice with a response is lost unless it is the top one."""
    grid = grid_of((80, 80, 6 + empty_above), (0.5, 0.5, 3.0))
    data = spot_image([(40, 40 + k) for k in range(6)] + [None] * empty_above)
    model = read_own_model("t2s")
    settings = SctSettings(contrast="t2s", centerline="cnn", quirks="all")
    found = course_by_scan(Volume(data, grid), FINDER, model, settings).course
    maps = Volume(scan_slices(data, FINDER, brain=False, all_quirks=True).distance, grid)
    np.testing.assert_array_equal(found.ij, svm_centerline(maps, model).ij[:n_kept])
    # Without quirks nothing is lost, and the line goes on where nobody looks for a brain.
    fixed = course_by_scan(Volume(data, grid), FINDER, None, SctSettings(contrast="t2s", centerline="cnn")).course
    assert len(fixed.k) == grid.shape[2]
    brain = SctSettings(contrast="t2s", centerline="cnn", brain=True)
    assert len(course_by_scan(Volume(data, grid), FINDER, None, brain).course.k) == 6
    np.testing.assert_array_equal(fixed.ij[:6, 0], 40)
    assert np.abs(fixed.ij[:6, 1] - 40 - np.arange(6)).max() <= 1


def test_a_soft_result_is_not_thresholded_before_it_is_resampled():
    grid = grid_of(SHAPE, (0.8, 0.8, 3.0))
    settings = SctSettings(contrast="t2", centerline="file", soft=True)
    network = ScaledFake(lambda x: np.where(x > 128, 0.4, 0), threshold=0.3)
    found = segment_sct(image(grid), networks(network), settings, given=line_of(grid))
    assert found.probability.data.max() == pytest.approx(0.4)
    np.testing.assert_array_equal(found.mask.data > 0, found.probability.data > 0.3)


def test_the_3d_kernel_runs_in_blocks_with_and_without_quirks():
    grid = grid_of((56, 60, 30))
    depths = []
    network = ScaledFake(lambda x: depths.append(x.shape[-1]) or bright(x), (64, 64, 16))
    truth = tube(grid, slope=(0.1, -0.15), supersample=3).data > 0.5
    n_blocks = {}
    for quirks in ("fixed", "all"):
        depths.clear()
        settings = SctSettings(contrast="t2", centerline="file", kernel="3d", quirks=quirks)
        found = segment_sct(image(grid), networks(network), settings, given=line_of(grid))
        assert dice(found.mask.data > 0, truth) > 0.93
        n_blocks[quirks] = len(depths)
    # 60 slices of 0.5 mm, or 30 of 1 mm.
    assert n_blocks == {"fixed": 4, "all": 2}


def test_the_2d_network_stands_in_for_dwi_with_a_warning():
    grid = grid_of(SHAPE)
    settings = SctSettings(contrast="dwi", centerline="file", kernel="3d")
    found = segment_sct(image(grid), networks(), settings, given=line_of(grid))
    assert ("kernel-2d", "warn") in [(finding.code, finding.severity) for finding in found.findings]


def test_nothing_above_the_threshold_is_an_error():
    grid = grid_of(SHAPE)
    with pytest.raises(EmptyMaskError, match="nothing of it is left above"):
        segment_sct(
            image(grid),
            networks(ScaledFake(lambda x: 0 * x)),
            SctSettings(contrast="t2", centerline="file"),
            given=line_of(grid),
        )


@pytest.mark.parametrize(("way", "given"), [("file", None), ("svm", np.zeros((2, 3)))])
def test_a_line_is_given_if_and_only_if_it_is_asked_for(way, given):
    with pytest.raises(UsageError, match="Give one for 'file' and 'viewer'"):
        segment_sct(image(grid_of(SHAPE)), networks(), SctSettings(contrast="t2", centerline=way), given=given)


# The scan


def spot_image(slices, shape=(80, 80)):
    """Return slices with a bright square at the given pixel each, None for none."""
    data = np.zeros((*shape, len(slices)), np.float32)
    for k, centre in enumerate(slices):
        if centre is not None:
            i, j = centre
            data[i - 10 : i + 11, j - 10 : j + 11, k] = 100
    return data


FINDER = ScaledFake(lambda x: (x > 60).astype(np.float32), (80, 80))


def responding(scan):
    return np.flatnonzero(scan.distance.any((0, 1))).tolist()


@pytest.mark.parametrize(("all_quirks", "found"), [(False, list(range(11, 16))), (True, None)])
def test_empty_slices_at_the_bottom_end_the_search_only_with_quirks(all_quirks, found):
    """Q8."""
    data = spot_image([None] * 11 + [(40, 40)] * 5)
    if found is None:
        with pytest.raises(CordNotFoundError, match="No cord was found"):
            scan_slices(data, FINDER, brain=True, all_quirks=True)
    else:
        assert responding(scan_slices(data, FINDER, brain=True, all_quirks=all_quirks)) == found
    assert responding(scan_slices(data, FINDER, brain=False, all_quirks=all_quirks)) == list(range(11, 16))


@pytest.mark.parametrize(
    ("all_quirks", "n_empty", "resumes"), [(False, 9, True), (False, 10, False), (True, 9, True), (True, 10, False)]
)
def test_the_search_ends_above_the_cord(all_quirks, n_empty, resumes):
    """Q9: with quirks the eleventh scan in a row ends it, and so does one that finds the cord."""
    data = spot_image([(40, 40)] * 4 + [None] * n_empty + [(40, 40)] * 2)
    scan = scan_slices(data, FINDER, brain=True, all_quirks=all_quirks)
    assert (scan.last == len(data[0, 0]) - 1) == resumes


def test_the_distance_map_is_that_of_each_slice():
    scan = scan_slices(spot_image([(40, 40), (30, 45)]), FINDER, brain=False, all_quirks=False)
    assert scan.distance[40, 40, 0] == 11
    assert scan.distance[30, 45, 1] == 11
    assert scan.distance[30, 36, 1] == 2


@pytest.mark.parametrize(("n_j", "dropped", "kept"), [(81, 80, 160), (159, 80, 160), (160, 160, 160), (60, 80, 80)])
def test_the_rest_in_front_is_dropped_only_with_quirks(n_j, dropped, kept):
    """Q7."""
    data = np.ones((90, n_j, 2), np.float32)
    assert pad_to_tiles(data, (80, 80), drop_anterior_rest=True).shape == (160, dropped, 2)
    assert pad_to_tiles(data, (80, 80), drop_anterior_rest=False).shape == (160, kept, 2)


def test_a_cord_in_front_of_the_last_whole_tile_is_found_only_without_quirks():
    data = spot_image([(40, 100)] * 3, (80, 120))
    data[:4] = 200
    finder = ScaledFake(lambda x: ((x > 100) & (x < 200)).astype(np.float32), (80, 80))
    assert responding(scan_slices(data, finder, brain=False, all_quirks=False)) == [0, 1, 2]
    with pytest.raises(CordNotFoundError):
        scan_slices(data, finder, brain=False, all_quirks=True)


def test_a_window_that_reaches_into_the_filling_is_pasted_at_its_place_only_without_quirks():
    """Q6: with 100 pixels the filling begins at 100, and a window around 95 at 56; the reference pastes it at 20."""
    data = spot_image([(88, 40)] * 2, (100, 80))
    fixed = scan_slices(data, FINDER, brain=False, all_quirks=False)
    assert fixed.distance[88, 40, 1] > 0
    quirky = scan_slices(data, FINDER, brain=False, all_quirks=True)
    assert quirky.distance[88, 40, 1] == 0
    moved = 80 + max(88 - 39, 0) - 100
    assert quirky.distance[88 - moved, 40, 1] > 0


def test_pixels_of_a_window_that_failed_are_standardised_twice_only_with_quirks():
    """Q5: the cord left the window's reach of what the network accepts, and the scan of the slice sees other values."""
    seen = []

    def remember(patches):
        seen.append(patches.copy())
        return (patches > 60).astype(np.float32)

    network = ScaledFake(remember, (80, 80), mean=10.0, std=2.0)
    data = spot_image([(40, 40), None])
    data[..., 1] = 20
    for all_quirks in (False, True):
        seen.clear()
        scan_slices(data, network, brain=False, all_quirks=all_quirks)
        # Slice 0 is scanned; slice 1 is tracked in vain, then scanned.
        assert len(seen) == 3
        once, second = seen[1], seen[2]
        expected = (once - 10) / 2 if all_quirks else once
        np.testing.assert_allclose(second, expected, rtol=1e-5)


# What is loaded


def test_the_networks_of_each_setting_are_named():
    assert network_names(SctSettings(contrast="t2")) == ("t2_sc",)
    assert network_names(SctSettings(contrast="t2s", kernel="3d", centerline="cnn")) == ("t2s_sc_3D", "t2s_ctr")
    assert network_names(SctSettings(contrast="dwi", kernel="3d")) == ("dwi_sc",)
    assert needs_optic(SctSettings(contrast="t2", centerline="cnn", quirks="all"))
    assert not needs_optic(SctSettings(contrast="t2", centerline="cnn"))
    assert not needs_optic(SctSettings(contrast="t2", centerline="file", quirks="all"))


def test_missing_networks_are_all_named(tmp_path):
    with pytest.raises(NetworkError, match=r"t1_sc_3D\.h5 and t1_ctr\.h5.*weights install"):
        load_sct_networks(tmp_path, SctSettings(contrast="t1", centerline="cnn", kernel="3d"))
