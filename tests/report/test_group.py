"""The page of the group level: what it shows, and how areas are laid out."""

import math
import re

import numpy as np
import pytest

from bids_deepseg.report.distribution import MOST_DOTS, WIDTH, Values, axis_ticks, plot_distribution
from bids_deepseg.report.group import MOST_COLUMNS, MOST_PLOTTED, render_group
from bids_deepseg.report.group_facts import Absence, GroupImage, GroupPage, KindSummary, Pair, PairSummary
from bids_deepseg.report.thumbnail import Thumbnail


def group_page(**more):
    images = [
        GroupImage(subject="01", title="sub-01/anat/sub-01_T2w.nii.gz", kind="T2w", verdict="pass", area_mm2=70.0,
                   score=0.1, n_slices=20),
        GroupImage(subject="02", title="sub-02/anat/sub-02_T2w.nii.gz", kind="T2w", verdict="warn", area_mm2=120.0,
                   score=7.25, n_slices=9, note="Look."),
        GroupImage(subject="03", title="sub-03/anat/sub-03_T2w.nii.gz", kind="T2w", verdict="fail", area_mm2=8.0,
                   score=-9.0, n_slices=2, note="Too small."),
        GroupImage(subject="04", title="sub-04/anat/sub-04_T2w.nii.gz", kind="T2w", verdict="failed",
                   note="bad-image: It is empty."),
    ]  # fmt: skip
    settings = {
        "images": tuple(images),
        "kinds": (KindSummary("T2w", 2, 95.0, 4.0),),
        "missing": (Absence("05", None, "", "no usable image in the data set: 2 FLAIR"),),
        "pairs": (Pair("01", "T2w", "run", "a/sub-01_run-1_T2w", "a/sub-01_run-2_T2w", 70.0, 77.0, 9.52),),
        "pair_summaries": (PairSummary("run", "T2w", 1, 6.73),),
        "pages": frozenset({"01", "02"}),
        "participant_columns": (),
        "participant_places": ("sourcedata/participants.tsv",),
        "tables": ("group_label-SC_morph.tsv",),
        "outlier_score": 3.5,
        "least_images": 5,
    }
    return GroupPage(**(settings | more))


def render(**more):
    return render_group(group_page(**more), version="1.2.3")


def rows_of(html, table):
    body = re.split("<tbody[^>]*>", html.split(f'id="{table}"')[1])[1].split("</tbody>")[0]
    return [
        " ".join(re.sub(r"<[^>]*>", " ", row).replace("\N{EN DASH}", "none").split())
        for row in re.split("<tr[^>]*>", body)[1:]
    ]


def test_every_image_has_a_row_the_worst_first_and_outliers_are_marked():
    rows = rows_of(render(), "images")
    assert rows == [
        "none sub-04 sub-04_T2w.nii.gz No result bad-image: It is empty. none none none none T2w",
        "none sub-03 sub-03_T2w.nii.gz Fail Too small. none 8.0 ▲ outlier -9.0 2 T2w",
        "none sub-02 sub-02_T2w.nii.gz Look Look. none 120.0 ▲ outlier 7.2 9 T2w",
        "none sub-01 sub-01_T2w.nii.gz Pass none none 70.0 0.1 20 T2w",
    ]
    assert rows_of(render(), "absent") == ["sub-05 none all no usable image in the data set: 2 FLAIR"]
    assert "+9.5" in rows_of(render(), "pairs")[0]


def test_outliers_come_before_other_doubts_the_farthest_first():
    scores = {"a": 3.6, "b": 0.0, "c": -7.0, "d": 1.0}
    verdicts = {"a": "pass", "b": "warn", "c": "pass", "d": "fail"}
    images = [
        GroupImage(subject=name, title=f"{name}.nii", kind="T2w", verdict=verdicts[name], area_mm2=70.0, score=score)
        for name, score in scores.items()
    ]
    assert [image.subject for image in group_page(images=tuple(images)).worst_first] == ["d", "c", "a", "b"]


def test_what_is_known_of_an_image_is_in_its_row():
    image = GroupImage(
        subject="01", title="sub-01/anat/sub-01_T2w.nii.gz", kind="T2w", verdict="failed", session="pre", note="Bad.",
        advice="Mend it.", person=("33", "north"), mark="fail", rank="7", comment="leaks",
        thumbnail=Thumbnail("/9j/AAAA", 194, 96, "image-2"),
    )  # fmt: skip
    html = render(images=(image,), participant_columns=("age", "site"))
    assert rows_of(html, "images") == [
        "sub-01 sub-01_T2w.nii.gz No result Bad. What to do: Mend it. fail 7: leaks none none none T2w ses-pre 33 north"
    ]
    assert 'href="sub-01.html#image-2"' in html
    assert 'src="data:image/jpeg;base64,/9j/AAAA" width="194" height="96"' in html


def test_a_table_of_very_many_columns_shows_the_first_and_says_so():
    names = tuple(f"column{n}" for n in range(MOST_COLUMNS + 3))
    html = render(participant_columns=names)
    assert html.count('<th scope="col" role="columnheader" class="person"') == MOST_COLUMNS
    assert f"shows the first {MOST_COLUMNS} of them" in html
    assert names[-1] in html


def figures_of(html):
    return re.findall(r"<summary>By (.*?)</summary>", html)


def test_areas_are_drawn_by_every_column_that_tells_something():
    people = {"a": ("x", "1", "same", "u1"), "b": ("y", "2", "same", "u2"), "c": ("x", "n/a", "same", "u3")}
    images = [
        GroupImage(subject=name, title=name, kind="T2w", verdict="pass", session="pre" * (name != "b"), area_mm2=70.0,
                   person=person)
        for name, person in people.items()
    ]  # fmt: skip
    html = render(images=tuple(images), participant_columns=("site", "age", "group", "code"))
    assert figures_of(html) == ["kind of image", "session", "site", "age"]


def test_areas_are_drawn_by_the_first_of_very_many_columns_and_the_page_says_so():
    names = tuple(f"column{n}" for n in range(MOST_PLOTTED + 5))
    images = [
        GroupImage(subject=str(n), title=str(n), kind="T2w", verdict="pass", area_mm2=70.0,
                   person=(str(n % 2),) * len(names))
        for n in range(4)
    ]  # fmt: skip
    html = render(images=tuple(images), participant_columns=names)
    assert figures_of(html) == ["kind of image", *names[:MOST_PLOTTED]]
    assert f"those after the first {MOST_PLOTTED}" in html


def test_only_pages_that_exist_are_linked():
    assert set(re.findall(r'href="(sub-.*?)"', html := render())) == {"sub-01.html", "sub-02.html"}
    assert "sub-03.html" not in html


def test_links_lead_to_the_file_whatever_the_label_is():
    label = "a#b?c%20 d"
    image = GroupImage(subject=label, title="x.nii", kind="T2w", verdict="pass", area_mm2=70.0)
    html = render(images=(image,), pairs=(), pages=frozenset({label}))
    assert re.findall(r'href="(sub-.*?)"', html) == ["sub-a%23b%3Fc%2520%20d.html"]


def test_the_page_says_whether_the_people_were_joined():
    assert "No participants.tsv of the source was joined" in render()
    assert "age, sex" in render(participant_columns=("age", "sex"))


def test_sections_without_content_are_left_out():
    html = render(missing=(), pairs=(), pair_summaries=(), images=group_page().images[3:], kinds=())
    assert '<svg class="strips"' not in html
    assert 'id="pairs"' not in html
    assert 'id="absent"' not in html


def test_the_page_needs_nothing_else_and_is_the_same_again():
    html = render()
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//|url\(", html)
    assert html == render()


def test_text_from_files_is_not_read_as_markup():
    nasty = '"><script>alert(1)</script>'
    image = GroupImage(subject="01", title=nasty, kind=nasty, verdict="pass", area_mm2=70.0, note=nasty)
    html = render(
        images=(image,), kinds=(KindSummary(nasty, 1, 70.0, math.nan),), missing=(Absence(nasty, nasty, nasty, nasty),)
    )
    assert "<script>alert" not in html


# ---- the plot -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ends", [(60, 100), (0.001, 0.002), (70, 70), (0, 0), (3, 5000), (88, 88.0001)])
def test_the_axis_has_round_equal_steps_around_the_values(ends):
    ticks = axis_ticks(*ends)
    assert ticks[0] <= ends[0] <= ends[1] <= ticks[-1]
    assert 2 <= len(ticks) <= 10
    assert np.allclose(np.diff(ticks), ticks[1] - ticks[0])


def values(rng, kind, count, style="plain"):
    return Values(kind, [(float(v), f"{v:.2f}", style) for v in rng.normal(75, 8, count)], (47.0, 103.0))


def test_dots_lie_at_their_values_within_their_strip(rng):
    plot = plot_distribution([values(rng, kind, MOST_DOTS) for kind in ("T1w", "T2w")])
    low, high = float(plot.ticks[0][1]), float(plot.ticks[-1][1])
    for strip in plot.strips:
        shown = [low + dot.x / WIDTH * (high - low) for dot in strip.dots]
        assert np.allclose(shown, [float(dot.text) for dot in strip.dots], atol=0.01)
        assert all(abs(dot.y - strip.middle) <= plot.strip / 2 - 3.2 for dot in strip.dots)
        assert 0 <= strip.usual[0] < strip.box.median < strip.usual[1] <= WIDTH
    assert plot.height == 2 * plot.strip


def test_a_box_lies_at_the_percentiles_of_what_counts(rng):
    group = values(rng, "T2w", 500)
    unused = [(1.0, "wrong", "unused")] * 300
    (strip,) = plot_distribution([Values("T2w", [*group.points, *unused])]).strips
    plot = plot_distribution([Values("T2w", [*group.points, *unused])])
    low, high = float(plot.ticks[0][1]), float(plot.ticks[-1][1])
    box = [low + at / WIDTH * (high - low) for at in (
        strip.box.low, strip.box.begin, strip.box.median, strip.box.end, strip.box.high)]  # fmt: skip
    assert np.allclose(box, np.percentile([value for value, _, _ in group.points], (5, 25, 50, 75, 95)))
    assert strip.n_values == 800


def test_thousands_of_images_do_not_make_thousands_of_dots(rng):
    outliers = [(float(v), "far", "outlier") for v in rng.uniform(200, 900, 300)]
    group = Values("T2w", [*values(rng, "T2w", 5000).points, *outliers])
    (strip,) = plot_distribution([group]).strips
    assert len(strip.dots) == MOST_DOTS
    assert {dot.style for dot in strip.dots} == {"outlier"}
    assert strip.shape


def test_one_wrong_mask_does_not_push_the_others_together(rng):
    group = Values("T2w", [*values(rng, "T2w", 300).points, (1e6, "wrong", "outlier")])
    plot = plot_distribution([group])
    assert float(plot.ticks[-1][1]) < 300
    assert plot.strips[0].dots[-1].x == WIDTH


@pytest.mark.parametrize("count", [1, 2, 11, 12, 100])
def test_equal_values_make_a_strip(count):
    (strip,) = plot_distribution([Values("T2w", [(70.0, "same", "plain")] * count)]).strips
    assert strip.box.low == strip.box.high
    assert "nan" not in strip.shape


@pytest.mark.parametrize("value", [0.0, 1e-300, 1e9, 1e300])
def test_values_of_any_size_make_a_strip(value):
    (strip,) = plot_distribution([Values("T2w", [(value * (1 + n / 40), "x", "plain") for n in range(30)])]).strips
    assert 0 <= strip.box.low <= strip.box.median <= strip.box.high <= WIDTH
    assert all(0 <= dot.x <= WIDTH for dot in strip.dots)


def test_without_values_there_is_no_plot():
    assert plot_distribution([]) is None
    assert plot_distribution([Values("T2w", [])]) is None


def test_only_results_that_must_not_be_used_make_a_strip_without_box():
    (strip,) = plot_distribution([Values("T2w", [(3.0, "a", "unused"), (4.0, "b", "unused")])]).strips
    assert (strip.box, strip.shape, len(strip.dots)) == (None, "", 2)


# ---- in a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture
def url(tmp_path):
    path = tmp_path / "group.html"
    path.write_text(render(), encoding="utf-8")
    return path.as_uri()


@pytest.mark.slow
@pytest.mark.parametrize("scripts", [True, False])
def test_opens_without_error_and_without_request(browser, url, scripts):
    browser.open(url, scripts=scripts)
    browser.evaluate("new Promise(done => setTimeout(done, 200))" if scripts else "0")
    assert browser.problems == []
    assert {address.partition(":")[0] for address in browser.requests} <= {"file", "data"}
    assert browser.evaluate("document.querySelectorAll('#images tbody tr').length") == 4


@pytest.mark.slow
def test_each_table_is_sorted_by_keyboard(browser, url):
    browser.open(url)
    browser.evaluate("document.querySelector('#images thead .score button').focus()")
    browser.press("Enter")
    # Rows that were never in view have a text, but no visible one.
    column = "Array.from(document.querySelectorAll('#images tbody tr'), r => r.cells[1].textContent.match(/sub-../)[0])"
    assert browser.evaluate(column) == ["sub-04", "sub-03", "sub-01", "sub-02"]
    browser.press("Enter")
    assert browser.evaluate(column) == ["sub-02", "sub-01", "sub-03", "sub-04"]
    assert browser.evaluate("document.querySelectorAll('#pairs thead button').length") == 6


@pytest.fixture
def long_url(tmp_path):
    images = [
        GroupImage(subject=f"{n:03d}", title=f"sub-{n:03d}_T{1 + n % 2}w.nii.gz", kind=f"T{1 + n % 2}w", verdict="pass",
                   area_mm2=70.0 + n / 10)
        for n in range(200)
    ]  # fmt: skip
    path = tmp_path / "long.html"
    path.write_text(render(images=tuple(images)), encoding="utf-8")
    return path.as_uri()


@pytest.mark.slow
def test_rows_of_a_long_table_are_found_by_all_words(browser, long_url):
    browser.open(long_url)
    # Short tables have no such field.
    assert browser.evaluate("document.querySelectorAll('.search input').length") == 1
    browser.press("/")
    for letter in "T1W sub-01":
        browser.press(letter)
    rows = "Array.from(document.querySelectorAll('#images tbody tr'))"
    shown = f"{rows}.filter(row => row.offsetHeight).map(row => row.dataset.image.slice(0, 7))"
    assert browser.evaluate(shown) == [f"sub-{n:03d}" for n in range(10, 20, 2)]
    assert browser.evaluate("document.querySelector('.filters output').textContent") == "5 of 200 images"
    browser.evaluate("document.querySelector('#images thead .area button').click()")
    browser.evaluate("document.querySelector('#images thead .area button').click()")
    assert browser.evaluate(shown)[0] == "sub-018"
    for _ in range(10):
        browser.press("Backspace")
    assert len(browser.evaluate(shown)) == 200


@pytest.mark.slow
def test_the_head_of_a_long_table_stays_while_it_scrolls(browser, long_url):
    browser.open(long_url)
    browser.evaluate("document.querySelector('#images').closest('.rows').scrollTop = 3000")
    places = "[document.querySelector('#images thead'), document.querySelector('#images').closest('.rows')]"
    head, around = browser.evaluate(f"{places}.map(each => each.getBoundingClientRect().top)")
    assert head == pytest.approx(around, abs=2)


@pytest.mark.slow
@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_fits_into_the_window(browser, url, width):
    browser.open(url, width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
