"""Images are sorted into few groups, each image into one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.report.grouping import UNKNOWN, group_by

VALUE = st.one_of(
    st.sampled_from(["F", "M", "n/a", "", "north", "1e400", "nan", "-inf"]),
    st.integers(-5, 90).map(str),
    st.floats(width=32).map(str),
    st.text(max_size=5),
)


@given(values=st.lists(VALUE, max_size=60))
def test_each_image_is_in_one_of_few_groups(values):
    groups = group_by(values)
    if groups:
        assert sorted(position for found in groups.values() for position in found) == list(range(len(values)))
        assert 2 <= len(groups) + (len({v for v in values if v not in UNKNOWN}) == 1) <= 14
        assert all(groups.values())


@given(values=st.lists(st.integers(0, 1000), min_size=20, max_size=80))
def test_ranges_of_numbers_do_not_overlap_and_are_in_order(values):
    groups = group_by([str(value) for value in values])
    if len(set(values)) > 6:
        assert 2 <= len(groups) <= 5
        ends = [
            end for found in groups.values() for end in (min(values[i] for i in found), max(values[i] for i in found))
        ]
        assert ends == sorted(ends)
        for name, found in groups.items():
            low, high = min(values[i] for i in found), max(values[i] for i in found)
            assert name == (str(low) if low == high else f"{low} to {high}")


def test_a_few_numbers_are_groups_of_their_own_in_the_order_of_numbers():
    assert list(group_by(["10", "2", "1", "2", "n/a"])) == ["1", "2", "10", "n/a"]


def test_rare_texts_are_joined():
    values = [name for n in range(30) for name in [f"site{n:02d}"] * (30 - n)]
    groups = group_by(values)
    assert list(groups)[:2] == ["site00", "site01"]
    assert list(groups)[-1] == "19 other values"
    assert len(groups) == 12


@pytest.mark.parametrize("values", [[], ["a", "a"], ["a", "b", "c"], ["", "n/a"]])
def test_columns_that_tell_nothing_make_no_groups(values):
    assert group_by(values) == {}
