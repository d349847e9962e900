"""``bids_deepseg weights``: files are told by their content, and only a published one gets its name."""

import ast
import io
import re
import threading
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.error import URLError
from urllib.request import Request

import pytest

from bids_deepseg.cli import main as cli
from bids_deepseg.cli.weights import COMMAND
from bids_deepseg.errors import UsageError
from bids_deepseg.networks.published import download
from bids_deepseg.networks.published import specs as published
from bids_deepseg.networks.published.download import RELEASE_ADDRESS, address_of
from bids_deepseg.networks.published.specs import git_blob_id, published_spec

CONTENT = {"t2_sc": b"published t2", "t1_sc": b"published t1", "gm_large": b"published grey matter"}


@pytest.fixture(autouse=True)
def _table(monkeypatch):
    """Know three small files instead of the published ones."""
    specs = [replace(published_spec(name), blob=git_blob_id(content)) for name, content in CONTENT.items()]
    monkeypatch.setattr(published, "PUBLISHED", tuple(specs))
    monkeypatch.setenv("no_proxy", "*")


class Server(BaseHTTPRequestHandler):
    """Answers by what the first folder of the address says."""

    def do_GET(self):
        self.server.seen.append((self.path, dict(self.headers)))
        kind, _, name = self.path.strip("/").partition("/")
        content = CONTENT.get(name.removesuffix(".h5"), b"")
        answers = {
            "good": (200, content),
            "other": (200, b"something else"),
            "large": (200, b"x" * 5000),
            "cut": (200, content[:4]),
            "missing": (404, b"not found"),
            "fail": (500, b""),
        }
        if kind in {"away", "near", "disk"}:
            target = {"away": "http://192.0.2.1/x", "near": f"/good/{name}", "disk": "file:///etc/hostname"}[kind]
            self.send_response(302)
            self.send_header("Location", target)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        code, content = answers[kind]
        self.send_response(code)
        self.send_header("Content-Length", str(len(content) + (8 if kind == "cut" else 0)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        """Keep quiet."""


@pytest.fixture
def server():
    """Serve on this machine; yields the address and what was asked for."""
    found = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    found.seen = []
    thread = threading.Thread(target=partial(found.serve_forever, 0.01))
    thread.start()
    yield f"http://127.0.0.1:{found.server_port}", found.seen
    found.shutdown()
    thread.join()
    found.server_close()


def test_files_are_installed_listed_and_checked(tmp_path, capsys, server):
    folder = tmp_path / "new" / "weights"
    address, seen = server
    words = ["weights", "install", str(folder), "--from", f"{address}/good/{{name}}.h5"]
    assert cli.main(words) == 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "t2_sc.h5": CONTENT["t2_sc"],
        "t1_sc.h5": CONTENT["t1_sc"],
    }
    assert "no licence" in capsys.readouterr().out
    assert [path for path, _ in seen] == ["/good/t2_sc.h5", "/good/t1_sc.h5"]
    assert seen[0][1]["User-Agent"].startswith("bids_deepseg/")
    assert cli.main(words) == 0
    assert len(seen) == 2, "what is there is not fetched again"
    capsys.readouterr()
    assert cli.main(["weights", "list", str(folder)]) == 0
    listed = capsys.readouterr().out
    assert "t2_sc         segmentation" not in listed.splitlines()[0]
    assert [line.split()[-1] for line in listed.splitlines()[1:]] == ["present", "present", "missing"]
    assert listed.count("not stated by the authors") == 3
    assert cli.main(["weights", "check", str(folder)]) == 0
    assert "2 of 3 are the published files, 0 differ." in capsys.readouterr().out


def test_files_can_come_from_a_folder(tmp_path):
    source = tmp_path / "stick"
    source.mkdir()
    (source / "large_model.hdf5").write_bytes(CONTENT["gm_large"])
    assert cli.main(["weights", "install", str(tmp_path / "w"), "gm_large", "--from", source.as_uri()]) == 0
    assert (tmp_path / "w" / "large_model.hdf5").read_bytes() == CONTENT["gm_large"]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("other", "sent another file: git blob id"),
        ("cut", "sent another file|could not be fetched"),
        ("large", "sends more than 1000 bytes"),
        ("missing", "could not be fetched from .*Not Found"),
        ("fail", "could not be fetched"),
        ("away", "leads to http://192.0.2.1/x, which is not encrypted"),
        ("disk", "file:///etc/hostname. is not allowed"),
    ],
)
def test_anything_but_the_published_file_leaves_nothing_behind(tmp_path, capsys, server, monkeypatch, kind, message):
    monkeypatch.setattr(download, "MAX_BYTES", 1000)
    assert cli.main(["weights", "install", str(tmp_path), "t2_sc", "--from", f"{server[0]}/{kind}"]) == 78
    assert re.search(message, capsys.readouterr().err)
    assert list(tmp_path.iterdir()) == []


def test_a_redirection_that_is_refused_leaves_no_connection_open():
    answer = io.BytesIO()
    with pytest.raises(URLError, match="not encrypted"):
        download._CarefulRedirects().redirect_request(
            Request("https://192.0.2.1/x"), answer, 302, "", {}, "http://192.0.2.1/x"
        )
    assert answer.closed


def test_a_redirection_on_this_machine_is_followed(tmp_path, server):
    assert cli.main(["weights", "install", str(tmp_path), "t2_sc", "--from", f"{server[0]}/near/"]) == 0


def test_a_server_that_is_not_there_is_told(tmp_path, capsys):
    assert cli.main(["weights", "install", str(tmp_path), "t2_sc", "--from", "http://127.0.0.1:9/x"]) == 78
    assert "could not be fetched from http://127.0.0.1:9/x/t2_sc.h5" in capsys.readouterr().err


def test_another_file_is_not_overwritten(tmp_path, capsys, server):
    path = tmp_path / "t2_sc.h5"
    path.write_bytes(b"mine")
    assert cli.main(["weights", "install", str(tmp_path), "t2_sc", "--from", f"{server[0]}/good"]) == 78
    assert "move it away" in capsys.readouterr().err
    assert path.read_bytes() == b"mine"
    assert cli.main(["weights", "check", str(tmp_path)]) == 78
    assert "DIFFERS  t2_sc" in capsys.readouterr().out


def test_a_folder_that_cannot_be_made_ends_with_73(tmp_path, capsys, server):
    (tmp_path / "file").write_bytes(b"")
    assert cli.main(["weights", "install", str(tmp_path / "file" / "w"), "t2_sc", "--from", server[0]]) == 73
    assert "cannot be created" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "code"), [([], 78), (["t1_sc"], 78)], ids=["nothing there", "a named one is missing"]
)
def test_check_tells_what_is_missing(tmp_path, capsys, names, code):
    assert cli.main(["weights", "check", str(tmp_path), *names]) == code
    assert "missing  t1_sc: t1_sc.h5" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "required: action"),
        (["check"], "A folder is expected"),
        (["install"], "A folder is expected"),
        (["list", ".", "t2_sc"], "one folder at most"),
        (["check", ".", "t9"], "no published network 't9'"),
        (["check", ".", "--from", "https://x"], "belongs to install"),
        (["install", ".", "gm_large"], "Not in the release r20180610: gm_large"),
        (["install", ".", "t2_sc", "--from", "http://example.org"], "is not allowed"),
        (["install", ".", "t2_sc", "--from", "ftp://example.org"], "is not allowed"),
        (["install", ".", "t2_sc", "--from", "/some/folder"], "is not allowed"),
        (["install", ".", "t2_sc", "--from", "file://example.org/x"], "is not allowed"),
        (["install", ".", "--force"], "nrecognized arguments: --force"),
    ],
)
def test_wrong_words_end_with_64(words, message, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["weights", *words]) == 64
    assert message in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_help_says_that_no_licence_is_stated(capsys):
    assert cli.main(["weights", "--help"]) == 0
    assert "no licence" in " ".join(capsys.readouterr().out.split())


def test_check_of_no_folder_ends_with_78(tmp_path, capsys):
    assert cli.main(["weights", "check", str(tmp_path / "none")]) == 78
    assert "is not a folder" in capsys.readouterr().err


def test_a_data_set_may_be_called_weights():
    assert not COMMAND.is_called(["weights", "out", "participant"])
    assert not COMMAND.is_called(["weights", "check", "participant"])
    assert not COMMAND.is_called(["data", "weights", "participant"])
    assert COMMAND.is_called(["weights", "check", "folder"])


def test_the_release_is_asked_for_by_the_ids_of_its_files():
    spec = published_spec("t2_sc")
    address = address_of(spec, RELEASE_ADDRESS)
    assert address == f"https://api.github.com/repos/sct-data/deepseg_sc_models/git/blobs/{spec.blob}"
    assert address_of(spec, "https://example.org/a/") == "https://example.org/a/t2_sc.h5"
    with pytest.raises(UsageError, match="not allowed"):
        address_of(spec, "gopher://example.org")


def test_only_this_command_can_open_a_connection():
    root = Path(cli.__file__).parent.parent
    network = {"urllib.request", "http", "http.client", "http.server", "socket", "ssl", "ftplib", "requests"}
    opens, uses = set(), set()
    for path in root.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            if network & set(names):
                opens.add(path.relative_to(root).as_posix())
            if "bids_deepseg.networks.published.download" in names:
                uses.add(path.relative_to(root).as_posix())
    assert "networks/published/download.py" in opens
    assert not {name for name in opens if name.startswith(("app/", "stages/", "geometry/", "bids/", "networks/"))} - {
        "networks/published/download.py"
    }
    assert uses == {"cli/weights.py"}
