"""Laws of the painted samples; the real ones are tested where the data is present."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bids_deepseg.training.configuration import read_config
from bids_deepseg.training.fit import load_stream
from bids_deepseg.training.samples import SampleStream, gaussian_target
from bids_deepseg.training.synthesis.fields import PixelGrid
from bids_deepseg.training.synthesis.scene import SUBJECTS, paint_nothing, paint_scene
from bids_deepseg.training.synthesis.shapes import CORD_AREA_RANGE_MM2, ShapeBank

TASKS = ["segmentation", "detection"]
N_SEEDS = 60


def painted_stream(task, seed=1):
    return SampleStream(read_config(task).samples, ShapeBank(), (), seed)


@pytest.mark.parametrize("task", TASKS)
def test_samples_are_finite_and_targets_lie_in_the_unit_interval_inside_the_valid_area(task):
    stream = painted_stream(task)
    for index in range(N_SEEDS):
        sample = stream.sample(index)
        assert sample.patch.shape == sample.target.shape == sample.valid.shape == stream.settings.patch_shape
        assert sample.patch.dtype == sample.target.dtype == np.float32
        assert np.isfinite(sample.patch).all()
        assert np.isfinite(sample.target).all()
        assert 0 <= sample.target.min() <= sample.target.max() <= 1
        assert not sample.target[~sample.valid].any()
        assert not sample.patch[~sample.valid].any()


@pytest.mark.parametrize("task", TASKS)
def test_a_sample_depends_on_seed_and_number_alone(task):
    first, again, other = painted_stream(task), painted_stream(task), painted_stream(task, seed=2)
    first.sample(3)
    np.testing.assert_array_equal(first.sample(7).patch, again.sample(7).patch)
    np.testing.assert_array_equal(first.sample(7).target, again.sample(7).target)
    assert not np.array_equal(first.sample(7).patch, other.sample(7).patch)


def test_painted_cords_have_a_human_area():
    grid = PixelGrid((96, 96), 0.5)
    areas = []
    for seed in range(N_SEEDS):
        scene = paint_scene(np.random.default_rng(seed), grid, ShapeBank(), subject="cord", centre_mm=(0, 0))
        areas.append(float(scene.cord.sum()) * 0.5**2)
    assert min(areas) >= CORD_AREA_RANGE_MM2[0]
    assert max(areas) <= CORD_AREA_RANGE_MM2[1]
    # The targets lie inside the outlines, which are those of people.
    assert 30 < np.median(areas) < 90


def test_the_centre_is_that_of_the_painted_cord():
    grid = PixelGrid((96, 96), 0.5)
    scene = paint_scene(np.random.default_rng(4), grid, ShapeBank(), subject="cord", centre_mm=(6, -4))
    i, j = np.average(np.argwhere(scene.cord > 0.5), axis=0)
    assert scene.centre_mm == pytest.approx(((i - 47.5) / 2, (j - 47.5) / 2), abs=0.4)


@pytest.mark.parametrize("subject", [subject for subject in SUBJECTS if subject != "cord"])
def test_slices_without_cord_have_no_target(subject):
    scene = paint_scene(
        np.random.default_rng(1), PixelGrid((64, 64), 1.0), ShapeBank(), subject=subject, centre_mm=(0, 0)
    )
    assert not scene.cord.any()
    assert scene.centre_mm is None


def test_a_slice_without_anatomy_has_no_target():
    scenes = [paint_nothing(np.random.default_rng(seed), PixelGrid((32, 32), 1.0)) for seed in range(10)]
    assert not any(scene.cord.any() for scene in scenes)
    assert all(np.isfinite(scene.image).all() for scene in scenes)


def test_the_detection_target_is_a_gaussian_of_2_5_mm():
    settings = replace(read_config("detection").samples, patch_shape=(33, 33))
    target = gaussian_target(settings, (2.0, -3.0))
    assert np.unravel_index(target.argmax(), target.shape) == (18, 13)
    assert target.max() == pytest.approx(1)
    # 5 mm are two standard deviations.
    assert target[23, 13] == pytest.approx(np.exp(-2), abs=1e-5)
    assert not gaussian_target(settings, None).any()


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_real_samples_obey_the_same_laws(task, shared_data: Path):
    config = read_config(task)
    config = replace(config, samples=replace(config.samples, real_fraction=1.0))
    stream = load_stream(config, shared_data)
    assert not any("train03" in image.name or "train07" in image.name for image in stream.images)
    assert not any("dev" in image.name for image in stream.images)
    targets = []
    for index in range(40):
        sample = stream.sample(index)
        assert np.isfinite(sample.patch).all()
        assert not sample.target[~sample.valid].any()
        targets.append(sample.target.max())
    assert 0.4 < np.mean(np.array(targets) > 0.5) < 0.98
