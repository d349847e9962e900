"""A small share of the fuzzing of text and of saved results; ``python -m tests.fuzz text --cases N`` runs more."""

import pytest

from tests.fuzz import saved, text
from tests.fuzz.harness import run_cases


@pytest.mark.parametrize("target", [*(f"text.{name}" for name in text.TARGETS)])
def test_damaged_text_is_read_or_refused(target):
    report = run_cases(target, range(200))
    assert report.violations == {}
    assert report.n_cases == 200


@pytest.mark.parametrize("target", [*(f"saved.{name}" for name in saved.TARGETS)])
def test_damaged_results_cost_nobody_else_anything(target):
    report = run_cases(target, range(20))
    assert report.violations == {}
    assert report.n_cases == 20
