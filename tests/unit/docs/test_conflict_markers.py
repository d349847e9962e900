"""No page, module or test was committed in the middle of a merge."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
FOLDERS = ["bids_deepseg", "benchmarks", "boutiques", "brainlife", "container", "docs", "tests", ".github"]
SUFFIXES = {".py", ".md", ".toml", ".html", ".css", ".js", ".json", ".yml", ".yaml", ".sh", ".cff", ".txt", ""}
MARKER = re.compile(r"^(?:<{7} |>{7} |\|{7} |={7}$)", re.MULTILINE)


def text_files() -> list[Path]:
    """Every text file of the checkout that is written by hand, the vendored scripts left out."""
    inside = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*")]
    files = [path for path in [*ROOT.iterdir(), *inside] if path.is_file() and path.suffix in SUFFIXES]
    return sorted(path for path in files if "vendor" not in path.parts and not path.name.endswith(".min.js"))


def test_no_text_file_holds_the_marks_of_an_unfinished_merge() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {mark.group()!r}"
        for path in text_files()
        for mark in MARKER.finditer(path.read_text("utf-8", errors="replace"))
    ]
    assert found == []


@pytest.mark.parametrize("mark", ["<" * 7 + " HEAD", ">" * 7 + " 41ecb20 (A commit)", "=" * 7])
def test_the_marks_are_recognised(mark: str) -> None:
    assert MARKER.search(f"A line.\n{mark}\nAnother.")
