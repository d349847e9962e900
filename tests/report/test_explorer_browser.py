"""The window with all slices works in a real browser: by mouse, touch and keyboard, light and dark, for everybody."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe

from bids_deepseg.report.linked import link_figures
from bids_deepseg.report.participant import render_participant
from bids_deepseg.stages.findings import Finding
from tests.helpers.report_images import heat_of, report_image

pytestmark = pytest.mark.slow

IMAGE = "sub-01/anat/sub-01_T1w.nii.gz"
KEY = f"bids_deepseg:judgement:a1b2:{IMAGE}"


@pytest.fixture(scope="module")
def written(images, tmp_path_factory):
    """Return the address of a page whose second image (40 slices, none in 10 and 11) has all there is to show."""
    first, second, *others = images
    level = np.where(np.arange(40) < 20, 3.0, 2.0)
    second = replace(
        second,
        messages=(),
        reasons=(Finding("gap", "warn", "The mask has a gap."), Finding("network-unsure", "fail", "Look at all.")),
        morph=dict(second.morph) | {"vertebral_level": level},
        level_names=("C1", "C2", "C3"),
        options={"kernel": "3d"},
        provenance={"Made by": "x"},
        command="bids_deepseg BIDS_DIR OUTPUT_DIR participant",
        structure=second.mask,
        structure_noun="grey matter",
        tries=({"Method": "PropSeg", "Verdict": "warn", "Score": 0.5, "Reasons": ["gap"], "Kept": True},),
        heat=heat_of(second),
    )
    first = replace(first, heat_note="The <centerline> was given.")
    path = tmp_path_factory.mktemp("page") / "sub-01.html"
    path.write_text(render_participant("01", [first, second, *others], version="1", identity="a1b2"), encoding="utf-8")
    return path.as_uri()


def settle(browser):
    browser.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done, 60)))")


def open_viewer(browser, url, **more):
    browser.open(url, **more)
    browser.page.click("#image-2 .closer")
    settle(browser)


def place(browser):
    settle(browser)
    return browser.page.inner_text("#explorer-place")


def is_open(browser):
    return browser.evaluate("document.getElementById('explorer').open")


#: Pixels of the outline: more red and blue than green.
PINK = """(() => {
  const canvas = document.querySelector('canvas[data-view=axial]'), found = [];
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  for (let n = 0; n < data.length; n += 4) {
    if (data[n] - data[n + 1] > 120 && data[n + 2] - data[n + 1] > 60)
      found.push([n / 4 % canvas.width, Math.floor(n / 4 / canvas.width)]);
  }
  return [[canvas.width, canvas.height], found];
})()"""


def pixels(browser, view="axial"):
    settle(browser)
    return browser.evaluate(f"document.querySelector('canvas[data-view={view}]').toDataURL()")


def test_every_slice_is_reached_without_an_error(browser, written):
    open_viewer(browser, written)
    browser.press("Home")
    seen = [place(browser)]
    for _ in range(39):
        browser.press("ArrowDown")
        seen.append(place(browser))
    assert [int(re.match(r"Slice (\d+)", text)[1]) for text in seen] == list(range(39, -1, -1))
    assert seen[28] == "Slice 11 · C3 · no mask"
    assert re.fullmatch(r"Slice 30 · C2 · \d+\.\d mm²", seen[9])
    browser.press("ArrowDown")
    assert place(browser) == seen[-1]
    assert browser.problems == []
    assert {address.partition(":")[0] for address in browser.requests} <= {"file", "data", "blob"}


@pytest.mark.parametrize("number", [5, 20, 33])
def test_the_outline_lies_around_the_voxels_of_the_mask(browser, written, images, number):
    open_viewer(browser, written)
    browser.page.uncheck("[data-show=cross]")
    browser.page.uncheck("[data-show=structure]")
    browser.page.fill("#explorer-slice", str(39 - number))
    settle(browser)
    (width, height), found = browser.evaluate(PINK)
    inside = np.argwhere(images[1].mask.data[..., number])
    size = (inside.max(0) - inside.min(0) + 1) / 36
    columns, rows = np.array(found).T
    assert (np.ptp(columns) / width, np.ptp(rows) / height) == pytest.approx(size, abs=0.01)
    # The tile lies around the middle of the mask, to half a voxel.
    assert (columns.mean() / width, rows.mean() / height) == pytest.approx((0.5, 0.5), abs=0.04)


@pytest.mark.parametrize("layer", ["mask", "probability", "heat", "structure", "course", "cross"])
def test_each_layer_is_switched_and_faded(browser, written, layer):
    open_viewer(browser, written)
    browser.page.fill("#explorer-slice", "10")
    box = browser.page.locator(f"[data-show={layer}]")
    box.check()
    shown = pixels(browser)
    browser.page.fill(f"[data-fade={layer}]", "25")
    faded = pixels(browser)
    box.focus()
    browser.press(" ")
    hidden = pixels(browser)
    assert len({shown, faded, hidden}) == 3
    browser.press(" ")
    assert pixels(browser) == faded


def test_an_image_without_heat_says_why(browser, written):
    open_viewer(browser, written)
    assert browser.page.inner_text("#explorer-heat") == ""
    assert browser.page.is_visible("[data-layer=heat]")
    browser.page.click("[data-do=earlier]")
    settle(browser)
    assert browser.page.inner_text("#explorer-heat") == "The <centerline> was given."
    assert browser.page.is_hidden("[data-layer=heat]")


#: Sums of the change of brightness that the heat makes, for each pixel of the axial view.
CHANGE = """(() => {
  const canvas = document.querySelector('canvas[data-view=axial]');
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  return [canvas.width, canvas.height, Array.from(data)];
})()"""


def test_the_heat_is_drawn_where_the_network_saw_it(browser, written):
    """The heat of the phantom lies 6 mm to the left and 4 mm in front of the cord."""
    open_viewer(browser, written)
    browser.page.fill("#explorer-slice", "10")
    for layer in ("mask", "structure", "cross"):
        browser.page.uncheck(f"[data-show={layer}]")
    seen = []
    for act in ("uncheck", "check"):
        getattr(browser.page, act)("[data-show=heat]")
        settle(browser)
        width, height, values = browser.evaluate(CHANGE)
        seen.append(np.array(values, float).reshape(height, width, 4)[..., :3].sum(2))
    change = np.abs(seen[1] - seen[0])
    rows, columns = np.nonzero(change > change.max() / 2)
    # On the screen, the person's left is on the right and the front on top; the tile has 36 mm.
    assert columns.mean() / width == pytest.approx(0.5 + 6 / 36, abs=0.05)
    assert rows.mean() / height == pytest.approx(0.5 - 4 / 36, abs=0.05)


def test_right_arrow_switches_all_layers(browser, written):
    open_viewer(browser, written)
    browser.page.fill("#explorer-slice", "10")
    browser.page.focus("#explorer-title")
    shown = pixels(browser)
    browser.press("ArrowRight")
    assert pixels(browser) != shown
    assert browser.evaluate(PINK)[1] == []
    browser.press("ArrowRight")
    assert pixels(browser) == shown


@pytest.mark.parametrize("control", ["#explorer-light", "#explorer-contrast"])
def test_brightness_and_contrast_change_the_picture_until_they_are_reset(browser, written, control):
    open_viewer(browser, written)
    before = pixels(browser)
    browser.page.focus(control)
    for _ in range(5):
        browser.press("ArrowRight")
    assert pixels(browser) != before
    browser.page.click("[data-do=reset]")
    assert pixels(browser) == before


def test_a_tile_a_view_a_plot_and_a_reason_open_their_slices(browser, written):
    browser.open(written, reduced_motion="reduce")
    browser.page.click("#image-2 [data-tile] button >> nth=3")
    number = browser.page.inner_text("#image-2 .tile:nth-of-type(4) b")
    assert place(browser).startswith(f"Slice {number} ")
    browser.press("Escape")
    assert not is_open(browser)
    for selector in ("#image-2 .lengthwise .frame", "#image-2 .aligned .plot .axis"):
        browser.page.locator(selector).first.scroll_into_view_if_needed()
        box = browser.evaluate(
            f"(b => [b.x, b.y, b.width, b.height])(document.querySelector('{selector}').getBoundingClientRect())"
        )
        browser.page.mouse.click(box[0] + box[2] * 0.4, box[1] + box[3] * (10.5 / 40))
        assert is_open(browser)
        assert place(browser).startswith("Slice 29 ")
        browser.press("Escape")
    browser.page.click("#image-2 .places a")
    assert place(browser) == "Slice 11 · C3 · no mask"
    assert browser.page.inner_text("#explorer-why") == "▲ no mask"


def test_everything_that_opens_the_window_does_so_by_keyboard(browser, written):
    browser.open(written)
    for selector in ("#image-2 .closer", "#image-2 .tile .open", "#image-2 .lengthwise .open", "#image-2 .places a"):
        browser.page.focus(selector)
        browser.press("Enter")
        assert is_open(browser), selector
        browser.press("Escape")
        # The window closes at once; where the focus goes is decided after it.
        browser.page.wait_for_selector("#image-2-title:focus")
        assert not is_open(browser)


def test_marked_slices_follow_each_other(browser, written):
    open_viewer(browser, written)
    browser.press("Home")
    marked = browser.evaluate("Object.values(JSON.parse(document.querySelector('#image-2 .slices').textContent).notes)")
    seen = []
    for _ in marked:
        browser.press("n")
        seen.append(place(browser))
    assert len(set(seen)) == len(marked) >= 2
    browser.press("p")
    assert place(browser) == seen[-2]
    browser.page.click("[data-do=next]")
    assert place(browser) == seen[-1]


def test_the_cross_hair_joins_the_views(browser, written):
    open_viewer(browser, written)
    sides = {view: pixels(browser, view) for view in ("axial", "sagittal", "coronal")}
    box = browser.page.locator("canvas[data-view=axial]").bounding_box()
    browser.page.mouse.click(box["x"] + box["width"] * 0.3, box["y"] + box["height"] * 0.62)
    moved = {view: pixels(browser, view) for view in sides}
    assert all(moved[view] != sides[view] for view in sides)
    slice_before = place(browser)
    box = browser.page.locator("canvas[data-view=coronal]").bounding_box()
    browser.page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * (35.5 / 40))
    assert place(browser).startswith("Slice 4 ")
    assert place(browser) != slice_before
    before = pixels(browser, "sagittal")
    browser.press("Shift+ArrowLeft")
    assert pixels(browser, "sagittal") != before


def test_the_wheel_and_the_buttons_go_through_the_slices(browser, written):
    open_viewer(browser, written)
    browser.press("Home")
    box = browser.page.locator("canvas[data-view=axial]").bounding_box()
    browser.page.mouse.move(box["x"] + 50, box["y"] + 50)
    browser.page.mouse.wheel(0, 100)
    assert place(browser).startswith("Slice 38 ")
    browser.page.click("[data-do=down]")
    assert place(browser).startswith("Slice 37 ")
    browser.page.click("[data-do=up]")
    for key, number in (
        ("j", 37),
        ("k", 38),
        ("End", 0),
        ("PageUp", 10),
        ("PageDown", 0),
        ("ArrowUp", 1),
        ("Home", 39),
    ):
        browser.press(key)
        assert place(browser).startswith(f"Slice {number} "), key


def test_images_follow_each_other_in_the_window(browser, written):
    open_viewer(browser, written)
    titles = [browser.page.inner_text("#explorer-title")]
    for act in (lambda: browser.press("]"), lambda: browser.page.click("[data-do=later]"), lambda: browser.press("]")):
        act()
        settle(browser)
        titles.append(browser.page.inner_text("#explorer-title"))
    assert len(set(titles)) == 4
    # The last one cannot be read, and has no slices.
    assert browser.page.is_disabled("[data-do=later]")
    browser.press("[")
    settle(browser)
    assert browser.page.inner_text("#explorer-title") == titles[2]
    assert browser.problems == []


def test_judgements_are_kept_under_the_name_of_the_image(browser, written):
    browser.open(written)
    browser.evaluate("localStorage.clear()")
    browser.page.focus("#image-2-title")
    for mark in ("pass", "fail", "artifact"):
        browser.press("f")
        assert json.loads(browser.evaluate(f"localStorage.getItem({KEY!r})")) == {
            "mark": mark,
            "rank": None,
            "comment": "",
        }
    browser.press("f")
    assert browser.evaluate(f"localStorage.getItem({KEY!r})") is None
    browser.press("7")
    browser.page.fill("#image-2 .comment input", "j k 3 /")
    browser.page.click("#image-2 label:has-text('fail')")
    kept = {"mark": "fail", "rank": 7, "comment": "j k 3 /"}
    assert json.loads(browser.evaluate(f"localStorage.getItem({KEY!r})")) == kept
    browser.page.reload()
    assert browser.page.input_value("#image-2 .comment input") == "j k 3 /"
    browser.page.click("#image-2 .closer")
    settle(browser)
    assert browser.page.is_checked("#explorer .marks input[value=fail]")
    assert browser.page.input_value("#explorer select") == "7"
    browser.press("4")
    browser.press("Escape")
    assert browser.page.input_value("#image-2 select") == "4"
    with browser.page.expect_download() as saved:
        browser.page.click("text=Save judgements")
    assert saved.value.suggested_filename == "qc_judgements.tsv"
    table = saved.value.path().read_text(encoding="utf-8")
    assert table == f"image\tmark\trank\tcomment\n{IMAGE}\tfail\t4\tj k 3 /\n"


@pytest.mark.parametrize("kept", ["no JSON", "null", "[]", '{"mark": "good", "rank": 11, "comment": 3}', '"text"'])
def test_what_another_program_keeps_there_is_no_judgement(browser, written, kept):
    browser.open(written)
    browser.evaluate(f"localStorage.setItem({KEY!r}, {json.dumps(kept)})")
    browser.page.reload()
    assert browser.page.is_checked("#image-2 .marks input[value='']")
    assert browser.problems == []


def test_single_keys_can_be_switched_off(browser, written):
    open_viewer(browser, written)
    browser.press("Home")
    browser.page.click(".keys summary")
    browser.page.uncheck("#explorer-keys")
    browser.page.focus("#explorer-title")
    for key in ("j", "f", "5", "]"):
        browser.press(key)
    assert place(browser).startswith("Slice 39 ")
    assert browser.evaluate(f"localStorage.getItem({KEY!r})") is None
    browser.press("ArrowDown")
    assert place(browser).startswith("Slice 38 ")
    browser.evaluate("localStorage.clear()")


def test_keys_go_from_image_to_image(browser, written):
    browser.open(written)
    for key, number in (("j", 1), ("j", 2), ("k", 1), ("ArrowDown", 2), ("ArrowUp", 1)):
        browser.press(key)
        assert browser.evaluate("document.activeElement.id") == f"image-{number}-title"
    browser.press("Enter")
    assert is_open(browser)
    browser.press("Escape")
    browser.press("ArrowRight")
    assert not browser.page.is_checked("#show-outline")


@pytest.mark.parametrize("width", [390, 1024, 1440, 3840])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wrong_for_people_who_need_help(browser, written, width, scheme):
    browser.open(written, width=width, color_scheme=scheme)
    browser.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
    found = Axe().run(browser.page).response["violations"]
    browser.page.click("#image-2 .closer")
    settle(browser)
    found += Axe().run(browser.page).response["violations"]
    serious = [(each["id"], each["nodes"][0]["html"]) for each in found if each["impact"] in ("serious", "critical")]
    assert serious == []


@pytest.mark.parametrize("width", [360, 390, 768, 1440, 3840])
def test_the_window_fits_and_its_controls_are_reached_by_touch(browser, written, width):
    open_viewer(browser, written, width=width, has_touch=True, is_mobile=width < 800)
    assert browser.evaluate("document.getElementById('explorer').scrollWidth") <= width
    box = browser.page.locator("canvas[data-view=axial]").bounding_box()
    assert box["width"] >= min(0.9 * width, 300)
    before = place(browser)
    browser.page.locator("[data-do=down]").tap()
    assert place(browser) != before
    side = browser.page.locator("canvas[data-view=sagittal]")
    side.scroll_into_view_if_needed()
    box = side.bounding_box()
    browser.page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + box["height"] * (30.5 / 40))
    assert place(browser).startswith("Slice 9 ")
    heights = "Array.from(document.querySelectorAll('#explorer button'), b => b.getBoundingClientRect().height)"
    assert min(browser.evaluate(heights)) >= 24


def test_without_scripts_nothing_offers_what_does_not_work(browser, written):
    browser.open(written, scripts=False)
    assert not browser.page.is_visible("#explorer")
    assert browser.page.locator("button:visible").count() == 0
    assert browser.page.is_visible("#image-2 .places a")
    assert browser.page.locator("#image-2 .tile img").count() > 10
    browser.page.click("#image-2 .origin summary")
    assert browser.page.is_visible("#image-2 .command code")


def test_print_shows_neither_buttons_nor_empty_judgements(browser, written):
    browser.open(written, width=720)
    browser.page.emulate_media(media="print", color_scheme="dark")
    # The heads of the table are its buttons.
    assert browser.page.locator("button:visible:not(.summary button)").count() == 0
    assert browser.page.locator(".judgement:visible").count() == 0
    assert browser.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_linked_pictures_are_shown_and_so_are_their_slices(browser, tmp_path):
    page, files = link_figures(render_participant("01", [report_image()], version="1"), "sub-01/figures")
    (tmp_path / "sub-01" / "figures").mkdir(parents=True)
    for name, content in files.items():
        (tmp_path / "sub-01" / "figures" / name).write_bytes(content)
    (tmp_path / "sub-01.html").write_text(page, encoding="utf-8")
    browser.open((tmp_path / "sub-01.html").as_uri())
    assert browser.evaluate("Array.from(document.images).every(image => image.naturalWidth > 0)")
    browser.page.click(".closer")
    settle(browser)
    shown = browser.page.locator("canvas[data-view=axial]").screenshot()
    browser.press("End")
    settle(browser)
    assert browser.page.locator("canvas[data-view=axial]").screenshot() != shown
    assert browser.problems == []


def test_hostile_texts_run_nothing_in_the_window(browser, tmp_path):
    nasty = "</script><img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
    image = replace(
        report_image(spoil=True),
        title=nasty,
        structure_noun=nasty,
        level_names=(nasty,),
        messages=(),
        reasons=(Finding("gap", "fail", nasty),),
        command=nasty,
        options={nasty: nasty},
    )
    image = replace(image, structure=image.mask, morph=dict(image.morph) | {"vertebral_level": np.ones(40)})
    path = tmp_path / "page.html"
    path.write_text(render_participant("01", [image], version="1"), encoding="utf-8")
    browser.open(path.as_uri())
    browser.page.click(".closer")
    settle(browser)
    browser.press("f")
    assert browser.page.inner_text("#explorer-title") == nasty
    assert browser.evaluate("document.title") != "owned"
    assert browser.evaluate("Array.from(document.images).filter(image => !image.src.startsWith('data:')).length") == 0
    assert browser.problems == []
