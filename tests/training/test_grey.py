"""Laws of the samples of the grey matter network, its data and its figures, on phantoms."""

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.geometry.volume import Volume
from bids_deepseg.training.configuration import read_config
from bids_deepseg.training.evaluate import evaluate
from bids_deepseg.training.fit import build_model
from bids_deepseg.training.grey.evaluate import score_grey, score_people
from bids_deepseg.training.grey.samples import GreyStream, _sharpen, find_grey, load_grey_images, load_grey_shapes
from bids_deepseg.training.streams import load_stream
from bids_deepseg.training.synthesis.shapes import ShapeBank
from tests.helpers.phantoms import FakePredictor, grid_of

N_SEEDS = 40
AFFINE = np.diag([-0.5, 0.5, 3.0, 1.0])
CORD_MM, GREY_MM = 5.0, 2.0


def stream(images=(), seed=1):
    return GreyStream(read_config("grey").samples, ShapeBank(), images, seed)


def save(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(data, AFFINE), path)


def phantom():
    """Return an image with a cord of 5 mm radius around grey matter of 2 mm, and both masks; axes are canonical."""
    i, j, _ = np.indices((80, 80, 4))
    radius = np.hypot(i - 40, j - 36) / 2
    image = np.where(radius < GREY_MM, 0.65, np.where(radius < CORD_MM, 0.5, np.where(radius < 9, 1, 0.1)))
    return image.astype(np.float32) * 700, (radius < CORD_MM).astype(np.uint8), (radius < GREY_MM).astype(np.uint8)


@pytest.fixture
def data_dir(tmp_path):
    """Two participants with grey matter, one held out, and one with a cord only; label maps with grey matter."""
    image, cord, grey = phantom()
    grey[..., 3] = 0
    for person, masks in (("train06", 2), ("train07", 2), ("train01", 1)):
        stem = f"sub-{person}_run-1"
        save(tmp_path / f"train/sub-{person}/anat/{stem}_T2starw.nii.gz", image)
        for label, mask in (("SC", cord), ("GM", grey))[:masks]:
            name = f"{stem}_space-orig_label-{label}_desc-T2starw_mask.nii.gz"
            save(tmp_path / f"train/derivatives/labels/sub-{person}/anat/{name}", mask)
    save(tmp_path / "labels/someone_cord.nii.gz", cord)
    save(tmp_path / "labels/someone_gm.nii.gz", grey)
    save(tmp_path / "labels/other_cord.nii.gz", cord)
    return tmp_path


def test_samples_are_finite_and_targets_lie_in_the_unit_interval_inside_the_valid_area():
    made = stream()
    for index in range(N_SEEDS):
        sample = made.sample(index)
        assert sample.patch.shape == sample.target.shape == sample.valid.shape == made.settings.patch_shape
        assert sample.patch.dtype == sample.target.dtype == np.float32
        assert np.isfinite(sample.patch).all()
        assert 0 <= sample.target.min() <= sample.target.max() <= 1
        assert not sample.target[~sample.valid].any()
        assert not sample.patch[~sample.valid].any()


def test_a_sample_depends_on_seed_and_number_alone():
    first, again, other = stream(), stream(), stream(seed=2)
    first.sample(3)
    np.testing.assert_array_equal(first.sample(7).patch, again.sample(7).patch)
    np.testing.assert_array_equal(first.sample(7).target, again.sample(7).target)
    assert not np.array_equal(first.sample(7).patch, other.sample(7).patch)


def test_grey_matter_is_a_small_part_of_the_patch_and_nearly_always_there():
    made = stream()
    areas = np.array([made.sample(index).target.sum() for index in range(N_SEEDS)]) * made.settings.zoom_mm**2
    assert np.mean(areas > 2) > 0.85
    assert 4 < np.median(areas) < 30
    assert areas.max() < 60


def test_grey_matter_can_be_seen_in_most_painted_samples():
    made, seen = stream(), []
    for index in range(N_SEEDS):
        sample = made.sample(index)
        inside = sample.target > 0.6
        # The ring around it is white matter for the most part.
        near = (sample.target < 0.1) & np.roll(sample.target > 0.3, 3, 0) | np.roll(sample.target > 0.3, -3, 0)
        near &= (sample.target < 0.1) & sample.valid
        if inside.sum() > 8 and near.sum() > 8:
            seen.append(abs(sample.patch[inside].mean() - sample.patch[near].mean()) > 0.03)
    assert len(seen) > N_SEEDS / 2
    assert np.mean(seen) > 0.8


@pytest.mark.parametrize("seed", range(10))
def test_sharpening_keeps_what_is_outside_and_the_order_of_what_is_inside(seed):
    rng = np.random.default_rng(seed)
    grey = np.sort(np.append(np.zeros(5), rng.uniform(0, 1, 50))).astype(np.float32)
    sharp = _sharpen(rng, grey)
    assert (sharp[grey == 0] == 0).all()
    assert (np.diff(sharp) >= 0).all()
    assert 0 <= sharp.min() <= sharp.max() <= 1


def test_images_need_masks_of_cord_and_grey_matter_and_people_held_out_are_left_out(data_dir):
    found = [image.name for image, _cord, _grey in find_grey(data_dir)]
    assert found == ["sub-train06_run-1_T2starw.nii.gz", "sub-train07_run-1_T2starw.nii.gz"]
    (image,) = load_grey_images(data_dir, ("train07",))
    assert "train06" in image.cord.name
    # The last slice has a cord and no grey matter drawn: it would teach that there is none.
    np.testing.assert_array_equal(image.cord.slices, [0, 1, 2])
    np.testing.assert_array_equal(image.grey.mask, phantom()[2] * (np.arange(4) < 3))


def test_real_samples_show_cord_and_grey_matter_at_the_same_place(data_dir):
    images = load_grey_images(data_dir, ("train07",))
    made, n_checked = stream(images), 0
    for index in range(N_SEEDS):
        sample = made._real(np.random.default_rng(index))
        assert 0 <= sample.target.min() <= sample.target.max() <= 1
        area = sample.target.sum() * made.settings.zoom_mm**2
        if sample.valid.all():
            # Scales of 0.75 to 1.25 along each axis, flattened to 0.8 at most, and a warp.
            assert 0.4 < area / (np.pi * GREY_MM**2) < 1.9
            n_checked += 1
    assert n_checked > N_SEEDS / 2


def test_drawn_grey_matter_counts_more_than_a_cord_without(data_dir):
    shapes = load_grey_shapes(data_dir, ()).shapes
    with_grey = [shape for shape in shapes if shape.grey is not None]
    without = [shape for shape in shapes if shape.grey is None]
    assert len(with_grey) == 4 * 3
    # The slice of the first person without grey matter, and the four of the other.
    assert len(without) == 1 + 4


def test_the_stream_of_the_configuration_is_that_of_grey_matter(data_dir):
    made = load_stream(read_config("grey"), data_dir)
    assert isinstance(made, GreyStream)
    assert len(made.images) == 1


def volumes():
    image, cord, grey = phantom()
    grid = grid_of(image.shape, (0.5, 0.5, 3.0))
    return Volume(image, grid), Volume(cord, grid), Volume(grey, grid)


def test_the_figures_are_those_of_counting():
    image, cord, grey = volumes()
    everywhere = score_grey(FakePredictor(np.ones_like, (48, 48), 0.35), image, cord, grey)
    n_cord, n_grey = int(cord.data[..., 0].sum()), int(grey.data[..., 0].sum())
    assert everywhere["slices"] == 4
    assert everywhere["dice"] == pytest.approx(2 * n_grey / (n_cord + n_grey))
    assert everywhere["dice_worst_slice"] == pytest.approx(everywhere["dice"])
    assert everywhere["area_bias_percent"] == pytest.approx(100 * (n_cord / n_grey - 1))
    nowhere = score_grey(FakePredictor(np.zeros_like, (48, 48), 0.35), image, cord, grey)
    assert (nowhere["dice"], nowhere["area_bias_percent"]) == (0, -100)


def test_only_the_people_held_out_are_scored(data_dir):
    scored = dict(score_people(FakePredictor(np.ones_like, (48, 48), 0.35), data_dir, ("train07",)))
    assert list(scored) == ["sub-train07_run-1_T2starw"]


@pytest.mark.slow
def test_a_run_is_evaluated_by_its_task(data_dir, tmp_path):
    from bids_deepseg.training.configuration import Progress, save_checkpoint  # noqa: PLC0415

    config = read_config("grey")
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    model = build_model(config)
    model.optimizer.build(model.trainable_variables)
    save_checkpoint(run_dir, model, Progress(1, 1, 1.0))
    figures = evaluate(config, run_dir, data_dir)
    assert set(figures["sub-train07_run-1_T2starw"]) == {"slices", "dice", "dice_worst_slice", "area_bias_percent"}
