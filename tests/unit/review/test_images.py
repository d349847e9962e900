"""The list of a review: everything that the participant level has seen, the worst first."""

import json
from pathlib import Path

import pytest

from bids_deepseg.bids.derivatives.failures import record_failure
from bids_deepseg.errors import DatasetError
from bids_deepseg.review.images import image_of, list_images
from bids_deepseg.review.state import find_dataset


def edit(saved, **changes):
    path = saved.mask.with_name(saved.name + ".json")
    content = json.loads(path.read_text())
    for name, value in changes.items():
        content[name] = {**content[name], **value} if isinstance(value, dict) else value
    path.write_text(json.dumps(content))


def reason(severity):
    return {"Code": "x", "Severity": severity, "Message": severity, "Value": None, "Limit": None}


def test_the_worst_is_first(review):
    places = review.places
    first, second, third = list_images(places.output_dir, places.bids_dir)
    edit(first.saved, QC={"Verdict": "warn", "Reasons": [reason("warn")]})
    edit(second.saved, QC={"Verdict": "fail", "Reasons": [reason("fail")]})
    gone = image_of("sub-09/anat/sub-09_T2w.nii.gz", places.bids_dir)
    record_failure(gone, places.output_dir, status="bad-image", message="It is empty.")
    found = list_images(places.output_dir, places.bids_dir)
    assert [(each.image.key, each.verdict) for each in found] == [
        (gone.key, "none"),
        (second.image.key, "fail"),
        (first.image.key, "warn"),
        (third.image.key, third.verdict),
    ]
    assert found[0].messages == ("bad-image: It is empty.",)


def test_of_equal_verdicts_the_lowest_score_is_first(review):
    places = review.places
    images = list_images(places.output_dir, places.bids_dir)
    for image, score in zip(images, (0.9, 0.2, 0.5), strict=True):
        tried = {"Method": "m", "Verdict": "warn", "Score": score, "Reasons": [], "Kept": True}
        edit(image.saved, QC={"Verdict": "warn", "Reasons": [reason("warn")]}, Rescue=[tried])
    assert [each.score for each in list_images(places.output_dir, places.bids_dir)] == [0.2, 0.5, 0.9]


def test_a_damaged_result_is_listed_without_one(review):
    places = review.places
    first = list_images(places.output_dir, places.bids_dir)[0]
    edit(first.saved, QC={"Verdict": "maybe"})
    found = list_images(places.output_dir, places.bids_dir)[0]
    assert (found.image.key, found.verdict) == (first.image.key, "none")
    assert "Verdict" in found.messages[0]


@pytest.mark.parametrize(
    "source",
    [
        "../secret/sub-01/anat/sub-01_T2w.nii.gz",
        "sub-01/../../anat/sub-01_T2w.nii.gz",
        "/etc/anat/sub-01_T2w.nii.gz",
        "sub-01/anat/passwd",
        "sub-01/anat/sub-01_T2w.txt",
        "sub-02/anat/sub-01_T2w.nii.gz",
        "sub-01/func/sub-01_bold.nii.gz",
        "sub-01/anat/T2w.nii.gz",
        "",
    ],
)
def test_a_source_outside_the_data_set_is_no_image(source):
    assert image_of(source, Path("/data")) is None


def test_the_data_set_is_the_one_around_the_results_or_the_given_one(review, tmp_path):
    places = review.places
    assert find_dataset(places.output_dir, None) == places.bids_dir.resolve()
    assert find_dataset(places.output_dir, tmp_path) == tmp_path
    with pytest.raises(DatasetError, match="bids-dir"):
        find_dataset(tmp_path, None)
    with pytest.raises(DatasetError, match="does not exist"):
        find_dataset(places.output_dir, tmp_path / "absent")
