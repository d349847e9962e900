"""Folders of a run."""

import pytest

from bids_deepseg.app import workspace
from bids_deepseg.app.workspace import create_log_folder, prepare_output, temporary_folder
from bids_deepseg.errors import OutputError


def test_the_output_is_created_with_those_above_and_left_empty(tmp_path):
    prepare_output(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_an_output_below_a_file_is_refused_with_the_remedy(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"runs as \d+:\d+.*-u \$\(id -u\):\$\(id -g\)"):
        prepare_output(tmp_path / "file" / "out")


def test_two_runs_have_two_folders_of_logs(tmp_path):
    one, two = create_log_folder(tmp_path), create_log_folder(tmp_path)
    assert one != two
    assert one.parent == two.parent == tmp_path / "logs"


def test_the_temporary_folder_is_made_where_the_system_says_and_removed(tmp_path):
    with temporary_folder(None, tmp_path / "out", environ={"TMPDIR": str(tmp_path)}) as folder:
        assert folder.parent == tmp_path
        (folder / "cache").mkdir()
        (folder / "cache" / "file").write_text("x")
    assert not folder.exists()


def test_the_temporary_folder_falls_back_to_the_output(tmp_path, monkeypatch):
    # As on a read-only root file system.
    monkeypatch.setattr(workspace, "_SYSTEM_PLACES", (str(tmp_path / "read-only"),))
    with temporary_folder(None, tmp_path, environ={"TMPDIR": "/nonexistent"}) as folder:
        assert folder.parent == tmp_path
        assert folder.name.startswith(".work-")
    assert list(tmp_path.iterdir()) == []


def test_a_demanded_folder_is_created_and_may_be_kept(tmp_path):
    with temporary_folder(tmp_path / "a" / "work", tmp_path, keep=True) as folder:
        assert folder.parent == tmp_path / "a" / "work"
    assert folder.exists()
