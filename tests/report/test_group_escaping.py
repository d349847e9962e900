"""Any text anywhere is text on the page of the group: it makes no element, no attribute and no script."""

from collections import Counter
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.report.group import render_group
from bids_deepseg.report.group_facts import Absence, GroupImage, GroupPage, KindSummary, Pair, PairSummary
from bids_deepseg.report.thumbnail import Thumbnail

#: Places on the page that hold text of others.
FIELDS = (
    "subject",
    "title",
    "kind",
    "session",
    "note",
    "advice",
    "mark",
    "comment",
    "cell",
    "column",
    "reason",
    "table",
)

#: A letter in front, so that no text is empty or a number, which the page shows in another way.
HOSTILE = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.text("<>\"'&;/=-!`{}%#\\\n script", max_size=30),
    st.sampled_from(
        [
            "</script><script>alert(1)</script>", "</style><img src=x onerror=alert(1)>", "<!--<script>", "]]>",
            '" onload="alert(1)', "' autofocus onfocus='alert(1)", "</title><svg/onload=alert(1)>", "</template>",
            "{{ 7 * 7 }}", "{% raw %}", "&lt;b&gt;", "javascript:alert(1)", "\u2028\u2029\u202e",
        ]
    ),
).map(lambda text: f"a{text}")  # fmt: skip


class Parsed(HTMLParser):
    """Counts elements and attributes, and keeps scripts, styles, links and text."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.tags, self.code, self.links, self.values, self.text = Counter(), [], [], set(), []
        self._in_code = False
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags[tag, tuple(sorted(name for name, _ in attrs))] += 1
        self.links += [value for name, value in attrs if name in {"href", "src"}]
        self.values |= {value for _, value in attrs}
        self._in_code = tag in {"script", "style"}

    handle_startendtag = handle_starttag

    def handle_endtag(self, tag):
        self._in_code = False

    def handle_data(self, data):
        (self.code if self._in_code else self.text).append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")


def page_with(texts):
    """Return the page of two images in which each field holds its text."""
    said = {name: texts[name] for name in ("subject", "kind", "session", "note", "mark", "comment")}
    images = tuple(
        GroupImage(
            **said, title=texts["title"] + end, verdict=verdict, area_mm2=70.0, score=score, n_slices=4,
            advice=texts["advice"], along=(70.0,) * 20, person=(texts["cell"], end),
            thumbnail=Thumbnail("/9j/AAAA", 9, 9, "image-1"),
        )
        for end, verdict, score in [*((f"{n}", "pass", 9.0) for n in range(5)), ("x", "fail", 0.0)]
    )  # fmt: skip
    return GroupPage(
        images=images,
        kinds=(KindSummary(texts["kind"], 5, 70.0, 4.0),),
        missing=(Absence(texts["subject"], texts["session"], texts["kind"], texts["reason"]),),
        pairs=(Pair(texts["subject"], texts["kind"], "run", texts["title"], texts["title"], 70.0, 77.0, 9.5),),
        pair_summaries=(PairSummary("run", texts["kind"], 1, 6.7),),
        pages=frozenset({texts["subject"]}),
        participant_columns=(texts["column"], "other"),
        participant_places=(texts["table"],),
        tables=(texts["table"],),
        outlier_score=3.5,
        least_images=5,
    )


def parsed(texts, **options):
    return Parsed(render_group(page_with(texts), version="1.2.3", **options))


HARMLESS = parsed({name: f"a{name}" for name in FIELDS})


@given(texts=st.fixed_dictionaries(dict.fromkeys(FIELDS, HOSTILE)))
def test_any_text_changes_no_element_no_attribute_and_no_script(texts):
    found = parsed(texts)
    assert found.tags == HARMLESS.tags
    assert found.code == HARMLESS.code
    assert all(link.startswith(("#", "data:", "sub-a")) for link in found.links)


@given(text=HOSTILE, name=st.sampled_from([name for name in FIELDS if name not in {"mark", "session", "subject"}]))
def test_any_text_is_shown_as_it_is(text, name):
    # A parser of HTML takes every end of line for the same one, and leaves out what is none of its characters.
    clean = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\N{REPLACEMENT CHARACTER}")
    found = parsed({each: f"a{each}" for each in FIELDS} | {name: text})
    whole = "".join(found.text).replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\N{REPLACEMENT CHARACTER}")
    # Of a path the name of the file is shown; the path itself is an attribute.
    assert clean.rpartition("/")[2] in whole


@given(version=HOSTILE, app=HOSTILE)
def test_version_and_name_are_text_too(version, app):
    texts = {name: f"a{name}" for name in FIELDS}
    found = Parsed(render_group(page_with(texts), version=version, app=app))
    assert (found.tags, found.code) == (HARMLESS.tags, HARMLESS.code)


@pytest.mark.slow
def test_hostile_names_run_nothing_in_a_browser(browser, tmp_path):
    nasty = "a\"'><img src=x onerror=\"document.title='owned'\"></script><script>document.title='owned'</script>"
    path = tmp_path / "page.html"
    path.write_text(render_group(page_with(dict.fromkeys(FIELDS, nasty)), version=nasty), encoding="utf-8")
    browser.open(path.as_uri())
    for key in "jjff7":
        browser.press(key)
    browser.page.fill(".judge .words", nasty)
    browser.page.select_option("select >> nth=0", index=1)
    assert "owned" not in browser.evaluate("document.title")
    assert browser.evaluate("document.querySelectorAll('img').length") == 7
    assert browser.problems == []
