"""The viewer of the page is the published one."""

import hashlib
import re
from pathlib import Path

from bids_deepseg.review import pages

FOLDER = Path(pages.__file__).parent / "static" / "vendor"


def test_the_viewer_is_the_one_whose_checksum_is_noted():
    content = (FOLDER / "niivue.min.js").read_bytes()
    noted = re.search(r"\| sha256 \| `([0-9a-f]{64})`", (FOLDER / "README.md").read_text())[1]
    assert hashlib.sha256(content).hexdigest() == noted
    assert noted in (FOLDER / "fetch.sh").read_text()
    assert len(content) < 8_000_000


def test_its_licences_are_beside_it():
    text = (FOLDER / "LICENSES.txt").read_text()
    assert "BSD 2-Clause" in text
    for package in ("fflate", "gl-matrix", "nifti-reader-js", "zarrita", "numcodecs", "array-equal"):
        assert f"\n{package}\n" in text


def test_every_file_of_the_page_is_there_and_loads_nothing_from_elsewhere():
    static = FOLDER.parent
    for name in pages.FILES:
        content = (static / name).read_text(encoding="utf-8")
        if not name.startswith("vendor/"):
            assert not re.findall(r"""(?:src|href|from|import)\s*=?\s*["'](?:https?:)?//""", content), name
    listed = {
        path.relative_to(static).as_posix() for path in static.rglob("*") if path.suffix in (".js", ".css", ".html")
    }
    assert listed == set(pages.FILES)
