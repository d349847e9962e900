"""The page of the group in a real browser without network: sort, filter, judge and save by mouse and keyboard."""

import json
import re

import pytest

from bids_deepseg.bids.derivatives.judgements import CORD_KEY, Judgement, read_judgements, read_list
from bids_deepseg.report.group import render_group
from bids_deepseg.report.group_facts import GroupImage, KindSummary
from tests.helpers.group_pages import IDENTITY, random_html, random_page

pytestmark = pytest.mark.slow

#: Faults of accessibility that are refused.
SERIOUS = {"serious", "critical"}

#: What an empty cell shows.
NOTHING = "\N{EN DASH}"

ROWS = "Array.from(document.querySelectorAll('#images tbody tr'))"
SHOWN = f"{ROWS}.filter(row => row.offsetHeight)"


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    path = tmp_path_factory.mktemp("group") / "group.html"
    path.write_text(random_html(60), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def opened(browser, url):
    browser.open(url)
    return browser


def row_of(browser, image):
    """Return what the table says of the judgement of an image."""
    return browser.evaluate(
        f"{ROWS}.find(row => row.dataset.image === {json.dumps(image)}).querySelector('.said').textContent"
    )


def kept(browser, image):
    text = browser.evaluate(f"localStorage.getItem('bids_deepseg:judgement:{IDENTITY}:' + {json.dumps(image)})")
    return None if text is None else json.loads(text)


def chosen(browser):
    return browser.evaluate("document.querySelector('#images [aria-current]')?.dataset.image ?? null")


def saved(browser, folder, name):
    with browser.page.expect_download() as download:
        browser.page.click(f"[data-save='{name}']")
    assert download.value.suggested_filename == name
    download.value.save_as(folder / name)
    return folder / name


# ---- the page as a whole --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_opens_without_error_and_without_request_with_all_pictures(browser, url, scripts, scheme):
    browser.open(url, scripts=scripts)
    browser.page.emulate_media(color_scheme=scheme)
    pictures = browser.evaluate(
        "Promise.all(Array.from(document.images, i => (i.loading = 'eager', i.decode().then("
        "() => [i.naturalWidth, i.naturalHeight, i.alt.length, i.width]))))"
    )
    assert len(pictures) > 50
    assert all(min(facts) > 0 for facts in pictures)
    assert browser.problems == []
    assert {address.partition(":")[0] for address in browser.requests} <= {"file", "data"}


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (1440, "dark"), (390, "light"), (390, "dark")])
def test_no_serious_fault_of_accessibility(browser, url, width, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    browser.open(url, width=width)
    browser.page.emulate_media(color_scheme=scheme)
    browser.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    for key in "jff":
        browser.press(key)
    violations = axe.run(browser.page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"]) for each in violations if each["impact"] in SERIOUS] == []


@pytest.mark.parametrize("width", [3840, 1440, 1024, 390, 320])
def test_fits_into_the_window(browser, url, width):
    browser.open(url, width=width)
    browser.press("j")
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_without_scripts_all_is_there_and_nothing_pretends_to_work(browser, url):
    browser.open(url, scripts=False)
    assert "The file is empty" in browser.page.text_content("#images")
    assert browser.page.is_visible("svg.strips")
    assert browser.page.locator("main button, main input, main select").count() == 0


def test_the_printed_page_has_all_rows_and_no_controls(browser, url):
    browser.open(url, width=720)
    browser.page.emulate_media(media="print")
    assert browser.evaluate(f"{SHOWN}.length") == 60
    assert not browser.page.is_visible(".judge")
    assert not browser.page.is_visible(".filters")
    assert browser.evaluate("document.documentElement.scrollWidth") <= 720


def test_rows_are_those_of_a_table_for_a_screen_reader(opened):
    first = opened.page.get_by_role("table").first
    assert first.get_by_role("row").count() == 61
    assert first.get_by_role("rowheader").count() == 60
    assert first.get_by_role("columnheader").count() == 14


# ---- sorting and filtering ------------------------------------------------------------------------------------------


def test_numbers_are_sorted_as_numbers_and_texts_as_texts(opened):
    for column in ("area", "score", "slices", "verdict", "kind", "file"):
        for order in ("ascending", "descending"):
            opened.page.click(f"#images thead .{column} button")
            keys = opened.evaluate(
                f"{ROWS}.map(r => r.querySelector('.{column}')).map(c => c.dataset.key ?? c.textContent.trim())"
            )
            values = keys if column in {"kind", "file"} else [float(key) for key in keys]
            assert values == sorted(values, reverse=order == "descending")
            assert opened.evaluate(f"document.querySelector('#images thead .{column}').ariaSort") == order
    assert opened.evaluate("document.querySelectorAll('#images [aria-sort]').length") == 1


@pytest.mark.parametrize(
    ("label", "option", "test"),
    [
        ("Kind", "T1w", "row.cells[8].textContent === 'T1w'"),
        ("Session", "ses-2", "row.cells[9].textContent === 'ses-2'"),
        ("Verdict", "Look", "row.classList.contains('warn')"),
        ("Verdict", "outlier of area", "row.textContent.includes('▲')"),
        ("Judgement", "none yet", "true"),
        ("Judgement", "fail", "false"),
    ],
)
def test_each_filter_shows_what_it_says_and_all_again(opened, label, option, test):
    select = opened.page.locator(".filters").get_by_label(label, exact=True)
    select.select_option(option)
    wanted = opened.evaluate(f"{ROWS}.filter(row => {test}).map(row => row.dataset.image)")
    assert opened.evaluate(f"{SHOWN}.map(row => row.dataset.image)") == wanted
    assert opened.page.inner_text(".filters output") == f"{len(wanted)} of 60 images"
    select.select_option("all")
    assert opened.evaluate(f"{SHOWN}.length") == 60


def test_any_column_of_the_participants_filters_by_value_or_by_range(opened):
    column = opened.page.get_by_label("Column of participants.tsv")
    column.select_option("site")
    opened.page.get_by_label("Value", exact=True).select_option("berlin")
    sites = set(opened.evaluate(f"{SHOWN}.map(row => row.cells[10].textContent)"))
    assert sites == {"berlin"}
    column.select_option("age")
    assert opened.evaluate(f"{SHOWN}.length") == 60
    opened.page.get_by_label("From", exact=True).fill("40")
    opened.page.get_by_label("To", exact=True).fill("59.5")
    ages = opened.evaluate(f"{SHOWN}.map(row => Number(row.cells[11].textContent))")
    every = opened.evaluate(f"{ROWS}.map(row => Number(row.cells[11].textContent))")
    assert sorted(ages) == sorted(age for age in every if 40 <= age <= 59.5)
    assert 0 < len(ages) < 60


def test_filters_work_together_with_the_search(opened):
    opened.page.locator(".filters").get_by_label("Kind", exact=True).select_option("T2w")
    opened.press("/")
    opened.page.keyboard.type("sub-000 ses-2")
    names = opened.evaluate(f"{SHOWN}.map(row => row.dataset.image)")
    assert names
    assert all(re.match(r"sub-000.*ses-2_T2w", name) for name in names)


# ---- judging --------------------------------------------------------------------------------------------------------


def test_keys_choose_mark_and_rank(opened):
    order = opened.evaluate(f"{ROWS}.map(row => row.dataset.image)")
    for key in "jjjk":
        opened.press(key)
    assert chosen(opened) == order[1]
    opened.press("f")
    assert row_of(opened, order[1]) == "pass"
    opened.press("f")
    opened.press("8")
    assert row_of(opened, order[1]) == "fail 8"
    assert kept(opened, order[1]) == {"mark": "fail", "rank": 8, "comment": ""}
    opened.press("f")
    assert kept(opened, order[1])["mark"] == "artifact"
    opened.press("f")
    assert row_of(opened, order[1]) == "8"


def test_keys_are_letters_in_a_field_and_nothing_when_switched_off(opened):
    opened.press("j")
    image = chosen(opened)
    opened.page.click(".judge .words")
    opened.page.keyboard.type("j f 5 /")
    assert (chosen(opened), row_of(opened, image)) == (image, ": j f 5 /")
    opened.page.click(".keys input")
    for key in "jf5/":
        opened.press(key)
    assert (chosen(opened), row_of(opened, image)) == (image, ": j f 5 /")
    assert opened.evaluate("document.activeElement.type") == "checkbox"


def test_everything_is_done_by_mouse(opened):
    opened.page.click("#images tbody tr >> nth=2 >> td.kind")
    image = chosen(opened)
    opened.page.click(".judge [data-mark=artifact]")
    opened.page.select_option(".rank", "0")
    opened.page.fill(".words", "ghosting")
    assert kept(opened, image) == {"mark": "artifact", "rank": 0, "comment": "ghosting"}
    assert row_of(opened, image) == "artifact 0: ghosting"
    assert opened.page.inner_text(".tally") == "1 of 60 marked"
    opened.page.click(".judge [data-mark=artifact]")
    opened.page.select_option(".rank", "")
    opened.page.fill(".words", "")
    assert kept(opened, image) is None
    assert row_of(opened, image) == NOTHING


def test_everything_is_reached_by_the_tab_key(opened):
    opened.evaluate("document.querySelector('[data-move=\"1\"]').focus()")
    opened.press("Enter")
    names = []
    for _ in range(9):
        opened.press("Tab")
        names.append(
            opened.evaluate("(at => at.dataset.mark ?? at.dataset.save ?? at.className)(document.activeElement)")
        )
    assert names[:8] == [
        "pass",
        "fail",
        "artifact",
        "rank",
        "words",
        "qc_judgements.tsv",
        "qc_fail.yml",
        "qc_artifact.yml",
    ]


def in_view(browser):
    """Make sure that the chosen row is between the head of the table and the panel, and inside of the table."""
    row, head, around, panel = browser.evaluate(
        "['#images [aria-current]', '#images thead', '.rows', '.judge'].map(s => document.querySelector(s))"
        ".map(each => each.getBoundingClientRect()).map(box => [box.top, box.bottom])"
    )
    assert head[1] - 1 <= row[0] < row[1] <= min(around[1], panel[0]) + 1


def test_the_chosen_row_is_in_view_and_not_below_the_head(opened):
    for _ in range(35):
        opened.press("j")
        in_view(opened)
    for _ in range(20):
        opened.press("k")
        in_view(opened)


def test_on_a_phone_the_chosen_row_is_not_below_the_panel(browser, url):
    browser.open(url, width=390)
    for _ in range(20):
        browser.press("j")
    row, bar, panel = browser.evaluate(
        "['#images [aria-current]', '.bar', '.judge'].map(s => document.querySelector(s))"
        ".map(each => each.getBoundingClientRect()).map(box => [box.top, box.bottom])"
    )
    assert bar[1] - 1 <= row[0] < row[1] <= panel[0] + 1
    assert panel[1] <= 901


def test_hidden_rows_are_passed_over(opened):
    opened.page.locator(".filters").get_by_label("Kind", exact=True).select_option("T2w")
    for _ in range(5):
        opened.press("j")
        assert chosen(opened).endswith("_T2w.nii.gz")


def test_the_chosen_image_is_drawn_over_the_band_of_its_kind(opened):
    row = "document.querySelector('#images tr[data-along]')"
    opened.evaluate(f"{row}.click()")
    kind = opened.evaluate(f"{row}.cells[8].textContent")
    drawn = opened.evaluate("Array.from(document.querySelectorAll('.picked'), each => each.parentNode.dataset.kind)")
    assert drawn == [kind]


def test_judgements_stay_and_are_those_of_the_page_of_the_participant(browser, url):
    browser.open(url)
    browser.press("j")
    image = chosen(browser)
    # As another page of the same data set writes it.
    browser.evaluate(
        f"localStorage.setItem('bids_deepseg:judgement:{IDENTITY}:' + {json.dumps(image)},"
        " JSON.stringify({mark: 'fail', rank: 3, comment: 'from there'}))"
    )
    browser.page.reload()
    assert row_of(browser, image) == "fail 3: from there"


@pytest.mark.parametrize(
    "text",
    ["", "{", "null", "[]", "7", '{"mark": "great", "rank": 11, "comment": 5}', '{"rank": "3"}', '{"mark": null}'],
)
def test_what_is_kept_by_others_in_another_form_is_no_judgement(opened, text):
    image = opened.evaluate(f"{ROWS}[0].dataset.image")
    opened.evaluate(
        f"localStorage.setItem('bids_deepseg:judgement:{IDENTITY}:' + {json.dumps(image)}, {json.dumps(text)})"
    )
    opened.page.reload()
    assert row_of(opened, image) == NOTHING
    assert opened.problems == []


# ---- files ----------------------------------------------------------------------------------------------------------

NAMES = [
    "sub-01/anat/sub-01_T2w.nii.gz",
    *(f"sub-02/dwi/sub-02_dwi.nii.gz#{n}" for n in (3, 4)),
    *(
        "yes",
        "null",
        "- a",
        "a: b",
        "é è 好 🙂",
        "# no comment",
        'it\'s "quoted" \\ here',
        "a\u2028b",
        "[x]",
        "1e3",
        "~",
    ),
    "sub-03 T2w.nii.gz",
]


@pytest.fixture
def named(browser, tmp_path):
    """Return a page of images with all kinds of names, and a judgement that was read back."""
    some = {"kind": "T2w", "verdict": "pass", "area_mm2": 70.0}
    images = [GroupImage(subject="01", title=name, **some) for name in NAMES]
    images.append(GroupImage(subject="09", title="judged.nii.gz", mark="fail", rank="4", comment="old", **some))
    kinds = (KindSummary("T2w", len(images), 70.0, 5.0),)
    page = random_page(4, images=tuple(images), kinds=kinds, participant_columns=())
    path = tmp_path / "group.html"
    path.write_text(render_group(page, version="1"), encoding="utf-8")
    browser.open(path.as_uri())
    return browser


def test_the_saved_lists_hold_the_marked_images_whatever_their_names_are(named, tmp_path):
    for image in NAMES:
        named.evaluate(f"{ROWS}.find(row => row.dataset.image === {json.dumps(image)}).click()")
        named.press("f")
        named.press("f")
    named.press("f")
    read = read_list(saved(named, tmp_path, "qc_fail.yml"))
    # Of a volume, its file is listed.
    assert set(read[CORD_KEY]) == {re.sub("#[0-9]+$", "", name) for name in [*NAMES[:-1], "judged.nii.gz"]}
    assert read_list(saved(named, tmp_path, "qc_artifact.yml")) == {CORD_KEY: (NAMES[-1],)}


def test_the_saved_table_is_read_back_by_the_group_level(named, tmp_path):
    for number, image in enumerate(NAMES):
        named.evaluate(f"{ROWS}.find(row => row.dataset.image === {json.dumps(image)}).click()")
        named.press("f")
        named.press(str(number % 10))
        named.page.fill(".words", f" tab\there {number} ")
        named.page.keyboard.press("Escape")
        named.evaluate("document.activeElement.blur()")
    saved(named, tmp_path, "qc_judgements.tsv")
    found = read_judgements(tmp_path)
    assert found.pop("judged.nii.gz") == Judgement("fail", 4, "old")
    clean = {" ".join(name.split()): n for n, name in enumerate(NAMES)}
    assert found == {name: Judgement("pass", n % 10, f"tab here {n}") for name, n in clean.items()}


def test_a_judgement_that_was_read_back_can_be_withdrawn(named, tmp_path):
    assert row_of(named, "judged.nii.gz") == "fail 4: old"
    named.evaluate(f"{ROWS}.find(row => row.dataset.image === 'judged.nii.gz').click()")
    named.page.click(".judge [data-mark=fail]")
    named.page.select_option(".rank", "")
    named.page.fill(".words", "")
    named.page.reload()
    assert row_of(named, "judged.nii.gz") == NOTHING
    assert read_judgements(saved(named, tmp_path, "qc_judgements.tsv").parent) == {}
    assert read_list(saved(named, tmp_path, "qc_fail.yml")) == {CORD_KEY: ()}


def test_two_data_sets_with_the_same_names_of_images_do_not_share_judgements(browser, tmp_path):
    """Chromium keeps the same for all pages from disk."""
    for name in ("one", "other"):
        (tmp_path / f"{name}.html").write_text(random_html(8, identity=name), encoding="utf-8")
    browser.open((tmp_path / "one.html").as_uri())
    browser.press("j")
    browser.press("f")
    image = chosen(browser)
    assert row_of(browser, image) != NOTHING
    browser.page.goto((tmp_path / "other.html").as_uri())
    assert row_of(browser, image) == NOTHING
    browser.page.goto((tmp_path / "one.html").as_uri())
    assert row_of(browser, image) != NOTHING
