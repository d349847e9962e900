"""Vertebral levels: where labels are found, which fit, and the level of a slice."""

from pathlib import Path

import numpy as np
import pytest

from bids_deepseg.bids.source.vertebrae import (
    LEVEL_NAMES,
    LevelFile,
    find_level_file,
    level_names,
    levels_for,
    levels_of_slices,
    read_levels,
)
from bids_deepseg.errors import ImageError
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import Volume, reorient
from tests.helpers.bids_trees import AFFINE, image_of, write_image
from tests.helpers.phantoms import ALL_AXCODES, grid_of

IMAGE = "sub-01/ses-a/anat/sub-01_ses-a_acq-ax_T2w.nii.gz"
FOLDER = "sub-01/ses-a/anat"


def mask_on(grid):
    data = np.zeros(grid.shape, np.uint8)
    data[1:3, 1:3, :] = 1
    return Volume(data, grid)


def test_the_numbers_are_those_of_the_spinal_cord_toolbox():
    assert [LEVEL_NAMES[number - 1] for number in (1, 7, 8, 19, 20, 24, 25)] == [
        "C1",
        "C7",
        "T1",
        "T12",
        "L1",
        "L5",
        "S1",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "sub-01_ses-a_acq-ax_T2w_seg_labeled.nii.gz",
        "sub-01_ses-a_acq-ax_T2w_label-vertebrae_dseg.nii",
        "sub-01_ses-a_acq-ax_space-orig_label-vertebrae_desc-T2w_dseg.nii.gz",
        "sub-01_ses-a_acq-ax_label-vertebrae_dseg.nii.gz",
        "sub-01_ses-a_acq-ax_space-orig_desc-vertebral_dseg.nii.gz",
    ],
)
def test_labels_are_found_under_each_name_but_not_those_of_others(tmp_path, name):
    image = image_of("/data", IMAGE, acquisition="ax")
    for other in ("sub-01_ses-a_T2w_seg_labeled.nii.gz", "sub-01_ses-a_acq-ax_T1w_seg_labeled.nii.gz"):
        write_image(tmp_path / "b" / FOLDER / other)
    places = [("a", tmp_path / "a"), ("b", tmp_path / "b")]
    assert find_level_file(image, places) is None
    path = write_image(tmp_path / "b" / FOLDER / name)
    assert find_level_file(image, places) == LevelFile("b", f"{FOLDER}/{name}", path)


def test_the_name_of_the_image_itself_and_the_first_data_set_win(tmp_path):
    image = image_of("/data", IMAGE, acquisition="ax")
    names = list(level_names(image))
    assert len(set(names)) == len(names)
    for folder in ("a", "b"):
        for name in names:
            write_image(tmp_path / folder / name)
    found = find_level_file(image, [("b", tmp_path / "b"), ("a", tmp_path / "a")])
    assert found.relative == names[0].as_posix()
    assert found.dataset == "b"


def file_of(path):
    return LevelFile("x", path.name, path)


def test_numbers_that_are_no_level_are_left_out(tmp_path):
    data = np.zeros((4, 5, 6), np.float32)
    data[0, 0, :] = [1, 25, 26, -1, 0, np.nan]
    levels = read_levels(file_of(write_image(tmp_path / "x.nii.gz", data=data)), Grid((4, 5, 6), AFFINE))
    assert levels[0, 0].tolist() == [1, 25, 0, 0, 0, 0]


def test_another_grid_and_labels_without_level_are_refused(tmp_path):
    labels = np.full((4, 5, 6), 3, np.uint8)
    file = file_of(write_image(tmp_path / "x.nii.gz", data=labels))
    moved = AFFINE.copy()
    moved[0, 3] += 0.5
    for grid in (Grid((4, 5, 6), moved), Grid((4, 5, 7), AFFINE)):
        with pytest.raises(ImageError, match="another grid"):
            read_levels(file, grid)
    file = file_of(write_image(tmp_path / "y.nii.gz", data=labels + 90))
    with pytest.raises(ImageError, match=r"holds no level.*1 \(C1\) to 25 \(S1\)"):
        read_levels(file, Grid((4, 5, 6), AFFINE))


@pytest.mark.parametrize("axcodes", ALL_AXCODES[::5], ids="".join)
def test_the_level_of_a_slice_does_not_depend_on_the_orientation(rng, axcodes):
    grid = grid_of((6, 5, 7))
    labels = Volume(rng.integers(1, 25, grid.shape).astype(np.uint8), grid)
    expected = levels_of_slices(labels.data.astype(np.int16), mask_on(grid))
    turned = reorient(labels, axcodes)
    found = levels_of_slices(turned.data.astype(np.int16), reorient(mask_on(grid), axcodes))
    code = next(code for code in axcodes if code in "SI")
    np.testing.assert_array_equal(found if code == "S" else found[::-1], expected)


def test_labels_inside_of_the_mask_count_before_those_in_the_rest_of_the_slice():
    grid = grid_of((5, 5, 4))
    levels = np.zeros(grid.shape, np.int16)
    levels[..., 0] = 9  # everywhere, but inside the mask it is another
    levels[1, 1, 0] = levels[1, 2, 0] = levels[2, 1, 0] = 4
    levels[4, 4, 1] = 7  # outside the mask only
    levels[1, 1, 2], levels[2, 2, 2] = 6, 5  # equally frequent
    np.testing.assert_array_equal(levels_of_slices(levels, mask_on(grid)), [4, 7, 5, np.nan])


def test_labels_that_do_not_fit_are_left_out_and_said_so(tmp_path):
    image = image_of("/data", IMAGE, acquisition="ax")
    name = next(iter(level_names(image)))
    write_image(tmp_path / name, (3, 3, 3))
    levels, notes = levels_for(find_level_file(image, [("x", tmp_path)]), mask_on(grid_of((5, 5, 4))))
    assert levels is None
    assert notes[0][0] == "levels-ignored"
    assert str(tmp_path) not in notes[0][1]
    assert levels_for(find_level_file(image, [("y", Path("/nowhere"))]), mask_on(grid_of((5, 5, 4)))) == (None, ())
