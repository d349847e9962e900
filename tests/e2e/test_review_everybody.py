"""The page of a review is for everybody: with any eyes, with long lists, behind the published port of a container."""

import http.client
import json
import shutil
from contextlib import closing

import pytest
from axe_playwright_python.sync_playwright import Axe

from bids_deepseg.cli import main as cli
from tests.helpers.browser import GRAPHICS, chromium, find_chromium
from tests.helpers.fake_engine import FakeEngine, write_dataset
from tests.helpers.review_page import Page
from tests.helpers.review_server import ReviewServer

pytestmark = pytest.mark.slow

MASK = "sub-{0}/anat/sub-{0}_space-orig_label-SC_desc-T2w_mask"
N_MANY = 2000


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Return the results of one image, which pass."""
    root = write_dataset(tmp_path_factory.mktemp("review") / "data", "sub-0000/anat/sub-0000_T2w")
    out = root / "derivatives" / "app"
    words = [str(root), str(out), "participant", "group", "--skip-bids-validation", "-q"]
    assert cli.main(words, engine=FakeEngine()) == 0
    return out


@pytest.fixture(scope="module")
def many(results, tmp_path_factory):
    """Return the results of many images, made of those of one; the images of the others are not there."""
    root = tmp_path_factory.mktemp("many")
    data = shutil.copytree(results.parents[1], root / "data")
    out = data / "derivatives" / "app"
    told, mask = (out / f"{MASK.format('0000')}{end}" for end in (".json", ".nii.gz"))
    for n in range(1, N_MANY):
        sidecar = json.loads(told.read_text().replace("sub-0000", f"sub-{n:04d}"))
        sidecar["QC"]["Verdict"] = ("pass", "warn", "fail")[n % 3]
        place = out / MASK.format(f"{n:04d}")
        place.parent.mkdir(parents=True)
        place.with_name(f"{place.name}.json").write_text(json.dumps(sidecar))
        shutil.copy(mask, place.with_name(f"{place.name}.nii.gz"))
    return out


@pytest.fixture(scope="module")
def browser():
    program = find_chromium()
    if program is None:
        pytest.skip("Chromium is not installed")
    with chromium(program, *GRAPHICS) as started:
        yield started


@pytest.fixture
def serve():
    """Return a function that serves results; servers end with the test."""
    running = []

    def start(*words):
        running.append(ReviewServer(*words).start())
        return running[-1]

    yield start
    for each in running:
        each.stop()


def faults_of(page):
    return [
        (fault["id"], [node["html"] for node in fault["nodes"]]) for fault in Axe().run(page).response["violations"]
    ]


@pytest.mark.parametrize(("scheme", "width"), [("dark", 1400), ("light", 1400), ("light", 390)])
def test_axe_finds_no_fault(browser, serve, results, scheme, width):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = Page(context, serve(results).url).opened()
    page.tool("point")
    page.page.click("#add-point")
    page.page.click("#reasons-title")
    assert faults_of(page.page) == []
    page.page.click("#help-open")
    assert faults_of(page.page) == []
    context.close()


def test_a_long_list_keeps_the_entries_that_do_not_change(browser, serve, many):
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    page = Page(context, serve(many).url)
    count = "document.querySelectorAll('#images button').length"
    page.wait(f"{count} === {N_MANY}")
    verdicts = page.get("review.state.images.map(image => image.verdict)")
    assert verdicts == sorted(verdicts, key=("none", "fail", "warn", "pass").index)
    page.get("[...document.querySelectorAll('#images button')].forEach(button => { button.seen = true; })")
    page.page.fill("#find", "sub-0000")
    assert page.get(count) == 1
    page.choose("sub-0000")
    page.page.fill("#find", "")
    assert page.get(count) == N_MANY
    assert page.get("[...document.querySelectorAll('#images button')].filter(button => button.seen).length") == N_MANY
    current = "[...document.querySelectorAll('#images [aria-current=true]')].map(button => button.textContent)"
    (shown,) = page.get(current)
    assert "sub-0000" in shown
    # Entries out of view are not laid out.
    hidden = "getComputedStyle(document.querySelector('#images li')).contentVisibility"
    assert page.get(hidden) == "auto"
    context.close()


def answer(port, host, path):
    """Return the status of the answer to a request that names the machine so."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
        connection.request("GET", path, headers={"Host": host})
        with connection.getresponse() as response:
            return response.status


def test_behind_a_published_port_the_token_and_the_name_are_still_asked_for(browser, serve, results):
    """Docker passes the port on: requests come to all addresses, and name the port of the other side."""
    server = serve(results, "--host", "0.0.0.0")
    assert "http://127.0.0.1:" in server.url
    token = server.url.rstrip("/").rpartition("/")[2]
    for host, path, status in (
        ("127.0.0.1:9000", f"/{token}/", 200),
        ("localhost:9000", f"/{token}/api/review", 200),
        ("192.168.7.7", f"/{token}/", 200),
        ("0.0.0.0", f"/{token}/", 200),
        ("127.0.0.1:9000", "/", 403),
        ("127.0.0.1:9000", "/api/review", 403),
        ("127.0.0.1:9000", f"/{token[:-1]}/", 403),
        ("evil.example:9000", f"/{token}/", 403),
        ("127.0.0.1.evil.example", f"/{token}/", 403),
        ("", f"/{token}/", 403),
    ):
        assert answer(server.port, host, path) == status, (host, path)
    context = browser.new_context()
    page = Page(context, server.url.replace("127.0.0.1", "localhost")).opened()
    assert page.problems == []
    context.close()
