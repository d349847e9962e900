"""The example data set is valid, small and always the same, and its phantoms look like cords."""

import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.errors import OutputError, UsageError
from bids_deepseg.example import dataset, write_example
from bids_deepseg.example.phantom import draw_phantom, grid_around, make_phantom, scan
from bids_deepseg.geometry.grid import Grid

MM3 = (1.0, 1.0, 1.0)


def _contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _area_mm2(phantom):
    zooms = phantom.cord.grid.zooms
    return phantom.cord.data.sum((0, 1)) * zooms[0] * zooms[1]


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    folder = tmp_path_factory.mktemp("example") / "new" / "data"
    start = time.process_time()
    write_example(folder)
    # The clock of this process: other work on the machine does not count.
    assert time.process_time() - start < 30
    return folder


def _t2(rng, **options):
    return make_phantom(rng, contrast="t2", shape=(40, 40, 30), zooms=MM3, **options)


def test_writes_the_same_bytes_again(tmp_path, monkeypatch):
    # A quarter of the pixels: what is drawn from the seeds does not depend on their number.
    smaller = [replace(each, shape=tuple(max(8, n // 2) for n in each.shape)) for each in dataset._scans()]
    monkeypatch.setattr(dataset, "_scans", lambda: smaller)
    for folder in (tmp_path / "one", tmp_path / "other"):
        write_example(folder)
    assert _contents(tmp_path / "one") == _contents(tmp_path / "other")


def test_is_small_and_has_two_participants_and_three_contrasts(example):
    contents = _contents(example)
    assert sum(map(len, contents.values())) < 6_000_000
    images = sorted(name for name in contents if name.endswith(".nii.gz"))
    assert [Path(name).name for name in images] == [
        "sub-01_T2starw.nii.gz",
        "sub-01_T2w.nii.gz",
        "sub-02_T1w.nii.gz",
        "sub-02_T2w.nii.gz",
    ]
    codes = {name: "".join(nib.aff2axcodes(nib.load(example / name).affine)) for name in images}
    assert set(codes.values()) == {"LAS", "PSR", "RAS"}


def test_holds_no_truth(example):
    assert not [name for name in _contents(example) if "mask" in name or "seg" in name or "derivatives" in name]


def test_passes_the_bids_validator(example):
    validator = shutil.which("bids-validator-deno", path=str(Path(sys.executable).parent)) or shutil.which(
        "bids-validator-deno"
    )
    if validator is None:
        pytest.skip("bids-validator-deno is not installed")
    result = subprocess.run([validator, "--no-color", str(example)], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert "[ERROR]" not in result.stdout
    warnings = {line.split()[1] for line in result.stdout.splitlines() if "[WARNING]" in line}
    # Only recommended fields that describe a scanner, which does not exist.
    assert warnings <= {"SIDECAR_KEY_RECOMMENDED", "JSON_KEY_RECOMMENDED"}


def test_refuses_a_folder_with_content(tmp_path):
    (tmp_path / "precious").touch()
    with pytest.raises(OutputError, match="is not empty"):
        write_example(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["precious"]


def test_refuses_a_folder_that_cannot_be_made(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be made"):
        write_example(tmp_path / "file" / "below")


@pytest.mark.parametrize("contrast", ["t1", "t2", "t2s", "dwi"])
@pytest.mark.parametrize("seed", range(3))
def test_cord_has_a_human_size_in_every_slice(contrast, seed):
    phantom = make_phantom(np.random.default_rng(seed), contrast=contrast, shape=(40, 40, 24), zooms=(1, 1, 5))
    assert phantom.cord.data.min() >= 0
    assert phantom.cord.data.max() <= 1
    area = _area_mm2(phantom)
    assert area.min() > 40
    assert area.max() < 110
    i, j = np.nonzero(phantom.cord.data[..., 12] > 0.5)
    assert 10 <= i.max() - i.min() + 1 <= 16
    assert 6 <= j.max() - j.min() + 1 <= 10


def test_contrasts_order_the_tissues_as_scanners_do():
    for contrast, sign in (("t2", -1), ("t2s", -1), ("t1", 1), ("dwi", 1)):
        phantom = make_phantom(np.random.default_rng(4), contrast=contrast, shape=(60, 60, 20), zooms=(0.5, 0.5, 2))
        cord, image = phantom.cord.data, phantom.image.data
        inside = image[cord == 1].mean()
        ring = np.zeros(cord.shape, bool)
        # Fluid lies 1-2 mm in front of and behind the cord.
        for shift in (-3, 3):
            ring |= np.roll(cord > 0.5, shift, axis=1)
        fluid = np.median(image[ring & (cord == 0)])
        assert sign * (inside - fluid) > 0.25 * max(inside, fluid), contrast


def test_grey_matter_is_brighter_than_white_matter_in_t2s():
    phantom = make_phantom(np.random.default_rng(5), contrast="t2s", shape=(80, 80, 8), zooms=(0.4, 0.4, 3))
    values = phantom.image.data[phantom.cord.data == 1]
    low, high = np.percentile(values, [15, 85])
    assert high > 1.15 * low


def test_fraction_is_the_same_anatomy_on_any_grid():
    phantom = draw_phantom(np.random.default_rng(6))
    fine = grid_around((40, 40, 8), (0.5, 0.5, 1.0))
    coarse = grid_around((20, 20, 4), (1.0, 1.0, 2.0))
    flipped = grid_around((8, 40, 40), (1.0, 0.5, 0.5), axcodes=("I", "P", "R"))
    rng = np.random.default_rng(7)
    fractions = [scan(rng, phantom, grid, contrast="t2").cord.data for grid in (fine, coarse, flipped)]
    blocks = fractions[0].reshape(20, 2, 20, 2, 4, 2).mean((1, 3, 5))
    assert np.abs(blocks - fractions[1]).mean() < 0.01
    # Axes (I, P, R) turned to (L, A, S).
    turned = fractions[2][::-1, ::-1, ::-1].transpose(2, 1, 0)
    assert np.abs(turned - fractions[0]).max() < 1e-3


def test_scans_an_oblique_grid():
    angle = np.deg2rad(20)
    affine = np.eye(4)
    affine[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine[:3, 3] = -affine[:3, :3] @ [20, 20, 10]
    phantom = scan(
        np.random.default_rng(1), draw_phantom(np.random.default_rng(1)), Grid((41, 41, 21), affine), contrast="t1"
    )
    # A plane that crosses the cord at an angle cuts a larger area.
    assert 60 < _area_mm2(phantom).mean() < 120


def test_without_cord_nothing_is_cord(rng):
    phantom = _t2(rng, cord=False)
    assert not phantom.cord.data.any()
    assert phantom.image.data.std() > 0


def test_far_from_the_spine_there_is_no_cord(rng):
    assert not _t2(rng, centre_mm=(200.0, 0.0, 0.0)).cord.data.any()


def test_randomness_comes_from_the_generator_only():
    first, second = (_t2(np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first.image.data, second.image.data)
    assert not np.array_equal(first.image.data, _t2(np.random.default_rng(4)).image.data)


def test_unknown_contrast_is_named(rng):
    with pytest.raises(UsageError, match=r"'flair' is unknown\. One of dwi, t1, t2, t2s"):
        make_phantom(rng, contrast="flair", shape=(4, 4, 4), zooms=MM3)
