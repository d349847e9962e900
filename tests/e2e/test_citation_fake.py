"""The methods text of whole runs, with simple functions in place of the networks."""

import re
from importlib.metadata import version

import pytest

from bids_deepseg import __version__
from bids_deepseg.cli import main as cli
from tests.helpers.fake_engine import FakeEngine, files_of, summary_of, write_dataset

FILES = ("CITATION.bib", "CITATION.html", "CITATION.md")


@pytest.fixture
def run(capsys):
    """Return a function that runs the app in this process and returns code, error text and summary."""

    def run(*words):
        options = ("--skip-bids-validation", "-q")
        code = cli.main([*map(str, words[:2]), "participant", *words[2:], *options], engine=FakeEngine())
        out, err = capsys.readouterr()
        return code, err, summary_of(out)

    return run


@pytest.fixture
def data(tmp_path):
    return write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T1w", "sub-01/anat/sub-01_T2w", "sub-02/anat/sub-02_T2w")


def citation(output):
    return {name: (output / "logs" / name).read_bytes() for name in FILES if (output / "logs" / name).exists()}


def test_the_text_is_of_what_is_in_the_output(run, data, tmp_path):
    (data / "sub-02" / "anat" / "sub-02_T2w.nii.gz").write_bytes(b"")
    run(data, tmp_path / "out")
    text = (tmp_path / "out" / "logs" / "CITATION.md").read_text()
    assert f"bids_deepseg {__version__}" in text
    assert f"nibabel {version('nibabel')}" in text
    assert f"NumPy {version('numpy')}" in text
    assert "in 2 images of 1 participant." in text
    assert f"`fake` (sha256 `{'0' * 64}`)" in text
    assert "`t1` (1) and `t2` (1)" in text
    assert "`bad-image` (1)" in text
    assert not re.search(r"\b20\d\d-\d\d-\d\d\b|" + re.escape(str(tmp_path)), text)


def test_runs_one_after_the_other_give_the_text_of_one(run, data, tmp_path):
    run(data, tmp_path / "one")
    once = citation(tmp_path / "one")
    assert set(once) == set(FILES)
    run(data, tmp_path / "one")
    assert citation(tmp_path / "one") == once
    run(data, tmp_path / "two", "--participant-label", "02")
    assert citation(tmp_path / "two") != once
    run(data, tmp_path / "two", "--participant-label", "01")
    assert citation(tmp_path / "two") == once


def test_the_text_alone_is_written_without_the_input(run, data, tmp_path):
    run(data, tmp_path / "out")
    once, before = citation(tmp_path / "out"), files_of(tmp_path / "out")
    for name in FILES:
        (tmp_path / "out" / "logs" / name).unlink()
    code, _, summary = run(tmp_path / "nowhere", tmp_path / "out", "--boilerplate-only")
    assert (code, summary["done"], summary["skipped"]) == (0, 0, 0)
    assert citation(tmp_path / "out") == once
    assert files_of(tmp_path / "out") == before


@pytest.mark.parametrize("other", ["--dry-run", "--reports-only"])
def test_the_text_alone_and_something_else_contradict_each_other(run, data, tmp_path, other):
    code, err, _ = run(data, tmp_path / "out", "--boilerplate-only", other)
    assert code == 64
    assert "Leave out --dry-run and --reports-only" in err


def test_markdown_only_leaves_no_other_form_that_could_say_something_else(run, data, tmp_path):
    run(data, tmp_path / "out")
    assert run(data, tmp_path / "out", "--md-only-boilerplate")[0] == 0
    assert set(citation(tmp_path / "out")) == {"CITATION.md"}


def test_without_results_there_is_no_text(run, data, tmp_path):
    code, err, _ = run(data, tmp_path / "out", "--boilerplate-only")
    assert code == 66
    assert "does not exist" in err
    (tmp_path / "out").mkdir()
    code, err, _ = run(data, tmp_path / "out", "--boilerplate-only")
    assert code == 66
    assert "holds no result" in err
    assert "run.py bids_dir output_dir participant" in err
