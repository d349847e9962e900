"""The whole method with simple functions in place of the networks."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume, reorient
from bids_deepseg.networks.predictor import Models
from bids_deepseg.options.method import MethodSettings
from bids_deepseg.pipeline import segment
from bids_deepseg.stages.border import INSET_MM
from bids_deepseg.stages.probability import sharpen
from tests.helpers.phantoms import ALL_AXCODES, FakePredictor, bright_is_cord, bright_is_hot, grid_of, tube

MODELS = Models(FakePredictor(bright_is_hot, (64, 64), 1.0), FakePredictor(bright_is_cord, (64, 64), 0.5))


def tilted_tube(zooms=(1.0, 1.0, 2.0), shape=(60, 50, 14)):
    return tube(grid_of(shape, zooms), slope=(0.3, -0.2))


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum())


@pytest.mark.parametrize("zooms", [(1.0, 1.0, 2.0), (0.4, 0.4, 5.0), (0.8, 0.5, 1.0)])
def test_a_tube_is_segmented_where_it_is(zooms):
    image = tilted_tube(zooms, tuple(round(n / z) for n, z in zip((60, 50, 28), zooms, strict=True)))
    result = segment(image, MODELS)
    assert dice(result.mask.data > 0, image.data >= 0.5) > 0.93
    assert result.verdict == "pass"
    assert (result.mask.data == (result.probability.data >= 0.5)).mean() > 0.999


def test_all_48_orientations_give_the_same_mask_on_the_native_grid():
    image = tilted_tube(shape=(48, 40, 11))
    expected = reorient(segment(image, MODELS).mask, ("R", "A", "S")).data
    for axcodes in ALL_AXCODES:
        native = reorient(image, axcodes)
        result = segment(native, MODELS)
        assert result.mask.grid is native.grid
        np.testing.assert_array_equal(reorient(result.mask, ("R", "A", "S")).data, expected)


def test_an_oblique_affine_gives_the_same_mask():
    image = tilted_tube()
    angle = np.radians(25)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    affine = image.grid.affine.copy()
    affine[:3, :3] = turn @ affine[:3, :3]
    oblique = Volume(image.data, Grid(image.grid.shape, affine))
    np.testing.assert_array_equal(segment(oblique, MODELS).mask.data, segment(image, MODELS).mask.data)


def test_no_stage_changes_its_input():
    image = tilted_tube()
    seen = []

    def observer(name, result):
        seen.append((name, result, snapshot(result)))

    segment(image, MODELS, observer=observer)
    names = [name for name, _, _ in seen]
    assert names == ["canonical", "heatmap", "centerline", "patches", "probability", "border", "mask", "metrics"]
    for name, result, before in seen:
        assert snapshot(result) == before, name


def snapshot(result):
    volume = getattr(result, "volume", result)
    arrays = [getattr(volume, name, None) for name in ("data", "values", "ij", "valid")]
    return [array.tobytes() for array in arrays if isinstance(array, np.ndarray)]


def test_one_slice_is_enough():
    image = tube(grid_of((60, 60, 1), (0.5, 0.5, 5)))
    result = segment(image, MODELS)
    assert dice(result.mask.data > 0, image.data >= 0.5) > 0.9


@pytest.mark.parametrize("shape", [(24, 24, 3), (15, 60, 2)])
def test_fields_of_view_smaller_than_a_patch_are_segmented(shape):
    image = tube(grid_of(shape, (1, 1, 5)))
    assert dice(segment(image, MODELS).mask.data > 0, image.data >= 0.5) > 0.9


def test_an_error_knows_its_stage():
    image = Volume(np.random.default_rng(0).random((20, 20, 3)).astype(np.float32), grid_of((20, 20, 3)))
    cold = Models(FakePredictor(np.zeros_like, (64, 64), 1.0), MODELS.segmenter)
    with pytest.raises(CordNotFoundError) as caught:
        segment(image, cold)
    assert caught.value.stage == "heatmap"


def soft_tube():
    """Return models that answer with the brightness of the image, which falls slowly at the border of the cord."""
    return replace(MODELS, segmenter=FakePredictor(lambda values: 1 / (1 + np.exp(-2 * values)), (64, 64), 0.5))


def test_calibration_changes_the_probability_but_not_the_mask_nor_the_verdict():
    image, models = tilted_tube(), soft_tube()
    plain, sharp = segment(image, models), segment(image, replace(models, odds_exponent=2.0))
    np.testing.assert_array_equal(sharp.mask.data, plain.mask.data)
    np.testing.assert_array_equal(sharp.probability.data, sharpen(plain.probability.data, 2.0))
    assert sharp.findings == plain.findings
    assert ((plain.probability.data > 0.6) & (plain.probability.data < 0.95)).any()


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.9])
def test_a_threshold_acts_on_the_calibrated_probability(threshold):
    models = replace(soft_tube(), odds_exponent=2.0)
    result = segment(tilted_tube(), models, settings=MethodSettings(threshold=threshold, rescue="off"))
    one_object = result.probability.data >= threshold
    assert (result.mask.data == one_object).mean() > 0.995
    assert (result.mask.data > 0).sum() == pytest.approx(one_object.sum(), rel=0.02)


def test_the_border_follows_the_image_unless_the_network_is_asked_for():
    image = tube(grid_of((60, 60, 6), (0.5, 0.5, 5)))
    # A network that sees a cord wider than it is by a pixel of 0.5 mm.
    wide = replace(
        MODELS,
        segmenter=FakePredictor(lambda patches: ndimage.grey_dilation(bright_is_cord(patches), (1, 3, 3)), (64, 64)),
    )
    true_mm2, seen = np.pi * 25, {}
    for border in ("image", "network"):
        result = segment(image, wide, settings=MethodSettings(border=border))
        seen[border] = float(np.mean(result.metrics.columns()["area_mm2"]))
        assert (result.mask.data == (result.probability.data >= 0.5)).mean() > 0.999
    assert seen["network"] > 1.1 * true_mm2
    assert seen["image"] == pytest.approx(np.pi * (5 - INSET_MM) ** 2, rel=0.03)
