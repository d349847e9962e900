"""The server answers the page, and refuses everything else without harm."""

import gzip
import logging

import numpy as np
import pytest

from bids_deepseg.cli import main as cli
from bids_deepseg.errors import UsageError
from bids_deepseg.review.pages import FILES
from bids_deepseg.review.server import make_app
from bids_deepseg.review.serving import serve

TOKEN = "the-token"


@pytest.fixture
def client(review):
    return make_app(review, TOKEN, "127.0.0.1").test_client()


def ask(client, path, method="GET", token=TOKEN, **more):
    more.setdefault("base_url", "http://127.0.0.1:8642")
    return client.open(f"/{token}/{path}", method=method, **more)


@pytest.fixture
def first(client):
    return ask(client, "api/review").get_json()["images"][0]["id"]


def body_of(shape, fill=1):
    return gzip.compress(np.full(int(np.prod(shape)), fill, np.uint8).tobytes())


def test_the_page_and_all_its_files_are_served(client):
    page = ask(client, "")
    assert page.status_code == 200
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for name, kind in FILES.items():
        answer = ask(client, f"static/{name}")
        assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_what_is_drawn_is_saved_and_comes_back(client, first):
    details = ask(client, f"api/images/{first}").get_json()
    drawn = np.zeros(details["shape"], np.uint8)
    drawn[3:9, 4:8, 1:5] = 1
    body = gzip.compress(drawn.tobytes(order="F"))
    answer = ask(client, f"api/images/{first}/mask?version=&author=A", "PUT", data=body)
    assert answer.status_code == 200
    after = ask(client, f"api/images/{first}").get_json()
    assert after["mask_version"] == answer.get_json()["version"]
    assert after["correction"]["Author"] == "A"
    shown = ask(client, f"api/images/{first}/mask.nii?of=correction").data[352:]
    assert shown == drawn.tobytes(order="F")
    assert ask(client, f"api/images/{first}/mask?version=&author=B", "PUT", data=body).status_code == 409


def test_points_are_saved_and_come_back(client, first):
    points = [[3.25, 4.5, 1.0], [5.0, 6.0, 4.0]]
    content = {"points": points, "version": "", "author": "A", "set_aside": ""}
    assert ask(client, f"api/images/{first}/centerline", "PUT", json=content).status_code == 200
    np.testing.assert_allclose(ask(client, f"api/images/{first}").get_json()["points"], points, atol=1e-3)
    assert ask(client, f"api/images/{first}/centerline", "PUT", json=content).status_code == 409


def test_a_judgement_is_saved(client, first):
    content = {"mark": "fail", "rank": "2", "comment": "too short", "before": {}, "author": "A"}
    assert ask(client, f"api/images/{first}/judgement", "PUT", json=content).status_code == 200
    told = ask(client, f"api/images/{first}").get_json()["judgement"]
    assert told == {"mark": "fail", "rank": "2", "comment": "too short"}


def test_work_on_a_drawing_saves_nothing(client, first, review):
    shape = ask(client, f"api/images/{first}").get_json()["shape"]
    drawn = np.zeros(shape, np.uint8)
    drawn[3:9, 4:8, [1, 4]] = 1
    body = gzip.compress(drawn.tobytes(order="F"))
    answer = ask(client, f"api/images/{first}/work?how=interpolate", "POST", data=body)
    filled = np.frombuffer(answer.data, np.uint8).reshape(shape, order="F")
    np.testing.assert_array_equal(filled[:, :, 2], drawn[:, :, 1])
    assert ask(client, f"api/images/{first}/work?how=other", "POST", data=body).status_code == 400
    assert not list(review.places.corrections.rglob("*.nii.gz"))


# ---- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["", "api/review", "static/index.html", "api/jobs/1"])
def test_without_the_token_everything_is_refused_and_logged(client, path, caplog):
    with caplog.at_level(logging.WARNING, "bids_deepseg"):
        for token in ("wrong", "", TOKEN.upper()):
            assert ask(client, path, token=token).status_code == 403
        assert client.get("/", base_url="http://127.0.0.1:8642").status_code == 403
    assert "the address has no token" in caplog.text
    assert TOKEN not in caplog.text


def test_another_origin_and_another_name_are_refused(client, first):
    judged = {"json": {"mark": "fail", "before": {}}, "method": "PUT", "path": f"api/images/{first}/judgement"}
    assert ask(client, **judged, headers={"Origin": "http://evil.example"}).status_code == 403
    assert ask(client, **judged, headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert ask(client, **judged, base_url="http://evil.example:8642").status_code == 403
    assert ask(client, f"api/images/{first}").get_json()["judgement"]["mark"] == ""


@pytest.mark.parametrize(
    "path",
    [
        "static/../server.py",
        "static/..%2fserver.py",
        "static/%2e%2e/server.py",
        "static//etc/passwd",
        "static/vendor/../../server.py",
        "static/vendor/README.md",
        "api/images/../../etc/passwd",
        "api/images/..%2f..%2fetc%2fpasswd/image.nii",
        "api/images/0000000000000000",
        "api/images/0000000000000000/image.nii",
        "api/jobs/0",
        "api/jobs/-1",
        "api/jobs/99999999999999999999",
        "etc/passwd",
    ],
)
def test_files_outside_and_unknown_things_are_not_there(client, path):
    assert ask(client, path).status_code == 404


def test_a_body_that_is_too_long_is_refused(client, first):
    for method, path in (
        ("PUT", "mask?version="),
        ("POST", "work?how=smooth"),
        ("PUT", "judgement"),
        ("PUT", "centerline"),
    ):
        answer = ask(client, f"api/images/{first}/{path}", method, data=b"\0" * 5_000_000)
        assert answer.status_code == 413, path


@pytest.mark.parametrize("body", [b"", b"nonsense", gzip.compress(b"\1" * 10), gzip.compress(b"\7" * 12800)])
def test_a_drawing_that_is_none_is_refused(client, first, body, review):
    assert ask(client, f"api/images/{first}/mask?version=", "PUT", data=body).status_code == 422
    assert not list(review.places.corrections.rglob("*.nii.gz"))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b"{",
        b"null",
        b'{"points": 3}',
        b'{"points": [[1, 2]]}',
        b'{"points": [["a", 1, 2]]}',
        b'{"points": [[NaN, 1, 2]]}',
        b"[" * 9000,
    ],
)
def test_points_that_are_none_are_refused(client, first, content):
    assert ask(client, f"api/images/{first}/centerline", "PUT", data=content).status_code == 400


@pytest.mark.parametrize("content", [b'{"points": []}', b'{"points": [[1e300, 1, 2]]}'])
def test_points_that_are_nowhere_are_refused(client, first, content):
    assert ask(client, f"api/images/{first}/centerline", "PUT", data=content).status_code == 422


@pytest.mark.parametrize("mark", ["good", 7, None, ["fail"]])
def test_a_judgement_that_is_none_is_refused_or_empty(client, first, mark, review):
    answer = ask(client, f"api/images/{first}/judgement", "PUT", json={"mark": mark, "before": "x"})
    assert answer.status_code in (200, 422)
    assert ask(client, f"api/images/{first}").get_json()["judgement"]["mark"] == ""


def test_an_image_that_cannot_be_read_is_told(client, first, review):
    image = review.find(first).image
    image.path.write_bytes(b"no image")
    answer = ask(client, f"api/images/{first}")
    assert answer.status_code == 422
    assert image.path.name in answer.get_json()["error"]


def test_results_that_cannot_be_written_are_shown_and_said_to_be(client, first, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)
    told = ask(client, "api/review").get_json()
    assert "read-only" in told["output_problem"]
    assert "read-only" in told["corrections_problem"]
    assert len(told["images"]) == 3
    assert ask(client, f"api/images/{first}/image.nii").status_code == 200


def test_looking_writes_nothing(client, first, review):
    before = sorted(review.places.bids_dir.rglob("*"))
    assert ask(client, f"api/images/{first}").status_code == 200
    assert sorted(review.places.bids_dir.rglob("*")) == before


def test_a_folder_in_whose_place_a_file_stands_is_told(client, review):
    review.places.corrections.write_text("")
    assert ask(client, "api/review").get_json()["corrections_problem"]


# ---- the command ----------------------------------------------------------------------------------------------------


def test_a_port_that_is_in_use_is_told():
    def ready(port):
        serve(None, "127.0.0.1", port, ready)

    with pytest.raises(UsageError, match="in use"):
        serve(lambda *_: [], "127.0.0.1", 0, ready)


def test_an_address_that_is_none_is_told():
    with pytest.raises(UsageError, match="--host"):
        serve(None, "256.0.0.1", 0, lambda _: None)


@pytest.mark.parametrize(
    ("words", "code"), [(["--help"], 0), ([], 64), (["absent"], 66), (["absent", "--port", "70000"], 64)]
)
def test_the_command_tells_what_is_wrong(words, code, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["review", *words]) == code


def test_a_folder_without_results_and_the_results_as_corrections_are_refused(review, tmp_path):
    output = str(review.places.output_dir)
    assert cli.main(["review", str(tmp_path), "--no-browser"]) in (64, 66)
    assert cli.main(["review", output, "--no-browser", "--corrections", output]) == 64
