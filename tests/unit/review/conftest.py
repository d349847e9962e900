"""A small data set with results, as the participant level leaves them."""

import shutil

import pytest

from bids_deepseg.cli import main as cli
from bids_deepseg.review.images import list_images
from bids_deepseg.review.rerun import Runner
from bids_deepseg.review.state import Places, Review
from tests.helpers.fake_engine import FakeEngine, write_dataset

NAMES = ("sub-01/anat/sub-01_T2w", "sub-01/anat/sub-01_acq-ax_T2w", "sub-02/ses-a/anat/sub-02_ses-a_run-2_T1w")


@pytest.fixture(scope="session")
def segmented(tmp_path_factory):
    """Return a data set with results inside it, not to be changed."""
    root = write_dataset(tmp_path_factory.mktemp("review") / "data", *NAMES)
    words = [str(root), str(root / "derivatives" / "app"), "participant", "group", "--skip-bids-validation"]
    assert cli.main(words, engine=FakeEngine()) == 0
    return root


@pytest.fixture
def dataset(segmented, tmp_path):
    """Return a copy that may be changed."""
    return shutil.copytree(segmented, tmp_path / "data")


@pytest.fixture
def review(dataset):
    """Return a review of it whose runs do nothing."""
    places = Places(dataset / "derivatives" / "app", dataset, dataset / "derivatives" / "labels")
    return Review(places, Runner(("true",), places.bids_dir, places.output_dir, places.corrections), "A. One")


@pytest.fixture
def listed(review):
    """Return the first image."""
    return list_images(review.places.output_dir, review.places.bids_dir)[0]
