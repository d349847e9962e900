"""The count of a run, and the words for it."""

import time
from types import SimpleNamespace

from bids_deepseg.app.participant.bar import words_of
from bids_deepseg.app.participant.progress import Progress
from bids_deepseg.execution import Job


def progress(n_total=4, seconds=60.0, **given):
    """Return the progress of a run that began some time ago."""
    now = time.monotonic()
    return Progress(n_total, _begin=now - seconds, _last=now, **given)


def test_the_time_left_is_the_average_of_an_image_times_those_left():
    run = progress(n_ended=1, seconds=60.0)
    assert abs(run.seconds_left(run._last) - 180) < 1e-6
    assert abs(run.per_minute - 1) < 1e-6


def test_the_time_left_counts_down_and_never_below_nothing():
    run = progress(n_ended=1)
    assert abs(run.seconds_left(run._last + 30) - 150) < 1e-6
    assert run.seconds_left(run._last + 1000) == 0


def test_nothing_is_foretold_before_the_first_image_and_after_the_last():
    assert progress().seconds_left(0.0) is None
    assert progress(n_ended=4).seconds_left(0.0) is None


def test_an_image_is_at_hand_from_its_begin_to_its_end_once_however_often_it_is_begun():
    run = progress()
    for name in ("a", "b", "a"):
        run.begin(Job(name, "g"))
    assert run.at_hand == ("b", "a")
    run.step("b")
    assert run.at_hand == ("a",)
    run.step("a")
    assert run.at_hand == ()


def test_lines_tell_the_count_only_where_no_bar_does():
    assert progress().step("a")[0] == "[1/4] "
    assert progress(in_lines=False).step("a") == ("", "")


def test_the_words_of_the_bar():
    run = progress(n_ended=1, at_hand=("sub-01/anat/sub-01_T2w.nii.gz", "b", "c"))
    told = ", ".join(words_of(run, run._last))
    assert told == "1/4 images, 1 per minute, about 3 min 0 s left, sub-01_T2w.nii.gz and 2 more"
    assert list(words_of(progress(), 0.0)) == ["0/4 images"]


def test_a_high_rate_is_written_out():
    fast = SimpleNamespace(n_ended=1, n_total=2, per_minute=1380.4, at_hand=(), seconds_left=lambda _now: None)
    assert list(words_of(fast, 0.0)) == ["1/2 images", "1380 per minute"]
