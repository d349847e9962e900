"""Laws of the training of the linear detectors."""

import json
from dataclasses import replace

import numpy as np
import pytest

from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.optic.hog import N_FEATURES, score_map
from bids_deepseg.methods.optic.model import CONTRASTS, SvmModel, read_own_model
from bids_deepseg.training.sources import RealImage
from bids_deepseg.training.svm.evaluate import centerline_errors_mm, evaluate_contrast
from bids_deepseg.training.svm.fit import (
    MODELS_DIR,
    SvmSettings,
    distance_to_centre,
    fit_svm,
    gather_slices,
    main,
    train_detector,
    write_model,
)
from bids_deepseg.training.svm.slices import SOURCES, cut_slices, painted_slices, whole_slices
from bids_deepseg.training.synthesis.shapes import ShapeBank
from tests.helpers.phantoms import grid_of, tube

SMALL = SvmSettings(n_painted=40, n_cut=6, rounds=1, regularisation=1e-3, seed=1)


def real_image(zooms=(1.0, 1.0, 3.0), name="sub-x/anat/sub-x_T2w.nii.gz"):
    """Return a dark cord in a bright canal in muscle, as the reader of the training data gives it."""
    grid = grid_of((80, 70, 6), zooms)
    cord, canal = (tube(grid, radius_mm=radius, supersample=3).data for radius in (4.5, 8))
    data = 0.4 * (1 - canal) + (canal - cord) + 0.3 * cord
    centre = np.tile((np.array(grid.shape[:2]) - 1) / 2, (6, 1))
    return RealImage(name, data.astype(np.float32), cord, centre, np.arange(6), zooms)


def test_the_fit_is_the_minimum_of_its_loss(rng):
    windows = rng.normal(size=(300, 5)).astype(np.float32)
    labels = np.where(windows @ [1, -2, 0, 0.5, 0] + rng.normal(0, 0.5, 300) > 0.7, 1.0, -1.0)

    def loss(parameters):
        hinge = np.maximum(0, 1 - labels * (windows @ parameters[:-1] + parameters[-1])) ** 2
        share = np.where(labels > 0, 0.5 / (labels > 0).sum(), 0.5 / (labels < 0).sum())
        return 0.01 / 2 * parameters[:-1] @ parameters[:-1] + (share * hinge).sum()

    weights, bias = fit_svm(windows, labels, regularisation=0.01)
    best = np.append(weights, bias)
    for _ in range(50):
        assert loss(best) <= loss(best + rng.normal(0, 0.01, 6))


def test_repeating_one_class_changes_nothing(rng):
    windows = rng.normal(size=(100, 3)).astype(np.float32)
    labels = np.where(windows[:, 0] > 0.3, 1.0, -1.0)
    negative = labels < 0
    weights, bias = fit_svm(windows, labels, regularisation=0.1)
    more = fit_svm(
        np.concatenate([windows, windows[negative]]), np.append(labels, labels[negative]), regularisation=0.1
    )
    np.testing.assert_allclose(weights, more[0], atol=1e-4)
    assert bias == pytest.approx(more[1], abs=1e-4)


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_painted_slices_are_what_the_detector_sees(contrast, rng):
    for item in painted_slices(rng, ShapeBank(), 8, modes=SOURCES[contrast].modes):
        assert item.image.dtype == np.float32
        np.testing.assert_array_equal(item.image, np.floor(item.image))
        assert item.image.min() == 0
        assert 80 < item.image.max() <= 255
        nearest = distance_to_centre(item).min()
        assert nearest <= np.sqrt(0.5) or np.isinf(nearest)


def test_the_centre_of_a_whole_slice_moves_with_its_pixels():
    image = real_image((0.5, 0.7, 3.0))
    slices = whole_slices(image)
    assert len(slices) == 6
    assert slices[0].image.shape == (40, 49)
    np.testing.assert_allclose(slices[0].centre_ij, [39.5 / 2, 34.5 * 0.7])


def test_the_centre_of_a_cut_is_in_its_cord(rng):
    slices = cut_slices(rng, (real_image(),), 20, inverted=False)
    seen = [item for item in slices if np.isfinite(item.centre_ij).all()]
    assert len(seen) > 10
    darker = 0
    for item in seen:
        distance = distance_to_centre(item)
        ring = item.image[(distance > 5) & (distance < 7)]
        darker += item.image[distance < 2].mean() < ring.mean()
    assert darker >= 0.9 * len(seen)


def test_an_inverted_cut_has_a_bright_cord(rng):
    brighter = []
    for item in cut_slices(rng, (real_image(),), 20, inverted=True):
        distance = distance_to_centre(item)
        if np.isfinite(distance).all():
            brighter.append(item.image[distance < 2].mean() > item.image[(distance > 5) & (distance < 7)].mean())
    assert np.mean(brighter) > 0.8


def test_without_data_nothing_is_cut(rng):
    assert cut_slices(rng, (), 5, inverted=False) == []
    assert len(gather_slices(rng, "dwi", ShapeBank(), (), SMALL)) == SMALL.n_painted


def trained(seed, settings):
    rng = np.random.default_rng(seed)
    return train_detector(rng, gather_slices(rng, "t2", ShapeBank(), (real_image(),), settings), settings)


def test_a_small_training_finds_the_cord():
    weights, bias = trained(5, SMALL)
    assert weights.shape == (N_FEATURES,)
    hits = []
    for item in painted_slices(np.random.default_rng(99), ShapeBank(), 30, modes=("t2",)):
        distance = distance_to_centre(item)
        if np.isfinite(distance).all():
            score = score_map(item.image, weights, bias)
            hits.append(distance[np.unravel_index(score.argmax(), score.shape)] < 4)
    # By chance it would be one in a hundred.
    assert np.mean(hits) > 0.5


def test_a_training_depends_on_its_seed_alone():
    tiny = replace(SMALL, n_painted=4, n_cut=2)
    first, again, other = (trained(seed, tiny) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first[0], again[0])
    assert first[1] == again[1]
    assert not np.array_equal(first[0], other[0])


def test_a_written_model_is_read_back(tmp_path, rng):
    weights = rng.normal(0, 0.1, N_FEATURES)
    write_model(tmp_path, "t2s", weights, -1.23456789, {"seed": 1})
    model = read_own_model("t2s", tmp_path)
    np.testing.assert_allclose(model.weights, weights, rtol=1e-6)
    assert model.bias == pytest.approx(-1.23456789, rel=1e-6)


def test_the_cards_of_the_own_models_name_no_held_out_image():
    for contrast in CONTRASTS:
        read_own_model(contrast)
        training = json.loads((MODELS_DIR / f"{contrast}.json").read_text(encoding="utf-8"))["training"]
        assert training["people_held_out"] == ["train03", "train07"]
        assert not any(person in name for name in training["real_images"] for person in training["people_held_out"])


def test_the_error_is_the_distance_to_the_centre_of_the_mask():
    grid = grid_of((40, 40, 4), (0.5, 1.0, 3.0))
    mask = np.zeros(grid.shape, bool)
    mask[10:13, 20:23, 1:] = True
    # A detector without weights scores all pixels alike, so the path is straight along the first pixel.
    image = Volume(np.random.default_rng(0).uniform(0, 1, grid.shape).astype(np.float32), grid)
    figures = centerline_errors_mm(image, mask, SvmModel(np.zeros(N_FEATURES), 0.0, "t2", "0" * 64))
    assert figures == {"mean_mm": 21.71, "median_mm": 21.71, "largest_mm": 21.71, "inside": 0.0, "slices": 3}


@pytest.mark.parametrize("contrast", ["t2s", pytest.param("t2", marks=pytest.mark.slow)])
def test_own_models_follow_the_cord_of_people_held_out(contrast, shared_data):
    figures = evaluate_contrast(contrast, read_own_model(contrast), shared_data)
    assert len(figures) == {"t2": 1, "t2s": 2}[contrast]
    for errors in figures.values():
        assert errors["inside"] == 1
        assert errors["mean_mm"] < {"t2": 1.0, "t2s": 0.8}[contrast]
        assert errors["largest_mm"] < {"t2": 2.2, "t2s": 1.3}[contrast]


def test_an_unknown_contrast_is_refused(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["ct"])
    assert stop.value.code == 2
    assert "unknown contrast ct; choose from t1, t2, t2s, dwi" in capsys.readouterr().err
