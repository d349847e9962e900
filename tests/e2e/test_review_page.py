"""The page of a review in a browser, from the first look to the corrected area in the group table."""

import csv
import json
import re
import socket
import time

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.bids.source.given_centerline import read_centerline
from bids_deepseg.cli import main as cli
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import reorient
from tests.helpers.browser import GRAPHICS, find_chromium
from tests.helpers.browser import chromium as start
from tests.helpers.fake_engine import FakeEngine, cord, write_dataset, write_nifti
from tests.helpers.phantoms import oblique, tube
from tests.helpers.review_page import AXIAL, CORONAL, SAGITTAL, Page, where
from tests.helpers.review_server import ReviewServer

NAMES = ("sub-01/anat/sub-01_T2w", "sub-02/anat/sub-02_T2w")


@pytest.fixture(scope="module")
def chromium():
    program = find_chromium()
    if program is None:
        pytest.skip("Chromium is not installed")
    with start(program, *GRAPHICS) as browser:
        yield browser


@pytest.fixture
def dataset(tmp_path):
    """Return a data set with results; the image of the first participant is oblique, in another orientation."""
    root = write_dataset(tmp_path / "data", *NAMES)
    grid = oblique((40, 44, 12), (1.0, 0.8, 2.0))
    image = reorient(tube(grid, radius_mm=5.0, supersample=3), ("P", "I", "R"))
    texture = np.random.default_rng(0).uniform(0, 5, image.data.shape).astype(np.float32)
    write_nifti(root / f"{NAMES[0]}.nii.gz", image.data * 200 + texture, image.grid.affine)
    words = [str(root), str(root / "derivatives" / "app"), "participant", "group", "--skip-bids-validation"]
    assert cli.main(words, engine=FakeEngine()) == 0
    return root


@pytest.fixture
def server(dataset):
    running = ReviewServer(dataset / "derivatives" / "app").start()
    yield running
    running.stop()


@pytest.fixture
def context(chromium):
    made = chromium.new_context(viewport={"width": 1400, "height": 900})
    yield made
    made.close()


@pytest.fixture
def page(context, server):
    return Page(context, server.url).opened()


def labels_of(dataset):
    return dataset / "derivatives" / "labels"


def saved_masks(dataset):
    return list(labels_of(dataset).rglob("*_mask.nii.gz"))


def area_of(dataset, name):
    table = dataset / "derivatives" / "app" / "group_label-SC_morph.tsv"
    with table.open(encoding="utf-8") as stream:
        return next(row for row in csv.DictReader(stream, delimiter="\t") if name in row["image"])


def as_on_page(path):
    """Return the voxels of a file with the axes of the page."""
    image = nib.load(path)
    codes = nib.orientations.axcodes2ornt(("R", "A", "S"))
    turn = nib.orientations.ornt_transform(nib.io_orientation(image.affine), codes)
    return nib.orientations.apply_orientation(np.asarray(image.dataobj), turn)


def test_a_mask_is_drawn_saved_and_used(page, dataset):
    page.choose("sub-01_T2w")
    before = page.mask
    assert before.any()
    page.tool("brush")
    page.stroke(AXIAL, (0.5, 0.5), (0.66, 0.5))
    page.stroke(SAGITTAL, (0.5, 0.3), (0.6, 0.6))
    page.tool("fill")
    page.stroke(AXIAL, (0.4, 0.4), (0.6, 0.4), (0.6, 0.6), (0.4, 0.6), (0.4, 0.4))
    page.tool("erase")
    page.stroke(AXIAL, (0.5, 0.45), (0.52, 0.5))
    drawn = page.mask
    assert (drawn & ~before.astype(bool)).any()
    page.page.click("#undo")
    assert page.mask.sum() > drawn.sum()
    page.page.click("#redo")
    np.testing.assert_array_equal(page.mask, drawn)

    page.page.fill("#author", "A. One")
    page.page.click("#save-mask-run")
    page.told("Run again")
    (path,) = saved_masks(dataset)
    source = nib.load(dataset / f"{NAMES[0]}.nii.gz")
    saved = nib.load(path)
    np.testing.assert_array_equal(as_on_page(path), drawn)
    assert saved.affine.tobytes() == source.affine.tobytes()
    assert saved.shape == source.shape
    sidecar = json.loads(path.with_name(path.name.replace(".nii.gz", ".json")).read_text())
    assert (sidecar["Manual"], sidecar["Author"]) == (True, "A. One")

    result = dataset / "derivatives" / "app" / path.relative_to(labels_of(dataset))
    np.testing.assert_array_equal(nib.load(result).get_fdata(), saved.get_fdata())
    row = area_of(dataset, "sub-01_T2w")
    assert row["manual"] == "yes"
    shown = float(re.search(r"mean area ([\d.]+)", page.page.inner_text("#facts"))[1])
    assert shown == pytest.approx(float(row["area_mean_mm2"]), abs=0.06)
    assert area_of(dataset, "sub-02_T2w")["manual"] == "no"

    page.page.reload()
    page.opened()
    assert page.get("review.state.details.name").endswith("sub-01_T2w.nii.gz")
    np.testing.assert_array_equal(page.mask, drawn)
    assert page.problems == []


def test_a_centerline_is_clicked_on_two_planes_and_used(page, dataset):
    page.choose("sub-01_T2w")
    page.tool("point")
    for k in (2, 6, 10):
        i, j = np.argwhere(page.mask[:, :, k]).mean(0)
        nx, ny, nz = page.mask.shape
        page.get(f"review.viewer.goTo([{nx // 2}, {ny // 2}, {k}])")
        # The person's right and front are on the left of the planes.
        page.click(CORONAL, 1 - (i + 0.5) / nx, 1 - (k + 0.5) / nz)
        page.click(SAGITTAL if k > 2 else AXIAL, *where(i, j, k, page.mask.shape, axial=k == 2))
    assert page.get("review.state.points.length") == 3
    points = page.get("review.state.points")
    page.page.click("#save-line-run")
    page.told("Run again")
    (path,) = labels_of(dataset).rglob("*_centerline.tsv")
    source = nib.load(dataset / f"{NAMES[0]}.nii.gz")
    read = read_centerline(path, Grid(source.shape, source.affine))
    turned = nib.as_closest_canonical(source).affine
    np.testing.assert_allclose(nib.affines.apply_affine(turned, points), read, atol=2e-3)
    (sidecar,) = (dataset / "derivatives" / "app" / "sub-01").rglob("*_label-SC_desc-T2w_mask.json")
    assert json.loads(sidecar.read_text())["Correction"]["Kind"] == "centerline"
    page.page.reload()
    page.opened()
    np.testing.assert_allclose(page.get("review.state.points"), points, atol=2e-3)
    assert page.problems == []


def test_points_are_set_by_keyboard_and_replaced_in_their_slice(page):
    page.choose("sub-02_T2w")
    page.page.focus("#canvas")
    page.page.keyboard.press("p")
    for key in ("Enter", "ArrowUp", "Enter", "ArrowLeft", "Enter"):
        page.page.keyboard.press(key)
    assert page.get("review.state.points.length") == 2
    page.page.click("#points li:first-child button:last-child")
    assert page.get("review.state.points.length") == 1


def test_a_judgement_is_saved_where_the_group_level_reads_it(page, dataset):
    page.choose("sub-02_T2w")
    page.page.check("[name=mark][value=fail]")
    page.page.select_option("#rank", "3")
    page.page.fill("#comment", "<b>short</b>")
    page.page.locator("#comment").blur()
    page.told("Judgement saved")
    folder = dataset / "derivatives" / "app" / "sourcedata"
    until = time.monotonic() + 20
    while "short" not in (folder / "qc_judgements.tsv").read_text() and time.monotonic() < until:
        time.sleep(0.05)
    assert NAMES[1] in (folder / "qc_fail.yml").read_text()
    page.page.reload()
    page.opened()
    assert page.page.input_value("#comment") == "<b>short</b>"
    assert page.page.is_checked("[name=mark][value=fail]")
    assert page.problems == []


def test_no_stroke_is_lost_by_a_reload(page, dataset):
    page.choose("sub-02_T2w")
    page.tool("brush")
    page.stroke(AXIAL, (0.2, 0.2), (0.3, 0.3))
    page.stroke(AXIAL, (0.7, 0.2), (0.8, 0.3))
    # No waiting: the reload comes with the end of the stroke.
    page.page.reload()
    page.opened()
    page.told("is here again")
    drawn = page.mask
    halves = drawn[:20], drawn[20:]
    corner = [half[:, 22:].any() for half in halves]
    assert all(corner)
    assert saved_masks(dataset) == []
    page.page.click("#save-mask")
    page.told("Saved as")
    np.testing.assert_array_equal(as_on_page(saved_masks(dataset)[0]), drawn)


def test_a_stroke_while_another_image_loads_is_not_drawn_on_that(page, dataset):
    page.choose("sub-02_T2w")
    page.tool("brush")
    held = []

    def hold(route):
        held.append(route)

    page.page.route("**/image.nii", hold)
    page.page.click("#images button:has-text('sub-01_T2w')")
    while not held:
        page.get("1")
    page.stroke(AXIAL, (0.2, 0.2), (0.3, 0.3))
    held[0].continue_()
    page.page.unroute("**/image.nii")
    page.wait("review.state.details?.name.includes('sub-01_T2w')")
    page.opened()
    assert not page.get("review.state.isDrawn")
    (result,) = (dataset / "derivatives" / "app" / "sub-01").rglob("*_label-SC_desc-T2w_mask.nii.gz")
    np.testing.assert_array_equal(page.mask, as_on_page(result))
    # The last of many that are asked for in a hurry is the one that is shown.
    page.page.focus("#find")
    page.page.keyboard.press("Tab")
    for key in "jkjkjkjkj":
        page.page.keyboard.press(key)
    page.wait("document.querySelector('#images [aria-current=true]').dataset.id === review.state.details?.id")
    page.opened()
    assert page.get("review.viewer.shape") == page.get("review.state.details.shape")
    assert list(page.mask.shape) == page.get("review.state.details.shape")
    assert page.get("review.viewer.mask().length") == page.mask.size


def test_a_killed_server_loses_nothing(page, server, dataset):
    page.choose("sub-02_T2w")
    port = server.port
    server.kill()
    page.tool("brush")
    page.stroke(AXIAL, (0.2, 0.2), (0.3, 0.3))
    drawn = page.mask
    page.page.click("#save-mask")
    page.told("does not answer")
    assert saved_masks(dataset) == []
    server.start(port)
    page.page.goto(server.url)
    page.opened()
    page.choose("sub-02_T2w")
    np.testing.assert_array_equal(page.mask, drawn)
    page.page.click("#save-mask")
    page.told("Saved as")
    np.testing.assert_array_equal(as_on_page(saved_masks(dataset)[0]), drawn)


def test_a_second_tab_cannot_draw_until_the_first_is_closed(page, context, server):
    page.choose("sub-02_T2w")
    other = Page(context, server.url).opened()
    other.choose("sub-02_T2w")
    other.told("open in another tab")
    assert other.page.is_disabled("#save-mask")
    assert other.page.is_disabled("[data-tool=brush]")
    page.tool("brush")
    page.stroke(AXIAL, (0.2, 0.2), (0.3, 0.3))
    drawn = page.mask
    page.page.close()
    other.told("is here again")
    np.testing.assert_array_equal(other.mask, drawn)
    assert other.page.is_enabled("#save-mask")


def test_a_newer_mask_of_somebody_else_is_not_replaced(page, chromium, server, dataset):
    page.choose("sub-02_T2w")
    page.tool("brush")
    page.stroke(AXIAL, (0.2, 0.2), (0.3, 0.3))
    mine = page.mask
    # Another browser knows nothing of this one's locks and drafts.
    elsewhere = chromium.new_context(viewport={"width": 1400, "height": 900})
    other = Page(elsewhere, server.url).opened()
    other.choose("sub-02_T2w")
    other.tool("brush")
    other.stroke(AXIAL, (0.8, 0.8), (0.7, 0.8))
    theirs = other.mask
    other.page.click("#save-mask")
    other.told("Saved as")
    elsewhere.close()

    page.page.click("#save-mask")
    page.told("saved by somebody else")
    (path,) = saved_masks(dataset)
    np.testing.assert_array_equal(as_on_page(path), theirs)
    page.page.click("#load-newer")
    page.told("Shown is the newer one")
    np.testing.assert_array_equal(page.mask, theirs)
    page.page.click("#undo")
    np.testing.assert_array_equal(page.mask, mine)
    page.page.click("#save-mask")
    page.told("Saved as")
    np.testing.assert_array_equal(as_on_page(path), mine)


def test_slices_are_filled_between_drawn_ones_and_smoothed(page):
    page.choose("sub-02_T2w")
    before = page.mask
    page.page.click("#clear-slice")
    empty = np.flatnonzero(before.any((0, 1)) & ~page.mask.any((0, 1)))
    assert len(empty) == 1
    page.page.click("#interpolate")
    page.told("voxels changed")
    assert page.mask[:, :, empty].any()
    page.tool("brush")
    page.stroke(AXIAL, (0.2, 0.2), (0.25, 0.2))
    spiked = page.mask.sum()
    page.page.click("#smooth")
    page.wait("!document.getElementById('smooth').disabled")
    assert page.mask.sum() < spiked


def test_the_page_asks_nothing_of_any_other_machine_and_fits_a_phone(chromium, server):
    narrow = chromium.new_context(viewport={"width": 390, "height": 800})
    requests = []
    narrow.on("request", lambda request: requests.append(request.url))
    page = Page(narrow, server.url).opened()
    assert page.get("document.documentElement.scrollWidth") <= 390
    unnamed = page.get(
        "[...document.querySelectorAll('input, select, textarea')].filter(e => !e.labels.length && !e.ariaLabel).length"
    )
    assert unnamed == 0
    local = re.compile(rf"http://127\.0\.0\.1:{server.port}/|data:|blob:")
    assert [url for url in requests if not local.match(url)] == []
    narrow.close()


# ---- without a browser ----------------------------------------------------------------------------------------------


def raw(server, head, body=b""):
    """Send bytes to the server, and return the first line of its answer."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as connection:
        connection.sendall(head.encode() + body)
        return connection.makefile("rb").readline().decode()


def test_a_request_of_1_gb_is_refused_and_logged_and_the_server_lives(server):
    token = server.url.rstrip("/").rpartition("/")[2]
    head = f"PUT /{token}/api/images/x/mask HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000000\r\n\r\n"
    assert " 413 " in raw(server, head, b"\0" * 1000)
    assert " 403 " in raw(server, "GET /api/review HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert " 403 " in raw(server, f"GET /{token}/ HTTP/1.1\r\nHost: evil.example\r\n\r\n")
    assert " 404 " in raw(server, f"GET /{token}/static/../../../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    assert " 400 " in raw(server, "nonsense\r\n\r\n")
    assert " 200 " in raw(server, f"GET /{token}/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    text, code = server.stop()
    assert code == 0
    assert "The review has ended" in text
    for told in ("413", "403", "404", "the address has no token"):
        assert told in text
    assert text.count(token) == 1


def test_corrections_that_cannot_be_written_are_said_to_be(dataset, context):
    labels_of(dataset).write_text("in the way")
    server = ReviewServer(dataset / "derivatives" / "app").start()
    page = Page(context, server.url).opened()
    assert "No correction can be saved" in page.page.inner_text("#banner")
    assert page.page.is_disabled("#save-mask")
    assert page.page.is_enabled("#rank")
    assert server.stop()[1] == 0


def test_the_phantom_is_what_the_page_shows(page, dataset):
    """The brightest voxels of the picture of the page lie in the tube that was drawn into the image."""
    page.choose("sub-01_T2w")
    shape, values = page.get("[review.viewer.shape, Array.from(review.viewer.niivue.volumes[0].img)]")
    shown = np.array(values).reshape(shape, order="F")
    truth = as_on_page(dataset / f"{NAMES[0]}.nii.gz")
    assert np.corrcoef(shown.ravel(), truth.ravel())[0, 1] > 0.999
    assert cord().max() > 100
