"""The page works in a real browser without network, with and without scripts, by keyboard, wide, narrow and printed."""

import re

import pytest

from bids_deepseg.report.participant import ReportImage, render_participant

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url(page, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "sub-01.html"
    path.write_text(page, encoding="utf-8")
    return path.as_uri()


def shown(browser, selector):
    return browser.evaluate(f"getComputedStyle(document.querySelector({selector!r})).display") != "none"


@pytest.mark.parametrize("scripts", [True, False])
def test_opens_without_error_and_without_request(browser, url, scripts):
    browser.open(url, scripts=scripts)
    browser.evaluate("new Promise(done => setTimeout(done, 200))" if scripts else "0")
    assert browser.problems == []
    assert {address.partition(":")[0] for address in browser.requests} <= {"file", "data"}


def test_all_pictures_are_loaded(browser, url):
    browser.open(url)
    sizes = browser.evaluate("Array.from(document.images, i => [i.naturalWidth, i.clientWidth, i.clientHeight])")
    assert len(sizes) > 30
    assert all(min(size) > 0 for size in sizes)


def test_outlines_lie_on_their_pictures(browser, url):
    browser.open(url)
    boxes = browser.evaluate(
        "Array.from(document.querySelectorAll('.frame'), f => ['img', '.over'].map(s => {"
        "const b = f.querySelector(s).getBoundingClientRect(); return [b.x, b.y, b.width, b.height]}))"
    )
    assert all(abs(a - b) < 0.6 for picture, over in boxes for a, b in zip(picture, over, strict=True))


@pytest.mark.parametrize("scripts", [True, False])
def test_outline_is_switched_by_keyboard(browser, url, scripts):
    browser.open(url, scripts=scripts)
    assert shown(browser, ".outline")
    with_outline = browser.page.screenshot()
    browser.press("Tab")
    assert browser.evaluate("document.activeElement.id") == "show-outline"
    ring = browser.evaluate("getComputedStyle(document.querySelector('[for=show-outline]')).outlineStyle")
    assert ring == "solid"
    browser.press(" ")
    assert not shown(browser, ".outline")
    assert browser.page.screenshot() != with_outline
    browser.press(" ")
    assert shown(browser, ".outline")


def test_unsure_zone_and_voxels_are_switched_by_keyboard(browser, url):
    browser.open(url)
    assert not shown(browser, ".unsure")
    browser.press("Tab")
    browser.press("Tab")
    browser.press(" ")
    assert shown(browser, ".unsure")
    browser.press("Tab")
    browser.press(" ")
    assert browser.evaluate("getComputedStyle(document.images[0]).imageRendering") == "pixelated"


def test_outline_is_switched_by_clicking_its_label(browser, url):
    browser.open(url)
    browser.evaluate("document.querySelector('[for=show-outline]').click()")
    assert not shown(browser, ".outline")


def column(browser, number):
    return browser.evaluate(
        f"Array.from(document.querySelectorAll('#summary tbody tr'), r => r.cells[{number}].innerText)"
    )


def test_table_is_sorted_by_keyboard(browser, url):
    browser.open(url)
    original = column(browser, 0)
    browser.evaluate("document.querySelectorAll('#summary thead button')[2].focus()")
    browser.press("Enter")
    areas = [float(text) if text[0].isdigit() else -1.0 for text in column(browser, 2)]
    assert areas == sorted(areas)
    browser.press("Enter")
    areas = [float(text) if text[0].isdigit() else -1.0 for text in column(browser, 2)]
    assert areas == sorted(areas, reverse=True)
    assert browser.evaluate("document.querySelectorAll('#summary th')[2].getAttribute('aria-sort')") == "descending"
    assert sorted(column(browser, 0)) == sorted(original)


@pytest.mark.parametrize("width", [1440, 1024, 390])
def test_fits_into_the_window(browser, url, width):
    browser.open(url, width=width)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_print_view_hides_switches_and_keeps_outlines(browser, url):
    browser.open(url, width=720)
    browser.page.emulate_media(media="print")
    assert not shown(browser, ".bar")
    assert shown(browser, ".outline")
    assert browser.evaluate("document.documentElement.scrollWidth") <= 720


def test_text_has_enough_contrast(browser, url):
    browser.open(url)
    pairs = browser.evaluate(
        "['body', '.badge.pass', '.badge.warn', '.badge.failed', 'h3', '.tile figcaption', '.why', 'footer', 'a']"
        ".map(s => { let e = document.querySelector('main ' + s) || document.querySelector(s);"
        " const ink = getComputedStyle(e).color; let paper = 'rgba(0, 0, 0, 0)';"
        " while (paper === 'rgba(0, 0, 0, 0)') { paper = getComputedStyle(e).backgroundColor; e = e.parentElement; }"
        " return [s, ink, paper]; })"
    )
    for selector, ink, paper in pairs:
        assert contrast(ink, paper) >= 4.5, selector


def contrast(first, second):
    """Return the contrast ratio of two colours as defined by WCAG 2."""

    def luminance(colour):
        channels = [int(n) / 255 for n in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_hostile_names_run_nothing(browser, tmp_path):
    nasty = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    page = render_participant(nasty, [ReportImage(nasty, status=nasty, messages=(nasty,))], version=nasty)
    path = tmp_path / "page.html"
    path.write_text(page, encoding="utf-8")
    browser.open(path.as_uri())
    assert browser.evaluate("document.title") != "owned"
    assert browser.evaluate("document.images.length") == 0
