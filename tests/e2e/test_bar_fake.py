"""The bar of progress on a pseudo-terminal."""

import json
import re
import signal

import numpy as np
import pytest

from tests.helpers.fake_engine import cord, write_dataset, write_nifti
from tests.helpers.pseudo_terminal import Terminal

NAMES = [f"sub-0{number}/anat/sub-0{number}_T2w" for number in range(1, 5)]
BAR = re.compile(r"[━╸╺ ]* ?(\d)/(\d) images.*")


@pytest.fixture
def words(tmp_path):
    """Return the words of a run on four images, one of which is bad."""
    data = write_dataset(tmp_path / "in", *NAMES)
    write_nifti(data / f"{NAMES[2]}.nii.gz", np.zeros((40, 40, 8), np.float32))
    return (data, tmp_path / "out", "participant", "--skip-bids-validation", "--omp-nthreads", "1")


def is_log_line(line):
    """Return whether a line is one that the log writes, whole."""
    stage = r"sub-0\d/anat/sub-0\d_T2w\.nii\.gz: \w+ \d+\.\d\d s"
    image = r"sub-0\d/anat/sub-0\d_T2w\.nii\.gz: pass, mean area 76\.0 mm², \d+\.\d s"
    bad = r"ERROR: sub-03/anat/sub-03_T2w\.nii\.gz: .*\."
    others = r"Images to segment: .*\.|  Details: .*\.txt|bids_deepseg ended with code 65: .*\.|networks loaded in .* s"
    return re.fullmatch(f"{stage}|{image}|{bad}|{others}", line) is not None


@pytest.mark.parametrize("n_cpus", ["1", "2"])
def test_the_bar_breaks_no_line_of_the_log_and_leaves_nothing_behind(words, n_cpus):
    # Wide, so that no line is wrapped.
    terminal = Terminal(*words, "-v", "--n-cpus", n_cpus, columns=400)
    assert terminal.finish() == 65
    assert b"0/4 images" in terminal.content
    assert [line for line in terminal.lines if not is_log_line(line)] == []
    assert sum(": pass, mean area" in line for line in terminal.lines) == 3
    assert sum("write" in line for line in terminal.lines) == 3
    # Hidden, it would stay so after a run that is killed.
    assert b"\x1b[?25l" not in terminal.content


def test_the_bar_tells_count_rate_time_left_and_the_image_at_hand(tmp_path):
    data = write_dataset(tmp_path / "in", NAMES[0])
    write_nifti(data / f"{NAMES[1]}.nii.gz", cord((44, 40, 8)))
    terminal = Terminal(
        *(data, tmp_path / "out", "participant", "--skip-bids-validation", "--n-cpus", "1"),
        settings=json.dumps({"engine": {"slow_size": 44}}),
    )
    wanted = re.compile(r"[━╸╺ ]+ 1/2 images, [\d.]+ per minute, about \d+ s left, sub-02_T2w\.nii\.gz")
    terminal.wait_for(lambda lines: lines and wanted.fullmatch(lines[-1]))
    terminal.process.send_signal(signal.SIGINT)
    assert terminal.finish() == 130
    assert not any(BAR.fullmatch(line) for line in terminal.lines)
    assert terminal.lines[-1].startswith("ERROR: Interrupted by SIGINT.")


@pytest.mark.parametrize("columns", [12, 35])
def test_a_bar_on_a_narrow_terminal_stays_in_one_line(words, columns):
    terminal = Terminal(*words, "--n-cpus", "1", columns=columns)
    assert terminal.finish() == 65
    assert not any("images" in line and "/4" in line for line in terminal.lines)
    text = "".join(terminal.lines)
    assert all(f"{name}.nii.gz: pass" in text for name in (NAMES[0], NAMES[1], NAMES[3]))


def test_no_color_takes_the_colours_away(words):
    coloured, plain = re.compile(rb"\x1b\[[\d;]*m"), Terminal(*words, "--n-cpus", "1", NO_COLOR="1")
    assert plain.finish() == 65
    assert b"0/4 images" in plain.content
    assert not coloured.search(plain.content)


@pytest.mark.parametrize(
    ("more", "environ"),
    [((), {"TERM": "dumb"}), (("-q",), {}), (("--no-progress",), {}), (("--log-format", "json"), {})],
)
def test_where_no_bar_is_wanted_lines_are_plain(words, more, environ):
    terminal = Terminal(*words, "--n-cpus", "1", *more, **environ)
    assert terminal.finish() == 65
    assert b"\x1b" not in terminal.content
    assert (b"[1/4] " in terminal.content) == (not more or "json" in more)


def test_a_name_cannot_command_the_terminal_through_the_bar(tmp_path):
    name = "sub-01/anat/sub-01_acq-\x1b]0;x\x07[red]_T2w"
    terminal = Terminal(*(write_dataset(tmp_path / "in", name), tmp_path / "out", "participant"))
    terminal.finish()
    assert b"\x1b]0" not in terminal.content


def test_a_terminal_that_is_closed_under_the_bar_changes_nothing(words):
    terminal = Terminal(*words, "--n-cpus", "1")
    terminal.wait_for(lambda lines: any(BAR.fullmatch(line) for line in lines))
    assert terminal.hang_up() == 65
