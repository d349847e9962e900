"""A centerline is clicked on a page of this machine, and the run goes on along it."""

import json
import urllib.error
import urllib.request

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.bids.image import image_outside_dataset
from bids_deepseg.bids.source.given_centerline import read_centerline
from bids_deepseg.cli import main as cli
from bids_deepseg.geometry.grid import Grid
from bids_deepseg.geometry.volume import reorient
from bids_deepseg.review.clicking import Clicking
from bids_deepseg.review.server import make_app
from tests.helpers.browser import GRAPHICS, chromium, find_chromium
from tests.helpers.click_page import Waiting
from tests.helpers.fake_engine import write_nifti
from tests.helpers.phantoms import oblique, tube
from tests.helpers.review_page import AXIAL, CORONAL, SAGITTAL, Page, where

NAME = "t2 <b>.nii.gz"
POINTS = "t2 <b>_centerline-manual.csv"


@pytest.fixture
def image(tmp_path):
    """Return an oblique image with axes that are not those of the page."""
    made = reorient(tube(oblique((40, 44, 12), (1.0, 0.8, 2.0)), radius_mm=5.0, supersample=3), ("P", "I", "R"))
    texture = np.random.default_rng(0).uniform(0, 5, made.data.shape).astype(np.float32)
    return write_nifti(tmp_path / "in" / NAME, made.data * 200 + texture, made.grid.affine)


def points_of(path, image):
    source = nib.load(image)
    return read_centerline(path, Grid(source.shape, source.affine))


# ---- without a browser ----------------------------------------------------------------------------------------------


def send(url, method, content=None):
    body = None if content is None else json.dumps(content).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read())


def test_segment_waits_for_the_points_and_goes_on_along_them(image, tmp_path):
    waiting = Waiting("segment", image, "-o", tmp_path / "out", "--centerline", "viewer", "--port", "0")
    review = send(f"{waiting.url}api/review", "GET")
    assert review["task"] == "points"
    (one,) = review["images"]
    with pytest.raises(urllib.error.HTTPError, match="409"):
        send(f"{waiting.url}api/finish", "POST")
    # Slices 2 to 9 of the tube through the middle.
    points = [[19.5, 21.5, 2], [19.5, 21.5, 9]]
    send(f"{waiting.url}api/images/{one['id']}/centerline", "PUT", {"points": points, "version": ""})
    assert not (tmp_path / "out" / "t2 <b>_label-SC_mask.nii.gz").exists()
    send(f"{waiting.url}api/finish", "POST")
    text, code = waiting.end()
    assert code in (0, 1), text
    mask = nib.as_closest_canonical(nib.load(tmp_path / "out" / "t2 <b>_label-SC_mask.nii.gz")).get_fdata()
    assert np.flatnonzero(mask.any((0, 1))).tolist() == list(range(2, 10))
    sidecar = json.loads((tmp_path / "out" / "t2 <b>_label-SC_mask.json").read_text())
    assert sidecar["Options"]["centerline"] == "viewer"
    assert len(sidecar["GivenInputs"]["Centerline"]) == 64
    assert len(points_of(tmp_path / "out" / POINTS, image)) == 2


@pytest.fixture
def clicking(image, tmp_path):
    return Clicking(image_outside_dataset(image), tmp_path / "points.tsv")


@pytest.fixture
def client(clicking):
    return make_app(clicking, "the-token", "127.0.0.1").test_client()


def ask(client, path, method="GET", **more):
    return client.open(f"/the-token/{path}", method=method, base_url="http://127.0.0.1:1", **more)


def test_the_page_of_a_centerline_can_do_nothing_else(client, clicking):
    (one,) = ask(client, "api/review").get_json()["images"]
    path = f"api/images/{one['id']}"
    assert ask(client, path).get_json()["points"] == []
    assert not any(ask(client, f"{path}/mask.nii?of=result").data[352:])
    for rest, method in (("mask", "PUT"), ("judgement", "PUT"), ("work", "POST"), ("rerun", "POST")):
        assert ask(client, f"{path}/{rest}", method).status_code == 404 or method != "GET"
        assert ask(client, f"{path}/{rest}", method).status_code in (404, 405)
    assert ask(client, "api/images/ffffffffffffffff").status_code == 404
    assert client.get("/api/review", base_url="http://127.0.0.1:1").status_code == 403
    assert not clicking.done.is_set()


def test_points_are_never_saved_over_newer_ones_or_outside_the_image(client, clicking):
    (one,) = ask(client, "api/review").get_json()["images"]
    path = f"api/images/{one['id']}/centerline"
    saved = ask(client, path, "PUT", json={"points": [[1, 2, 3]], "version": ""})
    assert saved.status_code == 200
    before = clicking.target.read_bytes()
    assert before.startswith(b"x_mm\ty_mm\tz_mm\n")
    assert ask(client, path, "PUT", json={"points": [[9, 9, 9]], "version": ""}).status_code == 409
    version = saved.get_json()["version"]
    for points in ([], [[1e6, 0, 0]], [["x", 0, 0]], [[1, 2]]):
        assert ask(client, path, "PUT", json={"points": points, "version": version}).status_code in (400, 422)
    assert clicking.target.read_bytes() == before
    # The page begins with what is there.
    np.testing.assert_allclose(ask(client, path.rpartition("/")[0]).get_json()["points"], [[1, 2, 3]], atol=2e-3)


def test_the_command_tells_what_is_wrong_before_it_serves(image, tmp_path, capsys):
    for words, code, told in (
        ([], 64, "Usage"),
        ([tmp_path / "absent.nii.gz"], 65, "absent.nii.gz"),
        ([image, "-o", tmp_path / "page.html"], 64, "ends in .csv or .tsv"),
        ([image, "--port", "70000"], 64, "--port is 70000"),
        ([image, "--points", tmp_path / "p.csv"], 65, "columns a, b, c"),
        ([image, "-o", tmp_path / "p.csv"], 65, "columns a, b, c"),
    ):
        (tmp_path / "p.csv").write_text("a,b,c\n1,2,3\n")
        assert cli.main(["viewer", *map(str, words)]) == code
        assert told in "".join(capsys.readouterr())
    assert (tmp_path / "p.csv").read_text() == "a,b,c\n1,2,3\n"
    assert cli.main(["viewer", "--help"]) == 0
    # A data set in a folder of that name is still a data set.
    assert cli.main(["viewer", "out", "participant"]) == 66


def test_ctrl_c_before_anything_is_clicked_ends_the_command_without_a_file(image, tmp_path):
    waiting = Waiting("viewer", image, "-o", tmp_path / "points.csv", "--port", "0")
    assert waiting.url
    text, code = waiting.stop()
    assert code == 130, text
    assert not (tmp_path / "points.csv").exists()


# ---- in a browser ---------------------------------------------------------------------------------------------------


@pytest.fixture
def context():
    program = find_chromium()
    if program is None:
        pytest.skip("Chromium is not installed")
    with chromium(program, *GRAPHICS) as browser:
        yield browser.new_context(viewport={"width": 1400, "height": 900})


def test_points_are_clicked_on_three_planes_and_saved(context, image, tmp_path):
    target = tmp_path / "points.csv"
    waiting = Waiting("viewer", image, "-o", target, "--port", "0")
    page = Page(context, waiting.url).opened()
    for selector in ("#drawing", "#judgement", "nav", "#author"):
        assert page.page.is_hidden(selector)
    shape = page.get("review.viewer.shape")
    nx, _, nz = shape
    clicked = [(19, 20, 2), (21, 22, 6), (20, 24, 10)]
    for (i, j, k), plane in zip(clicked, (AXIAL, SAGITTAL, CORONAL), strict=True):
        page.get(f"review.viewer.goTo([{i}, {j}, {k}])")
        at = 1 - (i + 0.5) / nx, 1 - (k + 0.5) / nz
        page.click(plane, *(at if plane == CORONAL else where(i, j, k, shape, axial=plane == AXIAL)))
    assert page.get("review.state.points.length") == 3
    page.page.keyboard.press("b")
    assert page.get("review.viewer.tool") == "point"
    # What is not saved is there again after a reload.
    page.page.reload()
    page.opened()
    assert page.get("review.state.points.length") == 3
    page.page.click("#save-line-run")
    page.told("you can close this page")
    text, code = waiting.end()
    assert code == 0, text
    assert "--centerline-file" in text
    turned = nib.as_closest_canonical(nib.load(image)).affine
    found = nib.affines.apply_affine(np.linalg.inv(turned), points_of(target, image))
    np.testing.assert_allclose(found[np.argsort(found[:, 2])], clicked, atol=0.6)
    assert page.problems == []
