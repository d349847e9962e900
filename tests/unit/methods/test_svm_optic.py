"""OptiC with the linear detector: laws on phantoms, and agreement with the reference's centerlines."""

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.errors import CordNotFoundError, UsageError
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.methods.optic.centerline import svm_centerline, svm_scores, to_detector_pixels, to_eight_bit
from bids_deepseg.methods.optic.model import SvmModel, read_own_model, read_published_model
from tests.helpers.phantoms import grid_of, tube


def neck(grid, *, slope=(0.0, 0.0), invert=False):
    """Return a dark cord in a bright canal in muscle, or with ``invert`` a bright cord in a dark canal."""
    cord = tube(grid, radius_mm=4.5, slope=slope, supersample=3).data
    canal = tube(grid, radius_mm=8, slope=slope, supersample=3).data
    fluid, white = (0.15, 0.7) if invert else (1.0, 0.35)
    image = 0.4 * (1 - canal) + fluid * (canal - cord) + white * cord
    return Volume((1000 * image).astype(np.float32), grid)


def cord_ij(grid, slope):
    """Return the in-plane voxels (K, 2) of the axis of the tube."""
    k = np.arange(grid.shape[2])
    z = grid.voxel_to_world(np.column_stack([0 * k, 0 * k, k]))[:, 2]
    return grid.world_to_voxel(np.column_stack([slope[0] * z, slope[1] * z, z]))[:, :2]


def errors_mm(line, grid, slope=(0.0, 0.0)):
    return np.hypot(*((line.ij - cord_ij(grid, slope)) * np.array(grid.zooms[:2])).T)


def model_with(weights, bias=0.0):
    return SvmModel(weights, bias, "t2", "0" * 64)


@pytest.mark.parametrize(("contrast", "invert"), [("t2", False), ("t2s", False), ("t1", True), ("dwi", True)])
@pytest.mark.parametrize(
    ("shape", "zooms"), [((64, 70, 20), (1, 1, 1)), ((120, 110, 6), (0.5, 0.5, 5)), ((48, 52, 4), (1.3, 1.1, 4))]
)
def test_own_models_find_a_plain_cord_in_every_slice(contrast, invert, shape, zooms):
    grid, slope = grid_of(shape, zooms), (0.1, -0.15)
    line = svm_centerline(neck(grid, slope=slope, invert=invert), read_own_model(contrast))
    np.testing.assert_array_equal(line.k, np.arange(shape[2]))
    assert errors_mm(line, grid, slope).max() < 2.5


def test_the_path_is_of_whole_pixels_and_its_heat_is_the_score_there():
    volume, model = neck(grid_of((50, 44, 5))), read_own_model("t2")
    line, scores = svm_centerline(volume, model), svm_scores(volume, model)
    i, j = line.ij.astype(int).T
    np.testing.assert_array_equal(line.ij, np.column_stack([i, j]))
    np.testing.assert_array_equal(line.heat, scores[i, j, line.k].astype(float))
    assert line.grid is volume.grid


def test_one_slice_is_enough():
    grid = grid_of((60, 60, 1), (1, 1, 5))
    assert errors_mm(svm_centerline(neck(grid), read_own_model("t2")), grid).max() < 2


def test_scaling_and_shifting_the_image_changes_nothing():
    volume, model = neck(grid_of((40, 44, 3))), read_own_model("t2")
    # A power of two and a shift without rounding.
    other = Volume(volume.data * 4 - 512, volume.grid)
    np.testing.assert_allclose(svm_scores(other, model), svm_scores(volume, model), atol=0.02)


def test_a_rougher_path_is_allowed_by_less_smoothness(rng):
    volume = Volume(rng.uniform(0, 100, (40, 40, 8)).astype(np.float32), grid_of((40, 40, 8)))
    model = model_with(rng.normal(0, 0.1, 576))
    length = [np.abs(np.diff(svm_centerline(volume, model, smoothness=s).ij, axis=0)).sum() for s in (1e-4, 1e-2, 100)]
    assert length[0] > length[1] > length[2] == 0


def test_a_step_costs_its_slope_in_mm(rng):
    """The path's cost equals the sum written down from the paper."""
    grid = grid_of((20, 24, 6), (0.8, 1.2, 3.0))
    volume = Volume(rng.uniform(0, 100, grid.shape).astype(np.float32), grid)
    model = model_with(rng.normal(0, 0.1, 576))
    line = svm_centerline(volume, model, smoothness=0.5)
    steps_mm = np.diff(line.xyz, axis=0)
    slope = (steps_mm[:, 0] ** 2 + steps_mm[:, 1] ** 2) / steps_mm[:, 2] ** 2
    assert line.cost == pytest.approx(0.5 * slope.sum() - line.heat.sum(), rel=1e-6)


@pytest.mark.parametrize("smoothness", [0, -1, float("nan"), float("inf")])
def test_a_smoothness_that_is_not_positive_is_refused(smoothness):
    with pytest.raises(UsageError, match="A positive number is expected"):
        svm_centerline(neck(grid_of((20, 20, 2))), read_own_model("t2"), smoothness=smoothness)


def test_an_image_without_contrast_is_refused():
    grid = grid_of((20, 20, 2))
    with pytest.raises(CordNotFoundError, match="All voxels of the image have the value 3"):
        svm_centerline(Volume(np.full(grid.shape, 3, np.float32), grid), read_own_model("t2"))


def test_eight_bits_span_the_whole_range():
    data = np.array([-5.0, 0.0, 5.0]).reshape(3, 1, 1)
    assert to_eight_bit(data).ravel().tolist() == [0, 127, 255]


@pytest.mark.parametrize(
    ("n", "zoom", "expected"), [(49, np.float32(0.5), 24), (54, 0.5, 27), (7, 0.8, 6), (1, 0.3, 1), (10, 1.0, 10)]
)
def test_the_number_of_pixels_is_rounded_to_even(n, zoom, expected):
    assert to_detector_pixels(np.zeros((n, 3), np.float32), (float(zoom), 1.0)).shape == (expected, 3)


def test_pixels_of_one_mm_are_kept(rng):
    image = rng.uniform(0, 255, (13, 17)).astype(np.float32)
    np.testing.assert_array_equal(to_detector_pixels(image, (1.0, 1.0)), image)


def read(path):
    image = nib.load(path)
    data = np.asarray(image.dataobj, np.float32)
    return reorient(Volume(data, Grid(data.shape, image.affine)), ("L", "A", "S"))


def reference_distances_mm(shared_data, contrast, image, reference):
    volume, drawn = read(shared_data / image), read(shared_data / "reference" / reference)
    model = read_published_model(shared_data / "weights" / "optic" / f"{contrast}_model.yml")
    line = svm_centerline(volume, model)
    points = np.argwhere(drawn.data > 0)
    points = points[np.argsort(points[:, 2])]
    np.testing.assert_array_equal(points[:, 2], line.k)
    return np.hypot(*((line.ij - points[:, :2]) * np.array(volume.grid.zooms[:2])).T)


def test_published_t2_model_gives_the_voxels_of_the_reference(shared_data):
    distances = reference_distances_mm(
        shared_data, "t2", "dev/sub-dev03/anat/sub-dev03_T2w.nii.gz", "dev03_T2w_sct-centerline-optic.nii.gz"
    )
    assert len(distances) == 55
    assert (distances == 0).all()


def test_published_dwi_model_is_within_one_pixel_of_the_reference(shared_data):
    distances = reference_distances_mm(
        shared_data, "dwi", "reference/dev03_dwi-mean.nii.gz", "dev03_dwi-mean_sct-centerline-optic.nii.gz"
    )
    assert distances.max() < 0.85
    assert (distances == 0).sum() >= 4


def test_published_t2s_model_is_close_to_the_reference(shared_data):
    distances = reference_distances_mm(
        shared_data, "t2s", "dev/sub-dev03/anat/sub-dev03_T2starw.nii.gz", "dev03_T2starw_sct-centerline-optic.nii.gz"
    )
    # Which resampling the closed program uses is not known.
    assert distances.mean() < 0.6
    assert distances.max() < 1.2
