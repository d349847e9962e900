"""The benchmarks: their arithmetic, and the page that shows what they found."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.__main__ import MEASURES
from benchmarks.speed import measures
from benchmarks.speed.datasets import WARM_UP, write_phantoms
from benchmarks.speed.running import segment_in_one_process
from benchmarks.speed.table import Check, Table, fit_line
from benchmarks.suite.page import put_between

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")


def test_a_line_through_points_on_a_line_is_that_line():
    x = [1.0, 2.0, 5.0, 9.0]
    assert fit_line(x, [3 * value + 2 for value in x]) == pytest.approx((3.0, 2.0, 1.0))


def test_r2_is_the_square_of_the_correlation(rng):
    x, y = rng.normal(size=20), rng.normal(size=20)
    assert fit_line(list(x), list(y))[2] == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)


def test_time_that_grows_with_the_square_is_not_linear():
    x = [64.0, 112.0, 160.0, 208.0, 256.0]
    assert fit_line(x, [value**2 for value in x])[2] < 0.98


@pytest.mark.parametrize(("value", "at_least", "holds"), [(2, True, True), (1.9, True, False), (2.1, False, False)])
def test_a_check_holds_on_its_side_of_the_limit(value, at_least, holds):
    assert Check("x", value, 2.0, at_least=at_least).holds is holds


def test_a_table_is_one_of_markdown():
    lines = list(Table("T", "Words.", ("a", "b"), [(1, 0.12345), ("x", 1234.5)]).lines())
    assert lines == ["### T", "", "Words.", "", "| a | b |", "|---|---|", "| 1 | 0.123 |", "| x | 1234 |", ""]


def test_every_measurement_is_there_and_has_its_place_on_the_page_or_is_said_to_be_open():
    assert all(callable(getattr(measures, name)) for name in MEASURES)
    assert sorted(re.findall("<!-- measured: (.*) -->", PAGE)) == sorted(MEASURES)
    for name in MEASURES:
        text = PAGE.split(f"<!-- measured: {name} -->")[1].split(f"<!-- end of measured: {name} -->")[0]
        assert ("processors, Python" in text) != ("Not measured yet." in text), name


def test_the_command_names_a_measurement_that_does_not_exist():
    command = [sys.executable, "-m", "benchmarks", "nothing"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, "unknown: nothing" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("judge.md", "judge table"),
        ("judge.md", "rules"),
        ("rescue.md", "rescue table"),
        ("models.md", "degradation table"),
    ],
)
def test_what_a_suite_found_has_one_place_on_its_page(tmp_path, page, name):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    copy = tmp_path / page
    copy.write_text(text, encoding="utf-8")
    put_between(copy, name, "| found |")
    before, after = text.split(f"<!-- {name} -->"), text.split(f"<!-- end of {name} -->")
    assert (len(before), len(after)) == (2, 2)
    expected = f"{before[0]}<!-- {name} -->\n| found |\n<!-- end of {name} -->{after[1]}"
    assert copy.read_text(encoding="utf-8") == expected


@pytest.mark.slow
def test_the_process_that_is_measured_segments_and_tells_what_each_image_took(tmp_path):
    pytest.importorskip("tensorflow", reason="the networks need TensorFlow")
    write_phantoms(tmp_path / "in", [WARM_UP] * 2)
    first, second = segment_in_one_process(tmp_path / "in", tmp_path / "out")
    assert {first["verdict"], second["verdict"]} <= {"pass", "warn"}
    assert 0 < second["networks_s"] < second["processor_s"] < first["start_s"]
    assert sum(second["stages"].values()) == pytest.approx(second["processor_s"], rel=0.2)
