"""What the page shows of images without a result."""

import pytest

from bids_deepseg.app.participant import shown
from bids_deepseg.bids.source.query import Selection, find_images
from tests.helpers.fake_engine import write_dataset


@pytest.fixture
def image(tmp_path):
    data = write_dataset(tmp_path, "sub-01/anat/sub-01_T2w")
    (found,) = find_images(data, Selection()).images
    return found


@pytest.mark.parametrize("status", ["out-of-memory", "killed"])
def test_an_image_that_was_too_large_is_not_read_for_its_picture(image, monkeypatch, status):
    monkeypatch.setattr(shown, "read_image", lambda image: pytest.fail("It was read."))
    found = shown.failed_image(image, status, "Too large.")
    assert (found.image, found.status, found.messages) == (None, status, ("Too large.",))


def test_another_failure_is_shown_with_its_picture(image):
    assert shown.failed_image(image, "cord-not-found", "No cord.").image.data.shape == (40, 40, 8)
