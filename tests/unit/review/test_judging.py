"""Judgements are kept where the group level and other tools look for them."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.app.group.sources import REVIEW_PLACE
from bids_deepseg.bids.derivatives.judgements import read_review
from bids_deepseg.cli import main as cli
from bids_deepseg.errors import UsageError
from bids_deepseg.review.judging import PLACE, TABLE, Judgement, read_judgement, save_judgement
from bids_deepseg.review.saving import Author, ConflictError

AUTHOR = Author.now("A. One")


@pytest.fixture
def judge(review, listed):
    """Return a function that judges the first image."""

    def save(judgement, expected=None):
        before = read_judgement(listed.image, review.places.output_dir) if expected is None else expected
        save_judgement(listed.image, judgement, output_dir=review.places.output_dir, expected=before, author=AUTHOR)
        return read_judgement(listed.image, review.places.output_dir)

    return save


@pytest.mark.parametrize("mark", ["pass", "fail", "artifact", ""])
def test_what_was_judged_is_read_back(judge, mark):
    wanted = Judgement(mark, "7", 'bends\tat C3\n"quoted" <b>')
    assert judge(wanted) == Judgement(mark, "7", 'bends at C3 "quoted" <b>')
    assert judge(Judgement()) == Judgement()


def test_the_lists_are_those_of_the_group_level(judge, review, listed):
    assert PLACE == REVIEW_PLACE
    folder = review.places.output_dir / PLACE
    judge(Judgement("fail"))
    assert read_review(folder) == {listed.image.name: "fail"}
    judge(Judgement("artifact"))
    assert read_review(folder) == {listed.image.name: "artifact"}
    assert not (folder / "qc_fail.yml").exists()
    assert cli.main(["unused", str(review.places.output_dir), "group"]) == 0
    table = (review.places.output_dir / "group_label-SC_morph.tsv").read_text().splitlines()
    names, row = (line.split("\t") for line in (table[0], next(x for x in table if listed.image.path.name in x)))
    assert row[names.index("review")] == "artifact"


def test_what_others_listed_stays(judge, review, listed):
    folder = review.places.output_dir / PLACE
    folder.mkdir()
    others = {"FILES_GMSEG": ["sub-9_T2s.nii.gz"], "FILES_SEG": ["sub-7_T2w.nii.gz"]}
    (folder / "qc_fail.yml").write_text(yaml.safe_dump(others))
    judge(Judgement("fail"))
    found = yaml.safe_load((folder / "qc_fail.yml").read_text())
    assert found["FILES_GMSEG"] == ["sub-9_T2s.nii.gz"]
    assert set(found["FILES_SEG"]) == {"sub-7_T2w.nii.gz", listed.image.relative_path}
    judge(Judgement("pass"))
    assert yaml.safe_load((folder / "qc_fail.yml").read_text()) == others


def test_a_mark_that_another_tool_made_is_shown(review, listed, judge):
    folder = review.places.output_dir / PLACE
    folder.mkdir()
    (folder / "qc_fail.yml").write_text(f"FILES_SEG:\n- {listed.image.path.name}\n")
    assert read_judgement(listed.image, review.places.output_dir) == Judgement("fail")
    assert judge(Judgement("pass", "9")) == Judgement("pass", "9")


def test_a_judgement_of_somebody_else_is_not_replaced(judge):
    judge(Judgement("fail", "1", "blurred"))
    with pytest.raises(ConflictError):
        judge(Judgement("pass"), expected=Judgement())
    # The same once more is no conflict.
    assert judge(Judgement("fail", "1", "blurred"), expected=Judgement()).mark == "fail"


def test_a_list_that_cannot_be_read_is_left_as_it_is(judge, review):
    folder = review.places.output_dir / PLACE
    folder.mkdir()
    (folder / "qc_fail.yml").write_text("FILES_SEG: {a: b}\n")
    with pytest.raises(UsageError):
        judge(Judgement("fail"), expected=Judgement())
    assert (folder / "qc_fail.yml").read_text() == "FILES_SEG: {a: b}\n"
    assert not (folder / TABLE).exists()


@pytest.mark.parametrize("words", [("good",), ("pass", "10"), ("pass", "1", "x" * 2001), ("pass", "-1")])
def test_other_judgements_are_refused(words):
    with pytest.raises(UsageError):
        Judgement(*words)


@given(st.text(max_size=60))
def test_any_comment_becomes_one_line(text):
    comment = Judgement(comment=text).comment
    assert not set("\t\n\r") & set(comment)
    assert Judgement(comment=comment).comment == comment
