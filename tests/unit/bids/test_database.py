"""Images from pybids' index: the same as from the folders."""

import pytest

from bids_deepseg.bids.source.query import Selection, find_images
from bids_deepseg.bids.source.walk import has_index, read_index
from bids_deepseg.errors import UsageError
from tests.helpers.bids_trees import make_dataset

NAMES = (
    "sub-01/anat/sub-01_T1w.nii.gz",
    "sub-01/anat/sub-01_T1w.nii",
    "sub-01/anat/notes.nii.gz",
    "sub-01/dwi/sub-01_dwi.nii.gz",
    "sub-01/func/sub-01_task-rest_bold.nii.gz",
    "sub-02/ses-a/anat/sub-02_ses-a_acq-ax_run-2_T2w.nii.gz",
    "sub-02/ses-a/anat/sub-03_ses-a_T2w.nii.gz",
    "derivatives/x/sub-01/anat/sub-01_T2w.nii.gz",
    "sourcedata/sub-01/anat/sub-01_T2w.nii.gz",
    ".git/sub-01/anat/sub-01_T2w.nii.gz",
)


@pytest.fixture
def data(tmp_path):
    root = make_dataset(tmp_path / "in", dict.fromkeys(NAMES, (2, 3, 4)))
    (root / "sub-01" / "anat" / "sub-01_PDw.nii.gz").symlink_to("../../.git/annex/gone")
    (root / "sub-03" / "anat").mkdir(parents=True)
    (root / "sub-03" / "anat" / "sub-03_T2w.json").write_text("{}")
    return root


def test_the_index_and_the_folders_give_the_same_images_and_refusals(data, tmp_path):
    index = read_index(data, tmp_path / "db")
    found, expected = find_images(data, Selection(), index), find_images(data, Selection())
    assert found.images == expected.images
    assert [(image.entities, image.suffix) for image in found.images] == [
        (image.entities, image.suffix) for image in expected.images
    ]
    assert set(found.skipped) == set(expected.skipped)
    assert (found.subjects, found.unsupported) == (expected.subjects, expected.unsupported)
    assert found.without_images == expected.without_images


def test_it_is_kept_until_it_is_reset_and_nothing_is_written_in_the_data_set(data, tmp_path):
    before = sorted(data.rglob("*"))
    read_index(data, tmp_path / "db")
    assert has_index(tmp_path / "db")
    assert sorted(data.rglob("*")) == before
    added = data / "sub-02" / "ses-a" / "anat" / "sub-02_ses-a_T1w.nii.gz"
    added.write_bytes(b"")
    assert added not in read_index(data, tmp_path / "db").files["02"]
    assert added in read_index(data, tmp_path / "db", reset=True).files["02"]


def test_the_index_of_another_data_set_is_refused(data, tmp_path):
    read_index(data, tmp_path / "db")
    other = make_dataset(tmp_path / "other", {NAMES[0]: (2, 3, 4)})
    with pytest.raises(UsageError, match="--reset-database"):
        read_index(other, tmp_path / "db")


def test_a_file_that_is_no_database_is_refused(data, tmp_path):
    (tmp_path / "db").mkdir()
    (tmp_path / "db" / "layout_index.sqlite").write_text("no database")
    with pytest.raises(UsageError, match="cannot be used"):
        read_index(data, tmp_path / "db")
