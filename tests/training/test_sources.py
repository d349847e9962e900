"""Reading training data, scoring and the command line, on a data folder of phantoms."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from bids_deepseg.training.__main__ import main
from bids_deepseg.training.configuration import Progress, read_config, save_checkpoint
from bids_deepseg.training.evaluate import FIGURES_NAME, calibration_error, evaluate
from bids_deepseg.training.fit import build_model
from bids_deepseg.training.pool import PoolSettings, SamplePool
from bids_deepseg.training.samples import Sample
from bids_deepseg.training.sources import find_labelled, find_participants, load_real_images, load_shapes
from bids_deepseg.training.streams import load_stream


def test_images_are_found_with_their_masks(data_dir):
    names = [image.name for image, _ in find_labelled(data_dir)]
    assert names == ["sub-train01_T2w.nii.gz", "sub-train03_T2w.nii.gz"]


def test_people_are_named_once(data_dir):
    assert find_participants(data_dir) == ("train01", "train03")


def test_people_held_out_are_not_read_and_unlabelled_slices_are_left_out(data_dir):
    images = load_real_images(data_dir, ("train03",))
    assert [image.name for image in images] == ["sub-train01/anat/sub-train01_T2w.nii.gz"]
    np.testing.assert_array_equal(images[0].slices, [0, 1, 2])
    np.testing.assert_allclose(images[0].centre_ij[0], (40, 36))
    assert np.isnan(images[0].centre_ij[3]).all()
    assert images[0].data.max() == pytest.approx(1)


def test_label_maps_become_shapes_except_those_of_people_held_out(data_dir):
    assert len(load_shapes(data_dir, ()).shapes) > 3
    shapes = load_shapes(data_dir, ("train03",)).shapes
    assert len(shapes) == 3
    assert all(shape.canal_mm is not None for shape in shapes)
    # The fluid ends 4 mm outside the cord.
    assert shapes[0].cord_mm[48, 48] - shapes[0].canal_mm[48, 48] == pytest.approx(4, abs=0.3)


@pytest.mark.parametrize("task", ["segmentation", "detection"])
def test_cut_samples_obey_the_laws(data_dir, task):
    config = read_config(task)
    stream = load_stream(replace(config, samples=replace(config.samples, real_fraction=1.0)), data_dir)
    samples = [stream.sample(index) for index in range(30)]
    assert all(np.isfinite(sample.patch).all() for sample in samples)
    assert all(0 <= sample.target.min() <= sample.target.max() <= 1 for sample in samples)
    assert not any(sample.target[~sample.valid].any() for sample in samples)
    assert any(sample.target.max() > 0.9 for sample in samples)


@pytest.mark.parametrize(("task", "figure"), [("segmentation", "dice"), ("detection", "slices_found")])
def test_the_person_held_out_is_scored(data_dir, tmp_path, task, figure):
    config = replace(
        read_config(task), architecture={"function": "build_unet", "arguments": {"base_filters": 4, "depth": 2}}
    )
    model = build_model(config)
    model.optimizer.build(model.trainable_variables)
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    save_checkpoint(run_dir, model, Progress(1, 32, 1.0))
    figures = evaluate(config, run_dir, data_dir)
    assert list(figures) == ["sub-train03_T2w"]
    assert 0 <= figures["sub-train03_T2w"][figure] <= 1
    assert json.loads((run_dir / FIGURES_NAME).read_text(encoding="utf-8")) == figures


def test_the_command_line_draws_a_sheet_without_any_data(tmp_path):
    pytest.importorskip("matplotlib")
    assert main(["--data", str(tmp_path), "generate", str(tmp_path / "sheet.png"), "segmentation"]) == 0
    assert (tmp_path / "sheet.png").read_bytes().startswith(b"\x89PNG")


def test_a_generator_that_dies_is_reported():
    with (
        SamplePool(partial(int, "no stream"), PoolSettings(16, (8, 8), 1.0, 0)) as pool,
        pytest.raises(RuntimeError, match="process that makes samples has died"),
    ):
        pool.draw(np.random.default_rng(0), 2)


def test_calibration_error_is_zero_for_honest_probabilities_and_grows_with_their_error(rng):
    truth = np.zeros((60, 60, 2), bool)
    truth[20:40, 20:40] = True
    perfect = truth.astype(np.float32)
    assert calibration_error(perfect, truth, (0.5, 0.5)) == 0
    assert calibration_error(1 - perfect, truth, (0.5, 0.5)) == pytest.approx(1)
    half = np.full(truth.shape, 0.5, np.float32)
    near = calibration_error(half, truth, (0.5, 0.5))
    assert near < 0.15
    wrong = calibration_error(np.where(truth, 0.6, 0.4).astype(np.float32), truth, (0.5, 0.5))
    assert wrong == pytest.approx(0.4, abs=1e-6)


class Numbered:
    """A stream whose samples hold their own number."""

    def sample(self, index):
        patch = np.full((4, 4), index, np.float32)
        return Sample(patch, patch, np.ones((4, 4), bool))


@pytest.mark.parametrize("n_generators", [1, 3])
def test_generators_share_the_samples_and_make_each_once(n_generators):
    settings = PoolSettings(48, (4, 4), 1e9, 100, n_generators)
    with SamplePool(Numbered, settings) as pool:
        while pool.n_made < 48:
            pool.draw(np.random.default_rng(0), 1)
        patches, targets = pool.draw(np.random.default_rng(0), 2000)
    assert np.array_equal(patches, targets)
    seen = set(patches[:, 0, 0, 0].astype(int).tolist())
    assert seen <= set(range(100, 148))
    # A full ring keeps the slots back that are written next, and those before them.
    assert len(seen) == 48 - 8 * n_generators
