"""The table of a person's judgements is read as it was written, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.bids.derivatives.judgements import COLUMNS, JUDGEMENTS, MARKS, Judgement, read_judgements
from bids_deepseg.errors import UsageError
from bids_deepseg.files.tables import MISSING, format_table

COMMENT = st.text(st.characters(exclude_categories=["C", "Z"]), max_size=20).filter(lambda text: text != MISSING)
JUDGEMENT = st.builds(Judgement, st.sampled_from(["", *MARKS]), st.none() | st.integers(0, 9), COMMENT)
IMAGE = st.from_regex("sub-[0-9]{1,3}/anat/sub-[0-9]{1,3}_T2w\\.nii\\.gz(#[0-9])?", fullmatch=True)


@given(said=st.dictionaries(IMAGE, JUDGEMENT))
def test_what_was_written_is_read(tmp_path_factory, said):
    folder = tmp_path_factory.mktemp("q")
    rows = [
        (image, one.mark, "" if one.rank is None else str(one.rank), one.comment) for image, one in sorted(said.items())
    ]
    (folder / JUDGEMENTS).write_bytes(format_table(COLUMNS, rows))
    assert read_judgements(folder) == said


def test_a_folder_without_the_table_has_no_judgement(tmp_path):
    assert read_judgements(tmp_path / "none") == {}


def test_columns_may_be_missing_and_in_any_order(tmp_path):
    (tmp_path / JUDGEMENTS).write_text("who\tmark\timage\nme\tfail\ta\nme\tpass\ta\nme\t\tb\n\tfail\n")
    assert read_judgements(tmp_path) == {"a": Judgement("pass"), "b": Judgement()}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name\tmark\na\tpass\n", "no column image"),
        ("image\tmark\na\tbad\n", "the mark 'bad' for 'a'"),
        ("image\trank\na\t10\n", "the rank '10' for 'a'"),
        ("image\trank\na\t-1\n", "a number from 0 to 9"),
        ("", "cannot be read"),
        ("image\tmark\n\x00\n", "cannot be read"),
    ],
)
def test_other_content_is_refused_with_what_is_expected(tmp_path, text, told):
    (tmp_path / JUDGEMENTS).write_text(text)
    with pytest.raises(UsageError, match=told):
        read_judgements(tmp_path)


def test_a_folder_in_its_place_is_refused(tmp_path):
    (tmp_path / JUDGEMENTS).mkdir()
    with pytest.raises(UsageError, match="cannot be read"):
        read_judgements(tmp_path)
