"""Laws of structures inside the cord: they never leave it, and are measured by counting voxels."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bids_deepseg.errors import ImageError
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.networks.predictor import StructureModel
from bids_deepseg.stages.metrics import measure_cord
from bids_deepseg.stages.structure import COLUMNS, confine, measure_structure, middle_of_cord
from bids_deepseg.structures.find import FINDERS, JUDGES, find_structure
from bids_deepseg.structures.grey import judge_grey, standardise_by_volume
from bids_deepseg.structures.lesion import LESION_THRESHOLD
from bids_deepseg.structures.tasks import TASKS
from tests.helpers.phantoms import ALL_AXCODES, FakePredictor, grid_of, tube
from tests.helpers.scaled_predictors import ScaledFake

GREY_RADIUS_MM = 2.0


def phantom(shape=(48, 48, 6), zooms=(0.5, 0.5, 3.0), *, radius_mm=5.0, slope=(0.0, 0.0)):
    """Return an image of a bright tube, grey matter, in a wider one on dark ground, with the mask of the cord."""
    grid = grid_of(shape, zooms)
    cord, grey = (tube(grid, radius_mm=r, slope=slope, supersample=3) for r in (radius_mm, GREY_RADIUS_MM))
    data = 50 * cord.data + 50 * grey.data
    return Volume(data.astype(np.float32), grid), Volume((cord.data >= 0.5).astype(np.uint8), grid)


def brightest(patches):
    """Mark what is brighter than the middle between white and grey matter of the phantom."""
    low, high = (np.percentile(patches, q, axis=(1, 2), keepdims=True) for q in (1, 99))
    return (patches - low > 0.75 * (high - low)).astype(np.float32)


def everywhere(patches):
    return np.ones_like(patches)


def model(function=brightest, **more):
    return StructureModel(FakePredictor(function, patch_shape=(64, 64), zoom_mm=0.3), **more)


def metrics_of(cord, native):
    canonical = reorient(cord, ("L", "A", "S"))
    return measure_cord(canonical, Volume(canonical.data.astype(np.float32), canonical.grid), native)


def find(image, cord, found_by):
    return find_structure("gm", image, cord, metrics_of(cord, image.grid), found_by)


@given(seed=st.integers(0, 2**32 - 1), threshold=st.floats(0.0, 1.0))
@settings(max_examples=30, deadline=None)
def test_a_structure_never_leaves_the_cord(seed, threshold):
    rng = np.random.default_rng(seed)
    grid = grid_of((6, 5, 4))
    cord = Volume((rng.uniform(size=grid.shape) < 0.5).astype(np.uint8), grid)
    given_probability = Volume(rng.uniform(size=grid.shape).astype(np.float32), grid)
    probability, mask = confine(given_probability, cord, threshold=threshold)
    assert not mask.data[cord.data == 0].any()
    assert not probability.data[cord.data == 0].any()
    for index in np.ndindex(grid.shape):
        wanted = cord.data[index] and given_probability.data[index] >= threshold
        assert mask.data[index] == wanted


@pytest.mark.parametrize("is_published", [False, True])
def test_a_network_that_answers_everywhere_gives_the_cord_itself(is_published):
    image, cord = phantom()
    structure = find(image, cord, model(everywhere, is_published=is_published))
    np.testing.assert_array_equal(structure.mask.data, cord.data)


@pytest.mark.parametrize("codes", ALL_AXCODES[::7])
def test_grey_matter_is_found_in_any_orientation_and_comes_back_on_the_native_grid(codes):
    image, cord = phantom()
    turned_image, turned_cord = reorient(image, codes), reorient(cord, codes)
    structure = find(turned_image, turned_cord, model())
    assert structure.mask.grid is turned_image.grid
    expected = find(image, cord, model()).mask
    back = reorient(structure.mask, image.grid.axcodes).data
    # Resampling may put a voxel of the border on the other side.
    assert np.count_nonzero(back != expected.data) <= 0.02 * expected.data.sum()


def test_the_area_is_that_of_the_tube():
    image, cord = phantom()
    structure = find(image, cord, model())
    area = structure.measures["area_mm2"]
    np.testing.assert_allclose(area, np.pi * GREY_RADIUS_MM**2, rtol=0.15)
    np.testing.assert_allclose(structure.measures["cord_fraction"], (GREY_RADIUS_MM / 5) ** 2, rtol=0.2)
    assert structure.verdict == "pass"


@given(seed=st.integers(0, 2**32 - 1), codes=st.sampled_from(ALL_AXCODES))
@settings(max_examples=25, deadline=None)
def test_measures_are_those_of_counting_voxels(seed, codes):
    rng = np.random.default_rng(seed)
    cord = reorient(phantom(zooms=(0.5, 0.7, 3.0), slope=(0.2, 0.1))[1], codes)
    mask = Volume((cord.data * (rng.uniform(size=cord.grid.shape) < 0.3)).astype(np.uint8), cord.grid)
    probability = Volume(rng.uniform(size=cord.grid.shape).astype(np.float32), cord.grid)
    cord_metrics = metrics_of(cord, cord.grid)
    measures = measure_structure(mask, probability, cord_metrics, cord.grid)
    assert list(measures) == list(COLUMNS)
    axis = next(axis for axis, code in enumerate(codes) if code in "SI")
    for row, number in enumerate(measures["slice"].astype(int)):
        inside = mask.data.take(number, axis) > 0
        np.testing.assert_allclose(measures["area_uncorrected_mm2"][row], inside.sum() * 0.5 * 0.7, rtol=1e-5)
        share = inside.sum() / cord.data.take(number, axis).sum()
        np.testing.assert_allclose(measures["cord_fraction"][row], share, rtol=1e-5)
        if inside.any():
            mean = probability.data.take(number, axis)[inside].mean()
            np.testing.assert_allclose(measures["probability_mean"][row], mean, rtol=1e-5)


def test_slices_without_cord_have_no_measures_and_those_without_structure_have_the_area_zero():
    image, cord = phantom()
    data = cord.data.copy()
    data[..., 0] = 0
    cord = Volume(data, cord.grid)
    empty = Volume(np.zeros_like(data), cord.grid)
    measures = measure_structure(
        empty, Volume(empty.data.astype(np.float32), cord.grid), metrics_of(cord, cord.grid), image.grid
    )
    assert np.isnan(measures["area_mm2"][0])
    assert (measures["area_mm2"][1:] == 0).all()
    assert np.isnan(measures["probability_mean"]).all()


def test_the_middle_of_the_cord_is_interpolated_over_gaps():
    grid = grid_of((40, 40, 9))
    data = (tube(grid, slope=(0.5, 0.0)).data >= 0.5).astype(np.uint8)
    whole = middle_of_cord(Volume(data, grid))
    data[..., 3:6] = 0
    gapped = middle_of_cord(Volume(data, grid))
    np.testing.assert_array_equal(whole.k, gapped.k)
    np.testing.assert_allclose(whole.ij, gapped.ij, atol=0.1)


def test_an_empty_cord_has_no_middle():
    grid = grid_of((8, 8, 3))
    with pytest.raises(ValueError, match="empty"):
        middle_of_cord(Volume(np.zeros(grid.shape, np.uint8), grid))


def judged(fractions):
    return {found.code: found.severity for found in judge_grey({"cord_fraction": np.array(fractions)})}


def test_the_judge_of_grey_matter_says_what_is_unusual():
    assert judged([np.nan, 0.16, 0.18, 0.14]) == {}
    assert judged([0.0, 0.0, np.nan]) == {"gm-empty": "fail"}
    assert judged([0.0, 0.16, 0.16, 0.16]) == {"gm-missing": "warn"}
    assert judged([0.0, 0.0, 0.0, 0.16]) == {"gm-missing": "fail"}
    assert judged([0.5, 0.16, 0.16, 0.16]) == {"gm-range": "warn"}
    assert judged([0.5, 0.01, 0.6, 0.16]) == {"gm-range": "fail"}


def test_published_networks_see_the_mean_and_spread_of_all_valid_pixels():
    rng = np.random.default_rng(0)
    values = rng.normal(300, 40, (3, 8, 8)).astype(np.float32)
    valid = rng.uniform(size=values.shape) < 0.8
    standard = standardise_by_volume(values, valid)
    assert not standard[~valid].any()
    np.testing.assert_allclose(standard[valid].mean(), 0, atol=1e-5)
    np.testing.assert_allclose(standard[valid].std(), 1, atol=1e-5)
    assert not standardise_by_volume(values, np.zeros_like(valid)).any()


def test_a_published_network_is_thresholded_on_its_own_pixels():
    image, cord = phantom()

    def below(patches):
        return np.full_like(patches, 0.998)

    published = StructureModel(FakePredictor(below, (64, 64), 0.3, threshold=0.999), is_published=True)
    assert not find(image, cord, published).mask.data.any()
    assert find(image, cord, model(below)).mask.data.any()


def lesion_model(name, mark):
    def predict(patches):
        return np.full(patches.shape, mark, np.float32)

    return StructureModel(ScaledFake(predict, (48, 48, 48), threshold=0.1), name, is_published=True)


def test_lesions_are_confined_to_the_cord_counted_and_may_be_absent():
    image, cord = phantom()
    metrics = metrics_of(cord, image.grid)
    full = find_structure("lesion", image, cord, metrics, lesion_model("t2s_lesion", 0.8))
    assert not full.mask.data[cord.data == 0].any()
    assert (full.n_objects, full.verdict) == (1, "pass")
    none = find_structure("lesion", image, cord, metrics, lesion_model("t2s_lesion", 0.05))
    assert (int(none.mask.data.sum()), none.n_objects, none.verdict) == (0, 0, "pass")
    assert TASKS["lesion"].threshold == LESION_THRESHOLD


def test_the_axial_lesion_network_refuses_volumes_of_thin_slices():
    image, cord = phantom(shape=(40, 40, 12), zooms=(1.0, 1.0, 1.0))
    with pytest.raises(ImageError, match="t2_ax_lesion is made for axial slices"):
        find_structure("lesion", image, cord, metrics_of(cord, image.grid), lesion_model("t2_ax_lesion", 0.8))


def test_each_task_has_a_finder_a_judge_and_products_of_its_own():
    assert set(FINDERS) == set(JUDGES) == set(TASKS)
    products = [product for task in TASKS.values() for product in task.products]
    assert len(set(products)) == 3 * len(TASKS)
    assert all(name == task.name for name, task in TASKS.items())
