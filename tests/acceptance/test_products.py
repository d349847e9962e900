"""A14 and A16: products lie on the grid of their source to the bit, and tell nothing private."""

import base64
import gzip
import json
import os
import platform
import re
import socket
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from tests.helpers.fake_engine import cord, write_dataset, write_nifti
from tests.helpers.phantoms import grid_of

ROOT = Path(__file__).parents[2]
PRODUCTS = ("label-SC_desc-T2w_mask", "label-SC_desc-T2w_probseg", "label-SCcenterline_desc-T2w_mask")
SPACE = ("sform_code", "qform_code", "srow_x", "srow_y", "srow_z", "quatern_b", "quatern_c", "quatern_d")


def oblique():
    """Return a matrix that float32 cannot hold exactly: axes turned and swapped, unequal sizes."""
    angle = np.deg2rad(11.3)
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag([1.0, 1.0, 1.1])
    affine[:3, 3] = [-19.7, -20.3, -4.4]
    return affine


FORMS = {"both": (1, 2), "sform only": (4, 0), "qform only": (0, 1), "different": (2, 1)}


def write_form(path, form, extension, shape=(40, 40, 8), image_class=nib.Nifti1Image):
    """Write an image with the codes of sform and qform, with matrices that differ where both are given."""
    sform, qform = FORMS[form]
    image = image_class(cord(shape), None)
    image.header.set_xyzt_units("mm" if form != "sform only" else "unknown")
    image.set_sform(oblique() if sform else None, sform)
    other = oblique()
    other[:3, 3] += 0.25 if form == "different" else 0
    image.set_qform(other if qform else None, qform, strip_shears=True)
    image.to_filename(path.with_name(path.name + extension))


@pytest.mark.parametrize("extension", [".nii", ".nii.gz"])
def test_a16_products_have_exactly_the_grid_and_codes_of_their_source(run, tmp_path, extension):
    data = write_dataset(tmp_path / "in")
    for number, form in enumerate(FORMS):
        folder = data / f"sub-{number}" / "anat"
        folder.mkdir(parents=True)
        image_class = nib.Nifti2Image if form == "different" else nib.Nifti1Image
        write_form(folder / f"sub-{number}_T2w", form, extension, image_class=image_class)
    assert run(data, tmp_path / "out", "participant")[0] == 0
    for number, form in enumerate(FORMS):
        name = f"sub-{number}"
        source = nib.load(data / name / "anat" / f"{name}_T2w{extension}")
        for product in PRODUCTS:
            written = nib.load(tmp_path / "out" / name / "anat" / f"{name}_space-orig_{product}.nii.gz")
            _check_grid(written, source, form)
            _check_values(written, probability="probseg" in product)


def _check_grid(written, source, form):
    """Check that two images lie on the same grid to the bit."""
    assert type(written) is type(source)
    assert written.shape == source.shape
    assert written.affine.tobytes() == source.affine.tobytes(), form
    for field in SPACE:
        assert written.header[field].tobytes() == source.header[field].tobytes(), (form, field)
    assert written.header["pixdim"][:4].tobytes() == source.header["pixdim"][:4].tobytes()
    # A length without unit counts as mm, and the derivative says so.
    assert written.header.get_xyzt_units()[0] == "mm"


def _check_values(written, *, probability):
    """Check type and range of the values."""
    values = np.asanyarray(written.dataobj)
    assert written.get_data_dtype() == (np.float32 if probability else np.uint8)
    assert (values.min(), values.max()) == (0, 1) if not probability else 0 <= values.min() < 0.5 < values.max() <= 1
    if not probability:
        assert set(np.unique(values)) == {0, 1}


# ---- privacy --------------------------------------------------------------------------------------------------------

PRIVATE = {
    "AcquisitionDateTime": "2019-03-27T11:22:33",
    "AcquisitionTime": "11:22:33.445",
    "ContentDate": "20190327",
    "PatientName": "Doe^Jane",
    "PatientBirthDate": "19700417",
    "PatientID": "HOSP4711",
    "InstitutionName": "General Hospital Nowhere",
    "DeviceSerialNumber": "SN-998877",
    "StationName": "MRC35119",
    "StudyInstanceUID": "1.3.12.2.1107.5.2",
    "EchoTime": 0.1,
}
HOST, USER = "scanner-room-7", "jane.roe"


def private_texts(tmp_path):
    """Return what may stand nowhere in the output."""
    texts = {value for value in PRIVATE.values() if isinstance(value, str)}
    texts |= {"2019-03-27", "TE=4.9;Time=112233", "db_of_jane", str(tmp_path), str(ROOT), str(Path.home()) + "/"}
    return texts | {HOST, USER}


def test_a14_nothing_outside_of_the_logs_tells_path_user_host_or_date_of_the_scan(run, tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "gethostname", lambda: HOST)
    monkeypatch.setattr(platform, "node", lambda: HOST)
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", HOST, "6", "1", "x86_64")))
    for name in ("USER", "LOGNAME"):
        monkeypatch.setenv(name, USER)
    data = write_dataset(tmp_path / "in")
    path = data / "sub-01" / "anat" / "sub-01_T2w.nii.gz"
    path.parent.mkdir(parents=True)
    image = nib.Nifti1Image(cord(), grid_of((40, 40, 8)).affine)
    image.header["descrip"] = b"TE=4.9;Time=112233.445;Doe"
    image.header["db_name"] = b"db_of_jane"
    image.to_filename(path)
    (data / "T2w.json").write_text(json.dumps(PRIVATE))
    path.with_name("sub-01_T2w.json").write_text(json.dumps(PRIVATE))
    write_nifti(data / "sub-02" / "anat" / "sub-02_T2w.nii.gz", np.zeros((4, 4, 4), np.float32))
    (data / "sub-02" / "anat" / "sub-02_T2w.json").write_text(json.dumps(PRIVATE))
    assert run(data, tmp_path / "out", "participant", "group")[0] == 65
    n_files = 0
    for written in sorted((tmp_path / "out").rglob("*")):
        if written.is_file() and written.relative_to(tmp_path / "out").parts[0] != "logs":
            n_files += 1
            for content in _contents(written):
                found = [text for text in private_texts(tmp_path) if text.encode() in content]
                assert found == [], written.name
    assert n_files > 15


def _contents(path):
    """Yield the bytes of a file, and those that it holds compressed or encoded."""
    content = path.read_bytes()
    yield path.name.encode() + content
    if path.name.endswith(".gz"):
        # Neither the time of writing nor a file name is in the header of gzip.
        assert content[3] == 0
        assert content[4:8] == bytes(4)
        yield gzip.decompress(content)
    for encoded in re.findall(rb"base64,([A-Za-z0-9+/=]+)", content):
        yield base64.b64decode(encoded)


def test_a14_the_bytes_do_not_depend_on_place_and_time(run, tmp_path, monkeypatch):
    """Two copies of a data set in folders of other names, run at other times, by a user of another name."""
    outputs = []
    for name, seconds in (("one", 1_000_000_000), ("another_place", 1_500_000_000)):
        data = write_dataset(tmp_path / name / "in", "sub-01/anat/sub-01_T2w")
        os.utime(data / "sub-01/anat/sub-01_T2w.nii.gz", (seconds, seconds))
        monkeypatch.setenv("USER", name)
        monkeypatch.setenv("TZ", "Asia/Tokyo" if name == "one" else "UTC")
        assert run(data, tmp_path / name / "out", "participant", "group")[0] == 0
        out = tmp_path / name / "out"
        outputs.append(
            {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file() and "logs" not in p.parts}
        )
    assert outputs[0] == outputs[1]
