"""A8: pages are one file that opens anywhere: no address outside, small, readable without scripts, described images."""

import re
from html.parser import HTMLParser

import pytest

from bids_deepseg.cli import main as cli
from tests.helpers.fake_engine import FakeEngine, cord, write_dataset, write_nifti

MOST_BYTES = 3_000_000


class Page(HTMLParser):
    """Takes a page apart."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.text = [], []
        self._inside = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in {"script", "style"}:
            self._inside.append(tag)

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        if self._inside and self._inside[-1] == tag:
            self._inside.pop()

    def handle_data(self, data):
        if not self._inside:
            self.text.append(data)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return an output folder with the pages of a participant with six images, one of them failed, and of the group."""
    root = tmp_path_factory.mktemp("pages")
    names = ("T1w", "T2w", "acq-ax_T2w", "T2starw", "PDw")
    data = write_dataset(root / "in", "sub-02/anat/sub-02_T2w")
    for name in names:
        write_nifti(data / "sub-01" / "anat" / f"sub-01_{name}.nii.gz", cord((96, 96, 24)))
    (data / "sub-01" / "anat" / "sub-01_UNIT1.nii.gz").write_bytes(b"")
    words = [str(data), str(root / "out"), "participant", "group", "--skip-bids-validation", "-q", "--n-cpus", "1"]
    assert cli.main(words, engine=FakeEngine()) == 65
    return root / "out"


@pytest.fixture(params=["sub-01.html", "group.html"])
def page(request, folder):
    return (folder / request.param).read_text()


def test_a08_no_address_outside_of_the_page(page, folder):
    for tag, attributes in Page(page).elements:
        for name, value in attributes.items():
            if name in {"src", "href", "srcset", "action", "data", "poster", "xlink:href", "formaction"}:
                # The page of the group leads to those beside it.
                beside = tag == "a" and (folder / value.partition("#")[0]).is_file()
                assert beside or value.startswith(("#", "data:")), (tag, name, value[:80])
    plain = re.sub(r"base64,[A-Za-z0-9+/=]+", "", page)
    assert not re.search(r"(src|href)\s*=\s*[\"']?\s*(https?:)?//", plain)
    assert not re.search(r"url\(\s*[\"']?(?!data:|#)", plain)
    assert not re.search(r"@import|fetch\(|XMLHttpRequest|import\(|WebSocket|sendBeacon", plain)


def test_a08_small_and_one_file(page, folder):
    assert len(page.encode()) <= MOST_BYTES
    assert not list(folder.rglob("figures"))


def test_a08_every_picture_has_a_text(page):
    elements = Page(page).elements
    pictures = [attributes for tag, attributes in elements if tag == "img"]
    assert all((attributes.get("alt") or "").strip() for attributes in pictures)
    drawings = [attributes for tag, attributes in elements if tag == "svg"]
    assert all(a.get("role") == "img" or a.get("aria-hidden") == "true" for a in drawings)
    assert all(a.get("aria-label") or a.get("aria-labelledby") for a in drawings if a.get("role") == "img")
    assert dict(elements).get("html", {}).get("lang")
    assert [tag for tag, _ in elements].count("h1") == 1


def test_a08_all_is_there_without_scripts(folder):
    """What the page says is in its text, pictures are in the page, and nothing waits for a script."""
    page = Page((folder / "sub-01.html").read_text())
    text = re.sub(r"\s+", " ", "".join(page.text))
    for name in ("T1w", "T2w", "acq-ax_T2w", "T2starw", "PDw", "UNIT1"):
        assert f"sub-01_{name}.nii.gz" in text
    assert "is empty (0 bytes)" in text
    pictures = [attributes["src"] for tag, attributes in page.elements if tag == "img"]
    assert len(pictures) >= 5
    assert all(source.startswith("data:image/") and len(source) > 200 for source in pictures)
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") for name in attributes), tag
        assert "hidden" not in attributes, tag
    group = re.sub(r"\s+", " ", "".join(Page((folder / "group.html").read_text()).text))
    assert "sub-02" in group
