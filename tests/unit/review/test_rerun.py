"""An image is run again by the normal command, alone, with the options of the last run."""

import json
import sys
import time

import pytest

from bids_deepseg.app.participant.selection import make_selection
from bids_deepseg.bids.source.query import find_images
from bids_deepseg.options.parsing import parse_arguments
from bids_deepseg.review.images import image_of, list_images
from bids_deepseg.review.rerun import Runner, last_method, only
from bids_deepseg.review.saving import ConflictError


@pytest.fixture
def images(review):
    return [each.image for each in list_images(review.places.output_dir, review.places.bids_dir)]


def wait(job):
    until = time.monotonic() + 60
    while job.code is None and time.monotonic() < until:
        time.sleep(0.02)
    return job


def test_the_command_selects_this_image_and_no_other(review, images, tmp_path):
    review.places.corrections.mkdir()
    for image in images:
        path = tmp_path / "filter.json"
        path.write_text(json.dumps(only(image)))
        options = parse_arguments(review.runner.words(image, path))
        assert options.levels == ("participant", "group")
        assert options.settings.corrections == review.places.corrections
        found = find_images(options.bids_dir, make_selection(options), None).images
        assert [each.key for each in found] == [image.key]


def test_the_folder_of_corrections_is_given_only_if_it_is_there(review, images, tmp_path):
    assert "--corrections" not in review.runner.words(images[0], tmp_path / "filter.json")


def test_the_method_of_the_last_run_is_used_again(review, images, tmp_path):
    folder = review.places.output_dir / "logs" / "99991231T000000_00000000"
    folder.mkdir()
    (folder / "config.toml").write_text(
        'analysis_level = ["participant"]\nthreshold = "0.4"\nrescue = "off"\nno_probseg = true\n'
        'participant_label = ["02"]\ncorrections = "/elsewhere"\nn_cpus = 7\n'
    )
    words = last_method(review.places.output_dir)
    assert "--rescue=off" in words
    assert "--no-probseg" in words
    assert not [word for word in words if "elsewhere" in word or "label" in word or "cpus" in word]
    path = tmp_path / "filter.json"
    path.write_text(json.dumps(only(images[0])))
    options = parse_arguments(review.runner.words(images[0], path))
    assert options.settings.rescue == "off"
    assert options.participants == (images[0].subject,)


def runner(review, code):
    places = review.places
    return Runner((sys.executable, "-c", code), places.bids_dir, places.output_dir, places.corrections)


def test_what_a_run_writes_and_how_it_ends_is_kept(review, images):
    job = wait(
        runner(review, "import sys; print('<b>one</b>'); print(len(sys.argv)); sys.exit(65)").start(images[0], "a")
    )
    assert job.code == 65
    assert next(iter(job.lines)) == "<b>one</b>"


def test_one_run_at_a_time_and_it_ends_with_the_review(review, images):
    slow = runner(review, "import time; print('begun', flush=True); time.sleep(60)")
    job = slow.start(images[0], "a")
    with pytest.raises(ConflictError):
        slow.start(images[1], "b")
    slow.stop()
    assert job.code not in (None, 0)
    assert slow.job(1) is job
    assert slow.job(0) is None
    assert slow.job(2) is None


def test_a_volume_of_a_series_is_run_with_its_series(review):
    image = image_of("sub-01/dwi/sub-01_dir-AP_dwi.nii.gz#3", review.places.bids_dir)
    assert only(image)["dwi"]["direction"] == "AP"
    assert only(image)["dwi"]["run"] is None
