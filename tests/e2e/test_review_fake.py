"""What a person thinks of the images goes into the group level and comes out again."""

import pytest

from bids_deepseg.bids.derivatives.judgements import CORD_KEY, LISTS, read_list
from bids_deepseg.cli import main as cli
from bids_deepseg.files.tables import read_rows
from tests.helpers.fake_engine import FakeEngine, write_dataset

IMAGES = [f"sub-0{n}/anat/sub-0{n}_T2w.nii.gz" for n in (1, 2, 3)]


@pytest.fixture
def out(tmp_path):
    data = write_dataset(tmp_path / "in", *(image.removesuffix(".nii.gz") for image in IMAGES))
    (data / "sub-03" / "anat" / "sub-03_T2w.nii.gz").write_bytes(b"")
    run(tmp_path, "participant")
    (tmp_path / "out" / "sourcedata").mkdir()
    return tmp_path / "out"


def run(folder, level):
    words = [folder / "in", folder / "out", level, "--skip-bids-validation", "-q"]
    return cli.main([str(word) for word in words], engine=FakeEngine())


def judge(out, *lines):
    table = "".join("\t".join(line) + "\n" for line in (("image", "mark", "rank", "comment"), *lines))
    (out / "sourcedata" / "qc_judgements.tsv").write_text(table)


def said(out):
    return [
        (row["review"], row["review_rank"], row["review_comment"])
        for row in read_rows(out / "group_label-SC_morph.tsv")
    ]


def test_judgements_are_read_back_with_rank_and_comment(out, tmp_path):
    judge(out, (IMAGES[0], "fail", "7", "leaks at C3"), (IMAGES[1], "n/a", "0", "n/a"), (IMAGES[2], "artifact"))
    assert run(tmp_path, "group") == 0
    assert said(out) == [("fail", "7", "leaks at C3"), ("n/a", "0", "n/a"), ("artifact", "n/a", "n/a")]
    assert read_list(out / "logs" / "qc_fail.yml") == {CORD_KEY: (IMAGES[0], IMAGES[2])}
    assert read_list(out / "logs" / "qc_artifact.yml") == {CORD_KEY: (IMAGES[2],)}


def test_the_table_comes_before_the_lists_and_contradictions_are_told(out, tmp_path, capsys):
    judge(out, (IMAGES[0], "pass"), (IMAGES[1], "n/a", "3"), ("sub-09/anat/sub-09_T2w.nii.gz", "fail"))
    for name in LISTS.values():
        (out / "sourcedata" / name).write_text("FILES_SEG:\n- sub-01_T2w.nii.gz\n- sub-02_T2w.nii.gz\n")
    capsys.readouterr()
    assert run(tmp_path, "group") == 0
    err = capsys.readouterr().err
    assert said(out)[:2] == [("pass", "n/a", "n/a"), ("fail", "3", "n/a")]
    assert "not among the results: sub-09/anat/sub-09_T2w.nii.gz." in err
    assert f"for {IMAGES[0]}; that of the table was taken" in err


def test_a_table_that_cannot_be_read_is_a_fault_of_usage(out, tmp_path):
    judge(out, (IMAGES[0], "good"))
    assert run(tmp_path, "group") == 64


@pytest.mark.parametrize("name", LISTS.values())
def test_a_list_of_somebody_else_is_never_removed_or_replaced(out, tmp_path, name):
    foreign = "# mine\nFILES_SEG:\n- sub-07_T2w.nii.gz\n"
    (out / "logs" / name).write_text(foreign)
    judge(out, (IMAGES[1], "artifact"))
    assert run(tmp_path, "group") == 73
    assert (out / "logs" / name).read_text() == foreign
    # All else is there.
    assert (out / "group.html").is_file()
    # Nothing to write there.
    judge(out)
    for record in (out / "logs" / "failed").iterdir():
        record.unlink()
    assert run(tmp_path, "group") == 0
    assert (out / "logs" / name).read_text() == foreign


def test_our_own_list_is_removed_when_it_has_no_entry_any_more(out, tmp_path):
    judge(out, (IMAGES[1], "artifact"))
    assert run(tmp_path, "group") == 0
    assert (out / "logs" / "qc_artifact.yml").is_file()
    judge(out)
    assert run(tmp_path, "group") == 0
    assert not (out / "logs" / "qc_artifact.yml").exists()


def test_a_table_of_somebody_else_is_never_removed(out, tmp_path):
    foreign = out / "group_label-GM_morph.tsv"
    foreign.write_text("name\tarea\n")
    assert run(tmp_path, "group") == 0
    assert foreign.read_text() == "name\tarea\n"
