"""Layouts and report formats in whole runs."""

import json
import re
import subprocess

import pytest

from bids_deepseg.bids.source.validation import find_validator
from bids_deepseg.cli import main as cli
from tests.helpers.fake_engine import FakeEngine, files_of, summary_of, write_dataset

DESCRIPTION = {"Name": "Test", "BIDSVersion": "1.10.0", "Authors": ["A. One", "B. Two"], "License": "CC0"}


@pytest.fixture
def run(tmp_path, capsys):
    data = write_dataset(
        tmp_path / "in", "sub-01/anat/sub-01_T2w", "sub-02/ses-a/anat/sub-02_ses-a_T1w", description=DESCRIPTION
    )

    def run(*words, levels=("participant", "group"), engine=None):
        words = [data, tmp_path / "out", *levels, "--skip-bids-validation", *words]
        code = cli.main([*map(str, words)], engine=engine or FakeEngine())
        return code, summary_of(capsys.readouterr().out)

    return run


def names(folder):
    return set(files_of(folder))


def contents_of(folder):
    return {name: content for name, (content, _) in files_of(folder).items() if name != ".bidsignore"}


def test_strict_holds_no_file_without_a_bids_name_and_keeps_its_layout(run, tmp_path):
    out = tmp_path / "out"
    assert run("--output-layout", "strict")[0] == 0
    assert not (out / ".bidsignore").exists()
    assert {"docs/sub-01.html", "docs/group.html", "docs/group_label-SC_morph.tsv"} < names(out)
    assert "docs/sub-01/anat/sub-01_space-orig_label-SC_desc-T2w_morph.tsv" in names(out)
    unnamed = re.compile(r"\.html$|_morph\.|_centerline\.(tsv|json)$")
    assert not [name for name in names(out) if unnamed.search(name) and not name.startswith("docs/")]
    before = files_of(out)
    assert run()[1]["skipped"] == 2
    assert files_of(out) == before


def test_the_way_between_the_layouts_segments_nothing_and_ends_in_the_same_files(run, tmp_path):
    out, trace = tmp_path / "out", tmp_path / "trace"
    trace.mkdir()
    engine = FakeEngine(trace=trace)
    run(engine=engine)
    bids = contents_of(out)
    run("--output-layout", "strict", engine=engine)
    assert "docs/sub-01.html" in names(out)
    code, summary = run("--output-layout", "bids", engine=engine)
    assert (code, summary["skipped"]) == (0, 2)
    assert contents_of(out) == bids
    assert (out / ".bidsignore").is_file()
    assert engine.count("segment") == 2


def test_the_plan_names_the_places_of_the_layout(run, tmp_path, capsys):
    words = [tmp_path / "in", tmp_path / "out", "participant", "--dry-run", "--log-format", "json"]
    cli.main([*map(str, words), "--output-layout", "strict"], engine=FakeEngine())
    plan = json.loads(capsys.readouterr().out.splitlines()[0])
    planned = {path for image in plan["images"] for path in image["outputs"]}
    run("--output-layout", "strict", levels=("participant",))
    assert {name for name in names(tmp_path / "out") if re.search(r"sub-0\d.*_label-", name)} == planned


@pytest.mark.skipif(find_validator() is None, reason="bids-validator-deno is not installed")
@pytest.mark.parametrize("layout", ["strict", "bids"])
def test_the_validator_accepts_both_layouts_with_linked_figures(run, tmp_path, layout):
    run("--output-layout", layout, "--report-format", "linked")
    done = subprocess.run(
        [find_validator(), str(tmp_path / "out"), "--format", "json"], capture_output=True, text=True, check=False
    )
    issues = json.loads(done.stdout)["issues"]["issues"]
    # The images of the test state no unit of length, which is a warning about them.
    assert [issue for issue in issues if issue["severity"] == "error"] == []
    assert not [issue for issue in issues if "docs" in issue.get("location", "")]


@pytest.mark.parametrize("layout", ["strict", "bids"])
def test_linked_figures_are_files_that_the_page_shows_and_go_with_it(run, tmp_path, layout):
    root = tmp_path / "out" / ("docs" if layout == "strict" else ".")
    run("--output-layout", layout, "--report-format", "linked")
    page = (root / "sub-01.html").read_text()
    shown = set(re.findall(r'"(sub-01/figures/[^"]+)"', page))
    assert shown
    assert "data:image" not in page
    assert {path.relative_to(root).as_posix() for path in (root / "sub-01" / "figures").iterdir()} == shown
    before = files_of(tmp_path / "out")
    run("--report-format", "linked")
    assert files_of(tmp_path / "out") == before
    run()
    assert not (root / "sub-01" / "figures").exists()
    assert "data:image" in (root / "sub-01.html").read_text()
