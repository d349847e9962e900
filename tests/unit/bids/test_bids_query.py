"""Finding images."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bids_deepseg.bids.image import BidsImage
from bids_deepseg.bids.source.query import Selection, find_images
from bids_deepseg.errors import DatasetError, SelectionError
from tests.helpers.bids_trees import make_dataset


def touch(root, *names):
    (root / "dataset_description.json").parent.mkdir(parents=True, exist_ok=True)
    (root / "dataset_description.json").write_text("{}")
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def paths(result):
    return [image.relative_path for image in result.images]


def test_images_are_found_with_and_without_sessions_and_nowhere_else(tmp_path):
    root = touch(
        tmp_path,
        "sub-01/anat/sub-01_T2w.nii.gz",
        "sub-01/dwi/sub-01_dir-AP_dwi.nii.gz",
        "sub-01/dwi/sub-01_dir-AP_dwi.bval",
        "sub-02/ses-a/anat/sub-02_ses-a_T1w.nii",
        "sub-02/ses-a/anat/.sub-02_ses-a_T2w.nii.gz",
        "sub-02/ses-a/func/sub-02_ses-a_task-x_bold.nii.gz",
        "derivatives/x/sub-01/anat/sub-01_T2w.nii.gz",
        "sourcedata/sub-01/anat/sub-01_T2w.nii.gz",
        ".git/sub-01/anat/sub-01_T2w.nii.gz",
    )
    result = find_images(root, Selection())
    assert paths(result) == [
        "sub-01/anat/sub-01_T2w.nii.gz",
        "sub-01/dwi/sub-01_dir-AP_dwi.nii.gz",
        "sub-02/ses-a/anat/sub-02_ses-a_T1w.nii",
    ]
    assert result.subjects == ("01", "02")
    assert (result.without_images, result.unknown, result.skipped) == ({}, (), ())


def test_entities_have_the_names_of_pybids_and_values_as_written(tmp_path):
    name = "sub-01_ses-b_acq-ax_run-01_echo-2_flip-1_mt-on_part-mag_foo-x_MTS"
    (image,) = find_images(touch(tmp_path, f"sub-01/ses-b/anat/{name}.nii.gz"), Selection()).images
    assert image.entities == {
        **{"subject": "01", "session": "b", "acquisition": "ax", "run": "01", "echo": "2", "flip": "1", "mt": "on"},
        **{"part": "mag", "foo": "x"},
    }
    assert (image.name, image.suffix, image.datatype, image.subject, image.session) == (name, "MTS", "anat", "01", "b")


def test_an_image_is_equal_and_hashed_by_its_path_and_travels_between_processes():
    image = BidsImage(Path("/d/sub-01/anat/sub-01_T2w.nii"), Path("/d"), {"subject": "01"}, "T2w", "anat")
    again = pickle.loads(pickle.dumps(image))
    assert (again, hash(again), again.entities) == (image, hash(image), image.entities)
    assert image.name == "sub-01_T2w"
    with pytest.raises(ValueError, match="no subject"):
        BidsImage(image.path, image.root, {}, "T2w", "anat")
    with pytest.raises(ValueError, match="expected anat, dwi or func"):
        BidsImage(image.path, image.root, {"subject": "01"}, "epi", "fmap")


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["sub-01/anat/sub-01_part-phase_T2starw.nii.gz"], "only magnitude"),
        (["sub-01/anat/sub-01_part-imag_T2starw.nii.gz"], "only magnitude"),
        (["sub-01/anat/T2w.nii.gz"], "disagree on sub-"),
        (["sub-01/anat/sub-02_T2w.nii.gz"], "disagree on sub-"),
        (["sub-01/ses-a/anat/sub-01_T2w.nii.gz"], "disagree on ses-"),
        (["sub-01/anat/sub-01_T2w (copy).nii.gz"], "not of the form"),
        (["sub-01/dwi/sub-01_T2w.nii.gz"], "does not belong"),
    ],
)
def test_files_that_cannot_be_segmented_are_skipped_with_a_reason(tmp_path, names, reason):
    result = find_images(touch(tmp_path, "sub-01/anat/sub-01_T1w.nii.gz", *names), Selection())
    assert paths(result) == ["sub-01/anat/sub-01_T1w.nii.gz"]
    (skipped,) = result.skipped
    assert skipped.path == tmp_path / names[0]
    assert reason in skipped.reason


def test_of_a_compressed_and_an_uncompressed_file_the_compressed_is_taken(tmp_path):
    result = find_images(touch(tmp_path, "sub-01/anat/sub-01_T2w.nii", "sub-01/anat/sub-01_T2w.nii.gz"), Selection())
    assert paths(result) == ["sub-01/anat/sub-01_T2w.nii.gz"]
    assert "exists beside it" in result.skipped[0].reason


def test_links_are_followed_and_dangling_links_are_images(tmp_path):
    touch(tmp_path / "store", "sub-02/anat/sub-02_T2w.nii.gz")
    root = touch(tmp_path / "raw", "sub-01/anat/sub-01_T1w.nii.gz")
    (root / "sub-02").symlink_to(tmp_path / "store" / "sub-02")
    (root / "sub-01/anat/sub-01_T2w.nii.gz").symlink_to("../../.git/annex/objects/gone")
    assert len(find_images(root, Selection()).images) == 3


def test_selecting_participants_names_the_unknown_with_the_nearest(tmp_path):
    root = touch(tmp_path, "sub-01/anat/sub-01_T2w.nii.gz", "sub-02/anat/sub-02_T2w.nii.gz")
    result = find_images(root, Selection(participants=frozenset({"01", "1", "zzz"})))
    assert result.subjects == ("01",)
    assert [(each.value, each.nearest) for each in result.unknown] == [("1", "01"), ("zzz", None)]
    with pytest.raises(SelectionError, match=r"label 2 \(nearest: 02\).*has 01, 02"):
        find_images(root, Selection(participants=frozenset({"2"})))


def test_images_without_session_are_in_every_session(tmp_path):
    root = touch(
        tmp_path,
        "sub-01/anat/sub-01_T2w.nii.gz",
        "sub-02/ses-pre/anat/sub-02_ses-pre_T2w.nii.gz",
        "sub-02/ses-post/anat/sub-02_ses-post_T2w.nii.gz",
    )
    result = find_images(root, Selection(sessions=frozenset({"post"})))
    assert paths(result) == ["sub-01/anat/sub-01_T2w.nii.gz", "sub-02/ses-post/anat/sub-02_ses-post_T2w.nii.gz"]
    with pytest.raises(SelectionError, match=r"sessions prae \(nearest: pre\)"):
        find_images(root, Selection(participants=frozenset({"02"}), sessions=frozenset({"prae"})))


def test_suffixes_that_select_nothing_are_told_with_those_that_exist(tmp_path):
    root = touch(tmp_path, "sub-01/anat/sub-01_T2w.nii.gz", "sub-01/anat/sub-01_FLAIR.nii.gz")
    with pytest.raises(SelectionError, match=r"suffixes T1w.*have the suffixes T2w"):
        find_images(root, Selection(suffixes=frozenset({"T1w"})))
    assert find_images(root, Selection()).unsupported == {"FLAIR": 1}


def test_a_participant_without_images_is_listed_with_what_was_found(tmp_path):
    root = touch(
        tmp_path,
        "sub-01/anat/sub-01_T2w.nii.gz",
        "sub-02/anat/sub-02_FLAIR.nii.gz",
        "sub-03/func/sub-03_task-x_bold.nii.gz",
        "sub-04/ses-a/anat/sub-04_ses-a_part-phase_T2w.nii.gz",
    )
    without = find_images(root, Selection()).without_images
    assert list(without) == ["02", "03", "04"]
    assert "1 FLAIR" in without["02"]
    assert "no NIfTI image" in without["03"]
    assert "sessions a" in without["04"]
    assert "magnitude" in without["04"]


def test_a_data_set_without_any_usable_image_is_no_error_of_the_selection(tmp_path):
    result = find_images(touch(tmp_path, "sub-01/anat/sub-01_FLAIR.nii.gz"), Selection())
    assert (result.images, list(result.without_images)) == ((), ["01"])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: p / "absent", "does not exist.*is it mounted.*-v /path/on/host:/bids_dataset:ro"),
        (lambda p: p, "is empty.*is it mounted"),
        (lambda p: touch(p) / "dataset_description.json", "is a file"),
        (touch, "no sub-"),
        (
            lambda p: (touch(p / "x", "sub-01/anat/a") / "dataset_description.json").unlink() or p / "x",
            "no dataset_desc",
        ),
    ],
    ids=["absent", "empty", "file", "no participant", "no description"],
)
def test_what_is_no_data_set_is_named(tmp_path, make, message):
    with pytest.raises(DatasetError, match=message) as caught:
        find_images(make(tmp_path), Selection())
    assert caught.value.exit_code == 66


def test_a_folder_that_cannot_be_listed_is_skipped(tmp_path, monkeypatch):
    root = touch(tmp_path, "sub-01/anat/sub-01_T2w.nii.gz", "sub-02/anat/sub-02_T2w.nii.gz")
    scandir = os.scandir

    def refuse(path):
        if Path(path).parent.name == "sub-01":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    result = find_images(root, Selection())
    assert paths(result) == ["sub-02/anat/sub-02_T2w.nii.gz"]
    assert "Permission denied" in result.skipped[0].reason
    assert "Permission denied" in result.without_images["01"]


def test_the_modules_load_no_bids_library():
    code = (
        "import sys, pkgutil, importlib, bids_deepseg.bids as p\n"
        "[importlib.import_module('bids_deepseg.bids.' + m.name) for m in pkgutil.iter_modules(p.__path__)]\n"
        "print([m for m in ('bids', 'pandas', 'tensorflow', 'keras', 'sqlalchemy') if m in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_a_thousand_participants_are_listed_quickly(tmp_path):
    find_images(touch(tmp_path / "warm", "sub-0/anat/sub-0_T2w.nii.gz"), Selection())
    names = [f"sub-{n}/anat/sub-{n}_{suffix}.nii.gz" for n in range(1000) for suffix in ("T1w", "T2w")]
    root = touch(tmp_path / "raw", *names)
    begin = time.process_time()
    assert len(find_images(root, Selection()).images) == 2000
    # Measured 0.5 s; machines differ.
    assert time.process_time() - begin < 4
    begin = time.process_time()
    find_images(root, Selection(participants=frozenset({"7"})))
    assert time.process_time() - begin < 0.5


def test_nothing_is_written_into_the_data_set(tmp_path):
    root = make_dataset(tmp_path, {"sub-01/anat/sub-01_T2w.nii.gz": (4, 4, 4)})
    before = sorted(root.rglob("*"))
    find_images(root, Selection())
    assert sorted(root.rglob("*")) == before
