"""BIDS filter files: fMRIPrep's grammar, and what is refused."""

import json

import pytest

from bids_deepseg.bids.image import DEFAULT_SUFFIXES
from bids_deepseg.bids.source.filters import check_labels, read_filters
from bids_deepseg.bids.source.query import Selection, find_images
from bids_deepseg.errors import SelectionError, UsageError
from tests.helpers.bids_trees import make_dataset

NAMES = (
    "sub-01/ses-pre/anat/sub-01_ses-pre_acq-ax_run-01_T2w.nii.gz",
    "sub-01/ses-pre/anat/sub-01_ses-pre_acq-ax_run-02_T2w.nii.gz",
    "sub-01/ses-post/anat/sub-01_ses-post_acq-sag_T2w.nii.gz",
    "sub-01/ses-post/anat/sub-01_ses-post_T2w.nii.gz",
    "sub-01/ses-post/anat/sub-01_ses-post_rec-norm_T1w.nii.gz",
    "sub-02/dwi/sub-02_dir-AP_dwi.nii.gz",
)


@pytest.fixture
def filters(tmp_path):
    """Return a function that writes and reads a filter file."""

    def read(content):
        path = tmp_path / "filter.json"
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_filters(path, DEFAULT_SUFFIXES)

    return read


@pytest.fixture
def taken(tmp_path, filters):
    """Return a function that returns the positions of the images in NAMES that a filter leaves."""
    data = make_dataset(tmp_path / "in", dict.fromkeys(NAMES, (4, 4, 4)))

    def find(content):
        found = find_images(data, Selection(filters=filters(content)))
        assert found.n_filtered == len(NAMES) - len(found.images)
        return [NAMES.index(image.relative_path) for image in found.images]

    return find


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({}, [0, 1, 2, 3, 4, 5]),
        ({"t2w": {"acquisition": "ax"}}, [0, 1, 4, 5]),
        ({"t2w": {"acquisition": ["ax", "sag"]}}, [0, 1, 2, 4, 5]),
        ({"t2w": {"acquisition": None}}, [3, 4, 5]),
        ({"t2w": {"acquisition": "*"}}, [0, 1, 2, 4, 5]),
        ({"t2w": {"acquisition": ["sag", None]}}, [2, 3, 4, 5]),
        ({"t2w": {"run": 1}}, [0, 4, 5]),
        ({"t2w": {"acquisition": "ax", "run": ["2"]}}, [1, 4, 5]),
        ({"anat": {"session": "ses-post"}}, [2, 3, 4, 5]),
        ({"anat": {"session": "post", "reconstruction": None}, "t2w": {"acquisition": "sag"}}, [2, 5]),
        ({"anat": {"suffix": "T1w", "datatype": "anat"}}, [4, 5]),
        ({"dwi": {"direction": "PA"}}, [0, 1, 2, 3, 4]),
    ],
)
def test_a_filter_takes_the_images_that_meet_all_its_conditions(taken, content, expected):
    assert sorted(taken(content)) == expected


def test_a_filter_that_leaves_nothing_is_named(taken):
    with pytest.raises(SelectionError, match="filter anat: session none and filter dwi: run 1") as caught:
        taken({"anat": {"session": "none"}, "dwi": {"run": "1"}})
    assert caught.value.exit_code == 18


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ({"t2": {}}, "the key 't2', which no selected image has; did you mean 't2w'"),
        ({"bold": {}}, "which no selected image has"),
        ({"t2w": {"acq": "ax"}}, "'acq' for 't2w', which does not exist; did you mean 'acquisition'"),
        ({"t2w": {"acquisitoin": "ax"}}, "did you mean 'acquisition'"),
        ({"t2w": {"run": True}}, "True for 'run'"),
        ({"t2w": {"run": []}}, "[] for 'run'"),
        ({"t2w": {"run": {"a": 1}}}, "for 'run'"),
        ({"t2w": "ax"}, "'ax' for 't2w'"),
        ("[1]", "holds a list"),
        ("{", "cannot be read"),
    ],
)
def test_a_wrong_file_is_refused_with_the_reason(filters, content, text):
    with pytest.raises(UsageError) as caught:
        filters(content)
    assert text in str(caught.value)
    assert caught.value.exit_code == 64


def test_a_filter_that_contradicts_an_option_is_refused(filters):
    found = filters({"t2w": {"session": ["pre", "post"]}})
    check_labels(found, {"session": ("post",), "subject": ()})
    check_labels(filters({"t2w": {"session": None}}), {"session": ("post",)})
    with pytest.raises(UsageError, match="contradicts the options, which select the session late"):
        check_labels(found, {"session": ("late",)})
