"""Labels with one definition of the border, whoever drew them and whatever the contrast."""

import numpy as np
import pytest
from scipy import ndimage

from bids_deepseg.stages.border import INSET_MM
from bids_deepseg.training.sources import find_labelled, load_real_images, load_shapes, read_sources, refine_mask
from bids_deepseg.training.synthesis import scene as scene_module
from bids_deepseg.training.synthesis.acquisition import acquire, draw_acquisition
from bids_deepseg.training.synthesis.fields import PixelGrid
from bids_deepseg.training.synthesis.scene import paint_scene
from bids_deepseg.training.synthesis.shapes import ShapeBank
from tests.helpers.training_data import save

ZOOMS_MM = (0.5, 0.5, 3.0)


def disc(radius_mm, n_slices=4):
    i, j, _ = np.indices((60, 60, n_slices))
    return (np.hypot(i - 29.3, j - 30.2) / 2 < radius_mm).astype(np.float32)


def radius_of(mask):
    return float(np.sqrt((mask >= 0.5).sum((0, 1)).mean() * 0.25 / np.pi))


@pytest.mark.parametrize(("cord", "fluid"), [(0.3, 0.9), (0.9, 0.2)])
@pytest.mark.parametrize("rater_mm", [-0.6, 0.0, 0.4])
def test_raters_are_brought_to_the_border_of_the_image(cord, fluid, rater_mm):
    image = 0.4 + (fluid - 0.4) * disc(8) + (cord - fluid) * disc(5)
    image = ndimage.gaussian_filter(image, (0.8, 0.8, 0))
    refined = refine_mask(image, ndimage.gaussian_filter(disc(5 + rater_mm), (0.5, 0.5, 0)), ZOOMS_MM)
    assert radius_of(refined) == pytest.approx(5 - INSET_MM, abs=0.08)


def test_a_label_in_an_image_without_contrast_stays():
    mask = ndimage.gaussian_filter(disc(4.6), (0.5, 0.5, 0))
    np.testing.assert_array_equal(refine_mask(np.ones_like(mask), mask, ZOOMS_MM), mask)


def test_painted_targets_lie_a_constant_distance_inside_of_what_is_painted(monkeypatch):
    grid = PixelGrid((76, 76), 0.5)

    def areas():
        scenes = [
            paint_scene(np.random.default_rng(seed), grid, ShapeBank(()), subject="cord", centre_mm=(0.0, 0.0))
            for seed in range(40)
        ]
        bright = [scene.tissues.white > scene.tissues.csf for scene in scenes]
        return np.array([float(scene.cord.sum()) * 0.25 for scene in scenes]), np.array(bright)

    target, bright = areas()
    monkeypatch.setattr(scene_module, "INSET_MM", 0.0)
    painted, _ = areas()
    # The area lost is the length of the outline times the distance; a round cord has the shortest outline.
    distance_mm = (painted - target) / np.sqrt(4 * np.pi * (painted + target) / 2)
    for kind in (bright, ~bright):
        assert np.median(distance_mm[kind]) == pytest.approx(INSET_MM * 1.06, abs=0.03)


def test_some_images_are_blurred_beyond_their_pixels():
    rng = np.random.default_rng(3)
    drawn = [draw_acquisition(np.random.default_rng(seed), noisy=False) for seed in range(100)]
    blurs = [one.blur_mm for one in drawn]
    assert 0 < sum(blur > 0 for blur in blurs) < 60
    assert max(blurs) <= 1.3
    image = rng.uniform(size=(60, 60)).astype(np.float32)
    blurred = next(one for one in drawn if one.blur_mm > 0.8 and one.noise < 0.01 and one.gamma)
    assert np.isfinite(acquire(rng, image, blurred, zoom_mm=0.5)).all()


def test_more_data_joins_the_stream(data_dir):
    before, shapes = len(load_real_images(data_dir, ())), len(load_shapes(data_dir, ()).shapes)
    image = (0.2 + disc(5)).astype(np.float32) * 500
    save(data_dir / "train_more/sub-train10/anat/sub-train10_T2w.nii.gz", image)
    name = "sub-train10_space-orig_label-SC_desc-T2w_mask.nii.gz"
    save(data_dir / f"train_more/derivatives/labels/sub-train10/anat/{name}", disc(5).astype(np.uint8))
    save(data_dir / "labels_more/template_cord.nii.gz", disc(5).astype(np.uint8))
    assert "sub-train10_T2w.nii.gz" in [path.name for path, _ in find_labelled(data_dir)]
    more = [entry for entry in read_sources()["unlabelled"] if "sub-train10" in entry["path"]]
    assert more
    assert len(load_real_images(data_dir, ())) == before + 1 + len(more)
    assert len(load_shapes(data_dir, ()).shapes) > shapes
