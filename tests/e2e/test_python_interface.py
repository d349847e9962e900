"""The Python interface gives what the command gives, for files, images of nibabel and volumes."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.spatialimages import SpatialImage as NibabelImage

import bids_deepseg
from bids_deepseg import Segmentation, Volume, segment
from bids_deepseg.app import python
from bids_deepseg.cli import main as cli
from bids_deepseg.errors import CordNotFoundError, DatasetError, ImageError, UsageError
from bids_deepseg.example import write_example
from bids_deepseg.execution import resources
from bids_deepseg.geometry.grid import Grid
from tests.helpers.fake_engine import FakeEngine, cord, write_nifti
from tests.helpers.phantoms import oblique

ENGINE = FakeEngine()


@pytest.fixture
def path(tmp_path):
    """Return an image with anisotropic, turned and flipped voxels."""
    affine = np.diag([-1.0, 1.0, 2.0, 1.0]) @ oblique().affine
    affine[:3, 3] = 10, -20, 30
    return write_nifti(tmp_path / "sub-01_T2w.nii.gz", cord((40, 44, 12)), affine)


def assert_same(first, second):
    for name in ("mask", "probability", "centerline_mask"):
        one, other = getattr(first, name), getattr(second, name)
        np.testing.assert_array_equal(one.data, other.data)
        np.testing.assert_allclose(one.grid.affine, other.grid.affine, rtol=0, atol=1e-5)
    assert first.verdict == second.verdict
    assert [found.code for found in first.findings] == [found.code for found in second.findings]


def assert_same_mask(first, second):
    np.testing.assert_array_equal(first.mask.data, second.mask.data)


def masks_of_command(tmp_path, path, monkeypatch, *words, engine=ENGINE):
    monkeypatch.setattr(resources, "_affinity", lambda: 1)
    assert cli.main(["segment", str(path), "-o", str(tmp_path / "out"), "-q", *words], engine=engine) == 0
    stem = path.name.partition(".")[0]
    return [nib.load(tmp_path / "out" / f"{stem}_label-SC_{kind}.nii.gz") for kind in ("mask", "probseg")]


def test_file_image_and_volume_give_what_the_command_gives(tmp_path, path, monkeypatch):
    mask, probability = masks_of_command(tmp_path, path, monkeypatch)
    result = segment(path, engine=ENGINE)
    assert isinstance(result, Segmentation)
    assert result.mask.data.sum() > 100
    np.testing.assert_array_equal(result.mask.data, np.asarray(mask.dataobj))
    np.testing.assert_array_equal(result.probability.data, np.asarray(probability.dataobj))
    np.testing.assert_allclose(result.mask.grid.affine, mask.affine, atol=1e-5)
    image = nib.load(path)
    assert_same(segment(str(path), engine=ENGINE), result)
    assert_same(segment(image, engine=ENGINE), result)
    grid = Grid(image.shape, image.affine)
    of_volume = segment(Volume(image.get_fdata(dtype=np.float32), grid), engine=ENGINE)
    assert_same(of_volume, result)
    np.testing.assert_array_equal(of_volume.mask.grid.affine, grid.affine)


@pytest.mark.parametrize("image_class", [nib.Nifti1Image, nib.Nifti2Image, nib.Nifti1Pair, nib.MGHImage, NibabelImage])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32])
def test_the_format_of_an_image_in_memory_does_not_matter(path, image_class, dtype):
    image = nib.load(path)
    values = np.round(image.get_fdata()).astype(dtype)
    rounded = nib.Nifti1Image(values, image.affine)
    assert_same(segment(image_class(values, image.affine), engine=ENGINE), segment(rounded, engine=ENGINE))


def test_an_image_in_memory_is_left_as_it_is(path):
    image = nib.Nifti1Image(nib.load(path).get_fdata(), nib.load(path).affine)
    header, values = image.header.copy(), image.get_fdata().copy()
    segment(image, engine=ENGINE)
    assert image.header == header
    np.testing.assert_array_equal(image.get_fdata(), values)


def test_scaled_values_and_the_unit_of_the_header_count(tmp_path, path):
    source = nib.load(path)
    affine = np.diag([1000.0, 1000, 1000, 1]) @ source.affine
    image = nib.Nifti1Image(source.get_fdata(), affine)
    image.header.set_xyzt_units("micron")
    image.header.set_data_dtype(np.int16)
    nib.save(image, tmp_path / "micron_T2w.nii.gz")
    saved = nib.load(tmp_path / "micron_T2w.nii.gz")
    assert saved.dataobj.slope != 1
    assert_same(segment(saved, engine=ENGINE), segment(tmp_path / "micron_T2w.nii.gz", engine=ENGINE))
    np.testing.assert_allclose(segment(saved, engine=ENGINE).mask.grid.affine, source.affine, atol=1e-3)


def test_what_was_done_to_the_values_is_told(path):
    image = nib.load(path)
    values = image.get_fdata()
    values[0, 0, 0] = np.nan
    found = segment(nib.Nifti1Image(values, image.affine), engine=ENGINE)
    assert "nan-replaced" in [one.code for one in found.findings]


def test_options_have_the_names_and_the_meaning_of_the_command_line(tmp_path, path, monkeypatch):
    (tmp_path / "points.csv").write_text("i,j,k\n20,22,1\n20,22,10\n")
    mask, _ = masks_of_command(
        tmp_path, path, monkeypatch, "--threshold", "0.9", "--centerline-file", str(tmp_path / "points.csv")
    )
    for image in (path, nib.load(path)):
        result = segment(image, threshold=0.9, centerline_file=str(tmp_path / "points.csv"), engine=ENGINE)
        np.testing.assert_array_equal(result.mask.data, np.asarray(mask.dataobj))
    whole = segment(path, threshold=1, engine=ENGINE, rescue="off")
    assert whole.mask.data.sum() <= mask.get_fdata().sum()
    assert segment(path, task="gm", engine=ENGINE).structure is not None


@pytest.mark.parametrize("image", ["path", "nibabel"])
@pytest.mark.parametrize("given", ["none.csv", "."])
def test_a_centerline_that_is_no_file_is_refused(tmp_path, path, image, given):
    with pytest.raises(DatasetError, match="which is no file"):
        segment(path if image == "path" else nib.load(path), centerline_file=tmp_path / given, engine=ENGINE)


def test_the_volume_of_a_file_is_chosen_as_on_the_command_line(tmp_path, path):
    image = nib.load(path)
    values = image.get_fdata(dtype=np.float32)
    series = write_nifti(tmp_path / "series.nii.gz", np.stack([np.roll(values, 3, 0), values], -1), image.affine)
    for number in (1, "1", np.int64(1)):
        assert_same_mask(segment(series, volume=number, engine=ENGINE), segment(path, engine=ENGINE))
    assert_same_mask(segment(series, engine=ENGINE), segment(series, volume="first", engine=ENGINE))


@pytest.mark.parametrize("page", ["README.md", "docs/api.md"])
def test_the_example_of_the_documents_runs(tmp_path, path, monkeypatch, capsys, page):
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.+?)```", text, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(python, "NetworkEngine", lambda backend: ENGINE)
    exec(compile(code, page, "exec"), {})
    assert capsys.readouterr().out.startswith(("pass", "warn"))
    saved, result = nib.load("cord.nii.gz"), segment(path, engine=ENGINE)
    np.testing.assert_array_equal(np.asarray(saved.dataobj), result.mask.data)
    np.testing.assert_allclose(saved.affine, nib.load(path).affine, atol=1e-5)


def test_models_are_loaded_once(tmp_path, path):
    engine = FakeEngine(trace=tmp_path / "trace")
    engine.trace.mkdir()
    (tmp_path / "points.csv").write_text("i,j,k\n20,22,1\n20,22,10\n")
    (tmp_path / "others.csv").write_text("i,j,k\n20,22,2\n20,22,10\n")
    for _ in range(2):
        segment(path, engine=engine)
        segment(path, contrast="t1", engine=engine)
        segment(path, centerline_file=tmp_path / "points.csv", engine=engine)
        segment(path, centerline_file=tmp_path / "others.csv", engine=engine)
    assert engine.count("load") == 2
    assert engine.count("segment") == 8


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"kernels": "3d"}, "did you mean 'kernel'"),
        ({"corrections": "x"}, "'corrections' does not exist"),
        ({"smoothness": 1.0}, "'smoothness' does not exist"),
        ({"kernel": 3}, "--kernel is 3"),
        ({"kernel": None}, "--kernel is None"),
        ({"threshold": "0.5"}, "--threshold is 0.5"),
        ({"threshold": True}, "--threshold is True"),
        ({"threshold": np.float32(1.5)}, "--threshold is 1.5"),
        ({"centerline_file": 5}, "A path is expected"),
        ({"centerline": "file"}, "needs --centerline-file"),
        ({"contrast": "T2w"}, "Expected: t1, t2, t2s, dwi"),
        ({"contrast": "auto"}, "Expected: t1, t2, t2s, dwi"),
        ({"volume": "last"}, "--volume is 'last'"),
    ],
)
def test_wrong_options_are_refused_with_a_sentence(path, options, text):
    with pytest.raises(UsageError, match=text):
        segment(path, engine=ENGINE, **options)


def test_wrong_images_are_refused_with_a_sentence(tmp_path, path):
    affine = nib.load(path).affine
    flat = np.eye(4)
    flat[:2, 1] = 1, 0
    image = cord((40, 44, 12))
    (tmp_path / "broken.nii").write_bytes(b"no image")
    cases = [
        (tmp_path / "none.nii.gz", DatasetError, "is not an image"),
        (tmp_path, DatasetError, "is not an image"),
        (tmp_path / "broken.nii", ImageError, "broken.nii"),
        (image, UsageError, "of the type ndarray"),
        (None, UsageError, "of the type NoneType"),
        (nib.Nifti1Image(np.stack([image, image], -1), affine), ImageError, "2 volumes"),
        (nib.Nifti1Image(np.zeros((40, 44, 12), np.float32), affine), ImageError, "same value"),
        (nib.Nifti1Image(image + np.float32(np.nan), affine), ImageError, "NaN"),
        (nib.Nifti1Image(image.astype(np.complex64), affine), ImageError, "complex64"),
        (nib.Nifti1Image(image, flat), ImageError, "singular"),
        (nib.Nifti1Image(image[..., :0], affine), ImageError, "At least one voxel"),
        (Volume(np.zeros((40, 44, 12), np.uint8), Grid((40, 44, 12), affine)), ImageError, "same value"),
        (nib.Nifti1Image(np.random.default_rng(0).normal(size=image.shape), affine), CordNotFoundError, "No cord"),
    ]
    for wrong, error, text in cases:
        with pytest.raises(error, match=text):
            segment(wrong, engine=ENGINE)


def test_a_truncated_file_behind_an_image_of_nibabel_is_refused(tmp_path, path):
    whole = tmp_path / "whole.nii"
    nib.save(nib.load(path), whole)
    (tmp_path / "short.nii").write_bytes(whole.read_bytes()[:-1000])
    for wrong in (tmp_path / "short.nii", nib.load(tmp_path / "short.nii")):
        with pytest.raises(ImageError, match=r"short\.nii"):
            segment(wrong, engine=ENGINE)


def test_the_package_offers_its_names_and_no_others():
    assert {"segment", "Volume", "Segmentation", "__version__"} <= set(dir(bids_deepseg))
    assert bids_deepseg.Volume is Volume
    with pytest.raises(AttributeError, match="nothing"):
        bids_deepseg.nothing  # noqa: B018 - looks the name up


def test_importing_the_package_alone_loads_no_library():
    code = "import sys, bids_deepseg; print(json.dumps(sorted({'numpy', 'nibabel', 'keras'} & set(sys.modules))))"
    done = subprocess.run([sys.executable, "-c", f"import json; {code}"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


@pytest.mark.slow
def test_the_networks_give_the_masks_of_the_command(tmp_path, monkeypatch):
    write_example(tmp_path / "example")
    path = min((tmp_path / "example").rglob("*.nii.gz"), key=lambda path: path.stat().st_size)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "-1")
    mask, probability = masks_of_command(tmp_path, path, monkeypatch, engine=None)
    result = segment(nib.load(path), contrast="t2")
    np.testing.assert_array_equal(result.mask.data, np.asarray(mask.dataobj))
    np.testing.assert_allclose(result.probability.data, np.asarray(probability.dataobj), atol=1e-6)
    assert result.mask.data.any()
