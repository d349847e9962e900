"""The fuzz harness finds what it is made to find."""

import pytest

from tests.fuzz import harness


@pytest.mark.parametrize(
    ("target", "told"),
    [("raises", "ValueError: as it should"), ("hangs", "no end after"), ("hoards", "MemoryError"), ("dies", "with 3")],
)
def test_a_violation_is_told_and_the_other_cases_go_on(target, told):
    report = harness.run_cases(f"_faulty.{target}", range(12), seconds=0.3)
    assert report.outcomes["well"] == report.outcomes.total() > 0
    assert report.n_cases == 12
    assert report.violations
    assert all(told in text for text in report.violations.values())


def test_a_case_is_the_same_in_every_run():
    one, again = (harness.generator_of("x.y", 3, 7).integers(0, 2**60) for _ in range(2))
    assert one == again != harness.generator_of("x.y", 3, 8).integers(0, 2**60)


def test_faulty_targets_are_no_part_of_all_and_a_wrong_name_is_told():
    assert not any(name.startswith("_") for name in harness.find_targets())
    with pytest.raises(SystemExit, match="no fuzz target 'heders'"):
        harness.find_targets("heders")
