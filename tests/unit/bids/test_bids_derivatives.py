"""Writing results and reading them back."""

import errno
import gzip
import hashlib
import json
import math
import time
from contextlib import nullcontext
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.bids.derivatives import products
from bids_deepseg.bids.derivatives import writer as derivatives
from bids_deepseg.bids.derivatives.failures import read_failures, record_failure
from bids_deepseg.bids.derivatives.layout import ResultFiles
from bids_deepseg.bids.derivatives.provenance import CacheKey, mask_sidecar
from bids_deepseg.bids.derivatives.saved import find_saved, is_current, read_saved
from bids_deepseg.bids.derivatives.writer import ImageProducts, write_products
from bids_deepseg.bids.naming import PRODUCTS, derivative_path
from bids_deepseg.bids.source.reader import read_image
from bids_deepseg.errors import OutputError, OutputWriteError
from bids_deepseg.files import atomic
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.networks.specs import KnownModel
from bids_deepseg.stages.metrics import COLUMNS
from tests.helpers.bids_trees import (
    WARNING,
    contents,
    image_of,
    make_dataset,
    segmentation_of,
    stamp_of,
    write_image,
    write_result,
)

T2W = "sub-01/anat/sub-01_T2w.nii.gz"
MASK = "sub-01/anat/sub-01_space-orig_label-SC_desc-T2w_mask"


@pytest.fixture
def raw(tmp_path):
    return make_dataset(tmp_path / "raw", {T2W: (6, 7, 5)}, DatasetDOI="doi:10.1/x")


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


def sidecar_of(out, name=MASK):
    return json.loads((out / f"{name}.json").read_text())


@pytest.mark.parametrize("image_class", [nib.Nifti1Image, nib.Nifti2Image])
def test_images_have_exactly_the_grid_of_the_source(raw, out, image_class):
    source = nib.load(raw / T2W)
    source = image_class(np.asanyarray(source.dataobj), None, image_class.header_class.from_header(source.header))
    source.header["qform_code"], source.header["sform_code"] = 3, 1
    source.header["srow_x"][3] += np.float32(0.1)
    nib.save(source, raw / T2W)
    source = nib.load(raw / T2W)
    image = image_of(raw, T2W)
    write_result(image, out)
    for product, dtype in (("mask", np.uint8), ("centerline_mask", np.uint8), ("probseg", np.float32)):
        written = nib.load(out / derivative_path(image, product))
        assert type(written) is image_class
        assert written.get_data_dtype() == dtype
        assert written.shape == source.shape
        assert written.affine.tobytes() == source.affine.tobytes()
        for field in ("qform_code", "sform_code", "srow_x", "srow_y", "srow_z", "quatern_b", "xyzt_units"):
            np.testing.assert_array_equal(written.header[field], source.header[field])
        np.testing.assert_array_equal(written.header["pixdim"][:4], source.header["pixdim"][:4])
        assert b"John" not in gzip.decompress((out / derivative_path(image, product)).read_bytes())
    assert set(np.unique(nib.load(out / f"{MASK}.nii.gz").dataobj)) == {0, 1}
    assert written.get_fdata().max() == 0.875


def test_a_plane_stays_a_plane_and_a_series_becomes_a_volume(tmp_path, out):
    raw = make_dataset(tmp_path / "raw", {T2W: (6, 7), "sub-01/dwi/sub-01_dwi.nii.gz": (6, 7, 5, 4)})
    for name, shape in ((T2W, (6, 7)), ("sub-01/dwi/sub-01_dwi.nii.gz", (6, 7, 5))):
        image = image_of(raw, name)
        write_result(image, out)
        assert nib.load(out / derivative_path(image, "mask")).shape == shape
    assert sidecar_of(out, "sub-01/dwi/sub-01_space-orig_label-SC_desc-dwi_mask")["VolumesUsed"] == "all 4 volumes"


def test_the_mask_and_its_sidecar_are_written_last(raw, out):
    written = write_result(image_of(raw, T2W), out)
    assert [path.name for path in written[-2:]] == [
        f"{MASK.rsplit('/', maxsplit=1)[-1]}{end}" for end in (".nii.gz", ".json")
    ]
    assert sorted(path.relative_to(out).as_posix() for path in written) == sorted(contents(out))
    # There is no heatmap without a detection network.
    assert len(written) == 2 * (len(PRODUCTS) - 1)


def test_the_same_result_gives_the_same_bytes(raw, out, tmp_path, monkeypatch):
    write_result(image_of(raw, T2W), out)
    monkeypatch.setattr(time, "time", lambda: 2e9)
    write_result(image_of(raw, T2W), tmp_path / "again")
    assert contents(out) == contents(tmp_path / "again")


def test_the_sidecar_of_the_mask_tells_everything_and_nothing_private(raw, out, tmp_path):
    write_result(image_of(raw, T2W), out, findings=[WARNING])
    sidecar = sidecar_of(out)
    fingerprint = sidecar.pop("SourceFingerprint")
    assert fingerprint["Size"] == (raw / T2W).stat().st_size
    beside = {
        path.name: path.read_bytes() for path in out.glob("sub-01/anat/*") if not path.name.endswith("_mask.json")
    }
    beside |= {path.name: path.read_bytes() for path in out.glob("sub-01/anat/*SCcenterline*_mask.json")}
    assert sidecar.pop("Products") == {
        name: {"Size": len(content), "SHA256": hashlib.sha256(content).hexdigest()} for name, content in beside.items()
    }
    assert sidecar == {
        "Description": "Spinal cord in sub-01_T2w",
        "Sources": ["bids:raw:sub-01/anat/sub-01_T2w.nii.gz"],
        "SpatialReference": "orig",
        "Manual": False,
        "Type": "ROI",
        "GeneratedBy": [{"Name": "bids_deepseg", "Version": "0.1.0"}],
        "Model": [{"Name": name, "Contrast": "any", "SHA256": "ab" * 32} for name in ("detection", "segmentation")],
        "Threshold": 0.5,
        "Options": {"contrast": "auto"},
        "ConfigHash": stamp_of().config_hash,
        "QC": {"Verdict": "warn", "Reasons": [{"Code": "gap", "Severity": "warn", "Message": WARNING.message}]},
        "Measures": {"MeanArea_mm2": 6.15, "Slices": 4},
    }
    for name, content in contents(out).items():
        text = gzip.decompress(content) if name.endswith(".gz") else content
        assert str(tmp_path).encode() not in text


def test_the_sidecar_names_the_models_that_made_the_result(raw):
    image = image_of(raw, T2W)
    loaded, cache_key = read_image(image), stamp_of()
    other = replace(segmentation_of(loaded.volume), models=(KnownModel("propseg", "any", 0.4, "cd" * 32),))
    sidecar = mask_sidecar("source", image, loaded, other, cache_key)
    assert [model["Name"] for model in sidecar["Model"]] == ["propseg"]
    assert (sidecar["Threshold"], sidecar["ConfigHash"]) == (0.4, cache_key.config_hash)


def test_without_a_link_to_the_source_the_source_is_no_uri(tmp_path, out):
    raw = make_dataset(tmp_path / "raw", {T2W: (6, 7, 5)})
    write_result(image_of(raw, T2W), out)
    assert sidecar_of(out)["Sources"] == ["sub-01/anat/sub-01_T2w.nii.gz"]
    assert read_saved(image_of(raw, T2W), out).source == T2W
    write_result(image_of(raw, T2W), out, links={"raw": "https://example.org"})
    assert sidecar_of(out)["Sources"] == ["bids:raw:sub-01/anat/sub-01_T2w.nii.gz"]
    assert read_saved(image_of(raw, T2W), out).source == T2W


def test_the_echo_time_is_inherited(tmp_path, out):
    name = "sub-01/anat/sub-01_echo-2_MEGRE.nii.gz"
    raw = make_dataset(tmp_path / "raw", {name: (6, 7, 5)})
    (raw / "MEGRE.json").write_text('{"EchoTime": 0.001, "PatientName": "x"}')
    (raw / "sub-01/anat/sub-01_echo-2_MEGRE.json").write_text('{"EchoTime": 0.012}')
    image = image_of(raw, name, echo="2")
    write_result(image, out)
    for product in ("mask", "probseg", "centerline_mask"):
        name = derivative_path(image, product).as_posix().removesuffix(".nii.gz")
        assert sidecar_of(out, name)["EchoTime"] == 0.012
        assert "PatientName" not in sidecar_of(out, name)


def test_tables_have_fixed_formats_and_described_columns(raw, out):
    write_result(image_of(raw, T2W), out)
    morph = (out / MASK.replace("_mask", "_morph.tsv")).read_text().splitlines()
    assert morph[0].split("\t") == list(COLUMNS)
    first, last = morph[1].split("\t"), morph[-1].split("\t")
    assert (first[0], first[4], last[4]) == ("0", "6.0000", "n/a")
    assert first[1] == "0.0000"
    described = sidecar_of(out, MASK.replace("_mask", "_morph"))
    assert described["area_mm2"] == {"Description": COLUMNS["area_mm2"].description, "Units": "mm^2"}
    points = (out / MASK.replace("_mask", "_centerline.tsv")).read_text().splitlines()
    assert points[0] == "x_mm\ty_mm\tz_mm"
    assert points[1] == "-8.000\t19.625\t-31.875"


def test_saved_results_read_back(raw, out):
    image = image_of(raw, T2W)
    assert read_saved(image, out) is None
    write_result(image, out, findings=[WARNING])
    saved = read_saved(image, out)
    assert (saved.verdict, saved.n_slices, saved.csa_mean) == ("warn", 4, 6.15)
    assert [reason.code for reason in saved.reasons] == ["gap"]
    assert (saved.subject, saved.session, saved.description, saved.source) == ("01", None, "T2w", T2W)
    assert saved.name == MASK.rsplit("/", maxsplit=1)[-1]
    assert list(saved.morph()) == list(COLUMNS)
    assert np.isnan(saved.morph()["area_mm2"]).tolist() == [False] * 4 + [True]
    assert saved.centerline().shape == (5, 3)
    assert saved.probseg.name.endswith("_label-SC_desc-T2w_probseg.nii.gz")
    assert saved.centerline_mask.name.endswith("_label-SCcenterline_desc-T2w_mask.nii.gz")
    assert [result.mask for result in find_saved(out)] == [saved.mask]


def test_products_that_are_not_wanted_are_not_written(raw, out):
    image = image_of(raw, T2W)
    cache_key = stamp_of(products=("mask",))
    assert len(write_result(image, out, cache_key=cache_key)) == 2
    saved = read_saved(image, out)
    assert (saved.probseg, saved.centerline_mask, saved.morph(), len(saved.centerline())) == (None, None, {}, 0)
    assert is_current(image, out, cache_key)
    assert not is_current(image, out, stamp_of())
    with pytest.raises(ValueError, match="at least one model"):
        CacheKey("1", ())


def test_an_unchanged_result_is_current(raw, out):
    image = image_of(raw, T2W)
    assert not is_current(image, out, stamp_of())
    write_result(image, out)
    assert is_current(image, out, stamp_of())
    assert not math.isnan(read_saved(image, out).csa_mean)


@pytest.mark.parametrize("change", [{"version": "9"}, {"sha256": "cd" * 32}, {"options": {"contrast": "t2"}}])
def test_another_version_network_or_option_makes_a_result_old(raw, out, change):
    write_result(image_of(raw, T2W), out)
    assert not is_current(image_of(raw, T2W), out, stamp_of(**change))


def test_another_source_makes_a_result_old(raw, out):
    image = image_of(raw, T2W)
    write_result(image, out)
    content = bytearray((raw / T2W).read_bytes())
    content[20] ^= 1
    (raw / T2W).write_bytes(bytes(content))
    assert not is_current(image, out, stamp_of())
    (raw / T2W).unlink()
    assert not is_current(image, out, stamp_of())


def test_other_b_values_make_a_result_old(tmp_path, out):
    name = "sub-01/dwi/sub-01_dwi.nii.gz"
    raw = make_dataset(tmp_path / "raw", {name: (6, 7, 5, 3)})
    bval = raw / "sub-01/dwi/sub-01_dwi.bval"
    bval.write_text("0 800 800")
    write_result(image_of(raw, name), out)
    assert is_current(image_of(raw, name), out, stamp_of())
    bval.write_text("0 0 800")
    assert not is_current(image_of(raw, name), out, stamp_of())


@pytest.mark.parametrize("number", range(10))
def test_a_result_with_a_missing_file_is_old(raw, out, number):
    written = write_result(image_of(raw, T2W), out)
    written[number].unlink()
    assert not is_current(image_of(raw, T2W), out, stamp_of())


@pytest.mark.parametrize("how", ["empty", "half", "zeros", "one byte"])
@pytest.mark.parametrize("number", range(9))
def test_a_result_with_a_damaged_file_is_old(raw, out, number, how):
    path = write_result(image_of(raw, T2W), out)[number]
    content = path.read_bytes()
    damaged = {
        "empty": b"",
        "half": content[: len(content) // 2],
        "zeros": bytes(len(content)),
        "one byte": content[:-6] + bytes([content[-6] ^ 1]) + content[-5:],
    }
    path.write_bytes(damaged[how])
    assert not is_current(image_of(raw, T2W), out, stamp_of())


def test_a_mask_that_a_person_edited_stays_and_is_known_as_such(raw, out):
    image = image_of(raw, T2W)
    path = write_result(image, out)[-2]
    assert not read_saved(image, out).is_edited
    nifti = nib.load(path)
    data = np.asarray(nifti.dataobj).copy()
    data[0] = 1
    nib.Nifti1Image(data, nifti.affine, nifti.header).to_filename(path)
    assert is_current(image, out, stamp_of())
    assert read_saved(image, out).is_edited


def test_a_large_file_is_compared_by_its_size(raw, out, monkeypatch):
    monkeypatch.setattr(products, "MOST_READ", 10)
    path = next(path for path in write_result(image_of(raw, T2W), out) if path.name.endswith("probseg.nii.gz"))
    content = path.read_bytes()
    path.write_bytes(bytes(len(content)))
    assert is_current(image_of(raw, T2W), out, stamp_of())
    path.write_bytes(content[:-1])
    assert not is_current(image_of(raw, T2W), out, stamp_of())


def test_files_that_another_run_mixes_in_are_written_again(raw, out, monkeypatch):
    """Without locks, as on some network drives: another run with other options writes in the middle."""
    image, path_class = image_of(raw, T2W), type(out)
    loaded = read_image(image)
    other = segmentation_of(loaded.volume)
    other = replace(other, probability=Volume(other.probability.data * np.float32(0.5), loaded.volume.grid))
    replace_file, calls = path_class.replace, iter(range(100))
    monkeypatch.setattr(derivatives, "holding", lambda *_args, **_more: nullcontext())
    monkeypatch.setattr(derivatives, "_PAUSE_S", 0.0)

    def robbed(self, target):
        if next(calls) == 4:
            others = ImageProducts(image, loaded, other, stamp_of(options={"threshold": 0.9}))
            write_products(others, ResultFiles.of_image(out, image))
        return replace_file(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(path_class, "replace", robbed)
        write_result(image, out)
    assert is_current(image, out, stamp_of())
    probability = np.asarray(nib.load(read_saved(image, out).probseg).dataobj)
    assert probability.max() == np.float32(0.875)


def test_a_drive_that_loses_data_is_named_and_leaves_no_result(raw, out, monkeypatch):
    monkeypatch.setattr(derivatives, "_PAUSE_S", 0.0)
    path_class = type(out)
    replace_file = path_class.replace

    def lose(self, target):
        done = replace_file(self, target)
        if target.name.endswith("probseg.nii.gz"):
            target.write_bytes(b"")
        return done

    monkeypatch.setattr(path_class, "replace", lose)
    with pytest.raises(OutputWriteError, match="loses data"):
        write_result(image_of(raw, T2W), out)
    assert read_saved(image_of(raw, T2W), out) is None


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"Sources": [], "QC": 1, "Measures": {}, "ConfigHash": ""}'])
def test_a_damaged_sidecar_is_no_result(raw, out, content):
    written = write_result(image_of(raw, T2W), out)
    written[-1].write_text(content)
    assert read_saved(image_of(raw, T2W), out) is None
    assert not is_current(image_of(raw, T2W), out, stamp_of())


@pytest.mark.parametrize("fail_at", range(10))
def test_a_run_that_dies_while_writing_leaves_no_complete_result_and_nothing_that_stays(raw, out, fail_at, monkeypatch):
    image = image_of(raw, T2W)
    write_result(image, out, cache_key=stamp_of(version="0.0.9"))

    class Killed(BaseException):
        pass

    calls = iter(range(100))
    path_class = type(out)
    replace = path_class.replace

    def die(self, target):
        if next(calls) == fail_at:
            raise Killed
        return replace(self, target)

    # A killed process does not clean up either.
    with monkeypatch.context() as patched:
        patched.setattr(path_class, "replace", die)
        patched.setattr(atomic, "_remove_all", lambda _paths: None)
        with pytest.raises(Killed):
            write_result(image, out)
    assert read_saved(image, out) is None
    assert any("/.tmp-" in name for name in contents(out))
    write_result(image, out)
    complete = contents(out)
    assert len(complete) == 10
    assert is_current(image, out, stamp_of())


def test_a_temporary_file_removed_by_another_process_is_written_again(raw, out, monkeypatch):
    path_class = type(out)
    replace, calls = path_class.replace, iter(range(100))

    def robbed(self, target):
        if next(calls) == 2:
            self.unlink()
        return replace(self, target)

    monkeypatch.setattr(path_class, "replace", robbed)
    write_result(image_of(raw, T2W), out)
    assert is_current(image_of(raw, T2W), out, stamp_of())


@pytest.mark.parametrize(
    ("number", "error_class", "told"),
    [
        (errno.ENOSPC, OutputWriteError, "MB are free"),
        (errno.EIO, OutputWriteError, "Make room"),
        (errno.EACCES, OutputError, "-u $(id -u):$(id -g)"),
        (errno.EROFS, OutputError, "runs as"),
    ],
)
def test_errors_of_the_disk_are_told_with_their_remedy(raw, out, number, error_class, told, monkeypatch):
    def fail(_descriptor):
        raise OSError(number, "reason")

    monkeypatch.setattr(atomic.os, "fsync", fail)
    with pytest.raises(error_class) as caught:
        write_result(image_of(raw, T2W), out)
    assert type(caught.value) is error_class
    assert told in str(caught.value)
    assert contents(out) == {}


def test_a_file_in_place_of_the_output_folder_is_told(raw, tmp_path):
    (tmp_path / "out").write_text("x")
    with pytest.raises(OutputError, match=r"cannot be created.*belongs to") as caught:
        write_result(image_of(raw, T2W), tmp_path / "out")
    assert caught.value.exit_code == 73


def test_a_failure_is_recorded_until_the_image_succeeds(raw, out):
    image = image_of(raw, T2W)
    record_failure(image, out, status="bad-image", message="It is bad.\nVery.")
    (failure,) = read_failures(out)
    assert (failure.source, failure.subject, failure.status) == (T2W, "01", "bad-image")
    write_image(raw / T2W)
    write_result(image, out)
    assert list(read_failures(out)) == []
