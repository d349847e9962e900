"""Folders of a run."""

import os
import platform
import time
from pathlib import Path

import pytest

from bids_deepseg.app import workspace
from bids_deepseg.app.workspace import SENTINEL, clean_leftovers, create_log_folder, prepare_output, temporary_folder
from bids_deepseg.errors import OutputError


def test_the_output_is_created_with_those_above_and_left_empty(tmp_path):
    prepare_output(tmp_path / "a" / "b")
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_what_a_run_leaves_that_is_killed_while_it_tries_the_folder_goes_with_the_next(tmp_path, monkeypatch):
    class KilledError(BaseException):
        pass

    def die(_path, **_options):
        raise KilledError

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", die)
        with pytest.raises(KilledError):
            prepare_output(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    prepare_output(tmp_path)
    assert list(tmp_path.iterdir()) == []


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
    with temporary_folder(None, tmp_path, environ={"TMPDIR": str(tmp_path / "absent")}) as folder:
        assert folder.parent == tmp_path
        assert folder.name.startswith(".work-")
    assert list(tmp_path.iterdir()) == []


def test_a_demanded_folder_is_created_and_may_be_kept(tmp_path):
    with temporary_folder(tmp_path / "a" / "work", tmp_path, keep=True) as folder:
        assert folder.parent == tmp_path / "a" / "work"
    assert folder.exists()


def leave(folder, text, *, days=0.0):
    """Write a folder for temporary files as a process of a machine leaves it."""
    folder.mkdir(parents=True)
    (folder / SENTINEL).write_text(text)
    moment = time.time() - days * 24 * 3600
    os.utime(folder / SENTINEL, (moment, moment))
    return folder


def test_only_marked_folders_of_ended_processes_are_removed(tmp_path):
    here, ended, running = platform.node(), 2**22 + 1, os.getpid()
    gone = leave(tmp_path / "ended", f"{here} {ended}\n")
    old = leave(tmp_path / "old", "another.machine 1", days=8)
    kept = [
        leave(tmp_path / "running", f"{here} {running}"),
        leave(tmp_path / "elsewhere", f"another.machine {ended}", days=1),
        leave(tmp_path / "strange", f"{here} text"),
        leave(tmp_path / "deep" / "inside", f"{here} {ended}"),
    ]
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(kept[-1])
    clean_leftovers(tmp_path, tmp_path / "out")
    assert not gone.exists()
    assert not old.exists()
    assert all(folder.exists() for folder in [*kept, tmp_path / "mine", tmp_path / "link"])


def test_the_default_places_are_cleaned_when_no_folder_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(workspace, "_SYSTEM_PLACES", (str(tmp_path / "system"),))
    text = f"{platform.node()} {2**22 + 1}"
    left = [leave(tmp_path / place / "bids_deepseg-x", text) for place in ("tmpdir", "system", "out")]
    clean_leftovers(None, tmp_path / "out", environ={"TMPDIR": str(tmp_path / "tmpdir")})
    assert not any(folder.exists() for folder in left)
