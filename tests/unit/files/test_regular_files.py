"""Only ordinary files are opened, and nothing is waited for."""

import os
import socket
from pathlib import Path

import pytest

from bids_deepseg.files.names import NotRegularError, open_regular


def test_an_ordinary_file_is_read_also_through_a_link(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    (tmp_path / "link").symlink_to(path)
    for name in ("file", "link"):
        with open_regular(tmp_path / name) as stream:
            assert stream.read() == b"content"


def test_a_pipe_a_socket_and_a_device_are_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        for path in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/zero")):
            with pytest.raises(NotRegularError, match="not an ordinary file"):
                open_regular(path)


def test_a_folder_is_no_file(tmp_path):
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
