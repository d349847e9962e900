"""Laws of the painted samples; the real ones are tested where the data is present."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bids_deepseg.training.configuration import read_config
from bids_deepseg.training.samples import SampleStream, draw_image, draw_subject, gaussian_target
from bids_deepseg.training.sources import RealImage, load_unlabelled, read_sources
from bids_deepseg.training.streams import load_stream
from bids_deepseg.training.synthesis.acquisition import acquire, draw_acquisition, fade_to_front, with_long_pixels
from bids_deepseg.training.synthesis.fields import PixelGrid
from bids_deepseg.training.synthesis.scene import LUMBAR_SUBJECTS, SUBJECTS, WITH_CORD, paint_nothing, paint_scene
from bids_deepseg.training.synthesis.shapes import CORD_AREA_RANGE_MM2, ShapeBank
from bids_deepseg.training.synthesis.spine import paint_bundles
from bids_deepseg.training.synthesis.tissues import draw_tissues

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


@pytest.mark.parametrize("subject", [subject for subject in SUBJECTS if subject not in WITH_CORD])
def test_slices_without_cord_have_no_target(subject):
    scene = paint_scene(
        np.random.default_rng(1), PixelGrid((64, 64), 1.0), ShapeBank(), subject=subject, centre_mm=(0, 0)
    )
    assert not scene.cord.any()
    assert scene.centre_mm is None


def test_the_conus_is_a_small_cord_and_its_centre_is_that_of_the_target():
    grid = PixelGrid((96, 96), 0.5)
    scenes = [
        paint_scene(np.random.default_rng(seed), grid, ShapeBank(), subject="conus", centre_mm=(3, -2))
        for seed in range(N_SEEDS)
    ]
    areas = [float(scene.cord.sum()) * 0.5**2 for scene in scenes]
    assert min(areas) > 4
    assert max(areas) < 110
    assert np.median(areas) < 50
    for scene, area in zip(scenes, areas, strict=True):
        assert scene.centre_mm is not None
        if area > 8:
            middle = np.average(np.argwhere(scene.cord > 0.02), axis=0, weights=scene.cord[scene.cord > 0.02])
            assert scene.centre_mm == pytest.approx(tuple((middle - 47.5) / 2), abs=0.1)


def test_the_roots_below_the_conus_lie_in_the_fluid():
    grid = PixelGrid((96, 96), 0.5)
    for seed in range(10):
        tissues = replace(draw_tissues(np.random.default_rng(seed)), mode="t2", csf=1.0, white=0.3)
        canal = np.hypot(*grid.positions_mm()) - np.float32(8)
        image = np.full(grid.shape, 1.0, np.float32)
        paint_bundles(np.random.default_rng(seed), image, *grid.positions_mm(), canal, tissues.white, (0.0, -2.0))
        assert (image[canal > 0.5] == 1).all()
        assert image.min() < 0.7


@pytest.mark.parametrize("task", TASKS)
def test_a_lumbar_slice_has_heat_at_the_conus_and_none_below_it(task, monkeypatch):
    settings = replace(read_config(task).samples, lumbar=1.0, real_fraction=0.0, shift_mm=5.0)
    stream = SampleStream(settings, ShapeBank(), (), 1)
    for subject in LUMBAR_SUBJECTS:
        monkeypatch.setattr("bids_deepseg.training.samples.draw_subject", lambda *_, shown=subject: shown)
        samples = [stream.sample(index) for index in range(20)]
        if subject == "conus":
            # A field of view may leave the cord out, and a cord as small as a tip fills no pixel.
            assert np.mean([sample.target.max() > 0.9 for sample in samples]) > 0.7
        else:
            assert not any(sample.target.any() for sample in samples)


def test_the_share_of_lumbar_slices_is_the_one_asked_for():
    settings = replace(read_config("detection").samples, lumbar=0.3)
    rng = np.random.default_rng(0)
    drawn = [draw_subject(rng, settings) for _ in range(4000)]
    for subject in LUMBAR_SUBJECTS:
        assert np.mean([one == subject for one in drawn]) == pytest.approx(0.15, abs=0.02)
    rest = [one for one in drawn if one not in LUMBAR_SUBJECTS]
    assert np.mean([one != "cord" for one in rest]) == pytest.approx(settings.without_cord, abs=0.03)


def test_streams_that_ask_for_no_lumbar_slices_and_long_pixels_show_none():
    settings = replace(read_config("segmentation").samples, lumbar=0.0)
    rng = np.random.default_rng(0)
    assert not {draw_subject(rng, settings) for _ in range(500)} & set(LUMBAR_SUBJECTS)


def test_long_pixels_blur_across_the_body_only(rng):
    x, y = PixelGrid((64, 64), 1.0).positions_mm()
    plain = replace(
        draw_acquisition(rng, noisy=False), native_mm=(1.0, 1.0), truncated=False, noise=0.0, blur_mm=0.0, bias=0.0,
        ghost=0.0, gamma=1.0,
    )  # fmt: skip
    long = with_long_pixels(rng, plain)
    assert long.native_mm[0] >= 1.6
    assert long.native_mm[1] == 1.0
    across, along = ((2 + np.sin(axis * 0.8)).astype(np.float32) for axis in (x, y))

    def kept(image):
        return float(acquire(rng, image, replace(long, native_mm=(4.0, 1.0)), zoom_mm=1.0)[16:-16, 16:-16].std())

    assert kept(across) < 0.8 * kept(along)
    assert kept(along) > 0.8 * along.std()


def test_a_coil_under_the_back_leaves_the_middle_and_darkens_the_front(rng):
    image = np.ones((40, 60), np.float32)
    faded = fade_to_front(rng, image, zoom_mm=1.0)
    assert faded[0, 30] == pytest.approx(1)
    assert (np.diff(faded, axis=1) <= 0).all()
    assert faded.max() <= 4


def test_images_are_drawn_as_often_as_their_weights_say():
    def image(name, weight):
        return RealImage(
            name, np.ones((8, 8, 2), np.float32), None, np.full((2, 2), np.nan), np.arange(2), (1.0, 1.0, 1.0), weight
        )

    images, rng = (image("a", 1.0), image("b", 3.0)), np.random.default_rng(0)
    drawn = [draw_image(rng, images, "detection").name for _ in range(2000)]
    assert drawn.count("b") / drawn.count("a") == pytest.approx(3, abs=0.5)


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


@pytest.mark.parametrize("entry", read_sources()["unlabelled"], ids=lambda entry: f"{entry['path']}-{entry['slices']}")
def test_slices_without_cord_have_no_heat_and_marked_ones_have(entry, shared_data: Path):
    if not (shared_data / entry["path"]).is_file():
        pytest.skip(f"{entry['path']} is not there.")
    image = load_unlabelled(shared_data, entry)
    settings = replace(read_config("detection").samples, real_fraction=1.0, shift_mm=10.0)
    stream = SampleStream(settings, ShapeBank(), (image,), 1)
    heat = [stream.sample(index).target.max() for index in range(12)]
    if "centres" in entry:
        assert np.mean(np.array(heat) > 0.5) >= 0.5
    else:
        assert max(heat) == 0


def test_marked_centres_lie_in_a_cord_that_is_darker_than_its_fluid(shared_data: Path):
    for name, first, last in (("sub-train12", 272, 397), ("sub-train10", 22, 37)):
        entry = next(e for e in read_sources()["unlabelled"] if name in e["path"] and "centres" in e)
        assert entry["slices"] == [first, last]
        image = load_unlabelled(shared_data, entry)
        for k in image.slices[::6]:
            i, j = np.rint(image.centre_ij[k]).astype(int)
            reach = round(9 / image.zooms_mm[1])
            column = image.data[i, j - reach : j + reach + 1, k]
            assert image.data[i, j, k] < 0.75 * column.max()
