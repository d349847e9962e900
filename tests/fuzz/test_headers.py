"""A share of the cases of ``python -m tests.fuzz headers``."""

import pytest

from tests.fuzz import headers
from tests.fuzz.harness import run_cases


@pytest.mark.parametrize("name", sorted(headers.TARGETS))
def test_no_header_and_no_damage_is_read_in_silence_or_ends_the_program(name):
    report = run_cases(f"headers.{name}", range(80), seed=11)
    assert report.violations == {}
    assert report.n_cases == 80
    # A target whose inputs all end in the same way tries nothing.
    assert len(report.outcomes) > 1
