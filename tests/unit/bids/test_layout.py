"""Layouts of the output folder: where files without BIDS names stand, and the way from one to the other."""

import hashlib
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.bids.derivatives.layout import BIDSIGNORE_CONTENT, adopt_layout, layout_of, located, place
from bids_deepseg.errors import OutputError
from bids_deepseg.report.linked import link_figures
from tests.helpers.bids_trees import contents

NAMED = (
    "dataset_description.json",
    "sub-01/anat/sub-01_desc-T2w_mask.nii.gz",
    "sub-01/sub-01_scans.tsv",
    "logs/x.html",
)
#: Content of a figure, after which it is named.
FIGURE = "figure"

UNNAMED = (
    "sub-01.html",
    "group.html",
    "group_label-SC_morph.tsv",
    "group_label-SC_morph.json",
    "sub-01/anat/sub-01_space-orig_label-SC_desc-T2w_morph.tsv",
    "sub-01/ses-a/anat/sub-01_ses-a_space-orig_label-SC_desc-T2w_centerline.json",
    f"sub-01/figures/{hashlib.sha256(FIGURE.encode()).hexdigest()[:16]}.png",
)

#: What has no BIDS name either, and is not ours by its name or content.
FOREIGN = (
    "sub-02.html",
    "dataset.html",
    "sub-01/figures/t1.svg",
    "sub-01/anat/sub-01_T1w_morph.tsv",
    "group_morph.json",
    "other_morph.tsv",
)


def content_of(name):
    """Return what is in a file: pages and tables of ours can be told from others."""
    if name in FOREIGN:
        return name
    if name.endswith(".png"):
        return FIGURE
    if name.endswith(".html"):
        return f'<meta name="generator" content="bids_deepseg 0.1.0">{name}'
    return f"participant_id\t{name}" if name.endswith(".tsv") else f"{{{name}}}"


@pytest.fixture
def output(tmp_path):
    for name in (*NAMED, *UNNAMED):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content_of(name))
    return tmp_path


def test_strict_moves_what_has_no_name_and_nothing_else_and_bids_moves_it_back(output):
    (output / ".bidsignore").write_bytes(BIDSIGNORE_CONTENT)
    adopt_layout(output, "strict")
    files = set(contents(output))
    assert files == {*NAMED, *(f"docs/{name}" for name in UNNAMED), "docs/README.md"}
    assert layout_of(output) == "strict"
    assert not (output / "sub-01" / "figures").exists()
    adopt_layout(output, None)
    assert set(contents(output)) == files
    adopt_layout(output, "bids")
    assert set(contents(output)) == {*NAMED, *UNNAMED, ".bidsignore"}
    assert all((output / name).read_text() == content_of(name) for name in (*NAMED, *UNNAMED))
    assert not (output / "docs").exists()
    assert layout_of(output) == "bids"


@pytest.mark.parametrize("wanted", [None, "strict", "bids"])
@pytest.mark.parametrize("moved", [0, 3, 7])
def test_a_move_that_was_interrupted_is_completed(output, moved, wanted):
    (output / ".bidsignore").write_bytes(BIDSIGNORE_CONTENT)
    (output / "docs").mkdir()
    (output / "docs" / "README.md").write_text("")
    for name in UNNAMED[:moved]:
        (output / "docs" / name).parent.mkdir(parents=True, exist_ok=True)
        (output / name).rename(output / "docs" / name)
    adopt_layout(output, wanted)
    places = [place(output, name) for name in UNNAMED]
    assert all(path.is_file() for path in places)
    assert {path.is_relative_to(output / "docs") for path in places} == {wanted != "bids"}
    assert (output / ".bidsignore").exists() == (wanted == "bids")


def test_what_is_not_ours_is_neither_moved_nor_overwritten_nor_removed(output):
    for name in FOREIGN:
        (output / name).write_text(name)
    (output / ".bidsignore").write_text("theirs/")
    (output / "docs").mkdir()
    (output / "docs" / "sub-01.html").write_text("theirs")
    times = {name: (output / name).stat().st_mtime_ns for name in (*FOREIGN, ".bidsignore", "docs/sub-01.html")}
    for wanted in ("strict", "bids"):
        adopt_layout(output, wanted)
        assert {name: (output / name).stat().st_mtime_ns for name in times} == times
        assert all((output / name).read_text() == name for name in FOREIGN)
        assert (output / ".bidsignore").read_text() == "theirs/"
        assert (output / "docs" / "sub-01.html").read_text() == "theirs"
        assert (output / "sub-01.html").read_text() == content_of("sub-01.html")


def test_no_move_follows_a_link(output, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "sub-03_space-orig_label-SC_desc-T2w_morph.tsv").write_text("theirs")
    (output / "sub-03").symlink_to(outside)
    (output / "sub-04").mkdir()
    (output / "sub-04" / "anat").symlink_to(outside)
    adopt_layout(output, "strict")
    assert [path.name for path in outside.iterdir()] == ["sub-03_space-orig_label-SC_desc-T2w_morph.tsv"]
    shutil.move(output / "docs", outside / "docs")
    (output / "docs").symlink_to(outside / "docs")
    before = contents(outside)
    with pytest.raises(OutputError, match="docs is a link"):
        adopt_layout(output, "bids")
    assert contents(outside) == before


def test_a_file_that_another_run_moved_is_no_error(output, monkeypatch):
    replace = Path.replace

    def lose(self, target):
        if self.name == "group.html":
            self.unlink()
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", lose)
    adopt_layout(output, "strict")
    assert layout_of(output) == "strict"


def test_nothing_is_created_without_need(tmp_path):
    adopt_layout(tmp_path / "new", None)
    adopt_layout(tmp_path / "new", "bids")
    assert not (tmp_path / "new").exists()


@given(st.sampled_from([*NAMED[:3], *UNNAMED]))
def test_only_what_has_no_name_stands_elsewhere(name):
    assert located(name, "bids") == PurePosixPath(name)
    assert (located(name, "strict") != PurePosixPath(name)) == (name in UNNAMED)


@pytest.mark.skipif(shutil.which("git") is None, reason="git, whose rules .bidsignore follows, is not installed")
def test_bidsignore_matches_exactly_what_is_moved(output):
    adopt_layout(output, "strict")
    adopt_layout(output, "bids")
    subprocess.run(["git", "init", "-q", output], check=True)
    names = [*NAMED[:3], *UNNAMED]
    done = subprocess.run(
        ["git", "-c", f"core.excludesFile={output / '.bidsignore'}", "check-ignore", "--no-index", *names],
        cwd=output, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert set(done.stdout.split()) == set(UNNAMED)


def test_figures_of_a_page_become_files_with_the_same_content():
    page = '<img src="data:image/png;base64,AAAA"><img src="data:image/jpeg;base64,BBBB"><link href="data:,">'
    linked, files = link_figures(page + page, "sub-01/figures")
    assert "base64" not in linked
    assert sorted(files.values()) == [b"\x00\x00\x00", b"\x04\x10A"]
    assert all(linked.count(f'"sub-01/figures/{name}"') == 2 for name in files)
    assert {name[-4:] for name in files} == {".png", ".jpg"}
    assert 'href="data:,"' in linked
