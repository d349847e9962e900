"""Folders of a run."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from bids_deepseg.app import workspace
from bids_deepseg.app.workspace import SENTINEL, clean_leftovers, create_log_folder, prepare_output, temporary_folder
from bids_deepseg.errors import OutputError
from bids_deepseg.files import locks


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


HOLD = """
import sys, time
from pathlib import Path
from bids_deepseg.app.workspace import temporary_folder
with temporary_folder(Path(sys.argv[1]), Path(sys.argv[1]) / "out", keep=len(sys.argv) > 2) as folder:
    print(folder, flush=True)
    time.sleep(600)
"""


@contextmanager
def living_run(place, *, before=(), keep=False):
    """Start a process that has a folder for temporary files, and kill it at the end."""
    command = [*before, sys.executable, "-c", HOLD, str(place), *(["keep"] if keep else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Path(process.stdout.readline().strip())
        finally:
            process.kill()


def killed_run(place, **options):
    """Return what a killed run leaves."""
    with living_run(place, **options) as folder:
        pass
    assert (folder / SENTINEL).is_file()
    return folder


def leave(folder, text, *, days=0.0):
    """Write a folder for temporary files as a run leaves it."""
    folder.mkdir(parents=True)
    (folder / SENTINEL).write_text(text)
    moment = time.time() - days * 24 * 3600
    os.utime(folder / SENTINEL, (moment, moment))
    return folder


def test_the_folder_of_a_living_run_stays_and_that_of_a_killed_one_goes(tmp_path):
    gone, kept = killed_run(tmp_path), killed_run(tmp_path, keep=True)
    with living_run(tmp_path) as living:
        # The living run removed the first already when it began.
        assert not gone.exists()
        clean_leftovers(tmp_path, tmp_path / "out")
        assert living.exists()
    # What was to be kept goes only when that is asked for.
    assert not kept.exists()
    clean_leftovers(tmp_path, tmp_path / "out")
    assert not living.exists()


def test_every_run_removes_what_killed_runs_of_its_user_left_and_nothing_else(tmp_path):
    kept, gone = killed_run(tmp_path, keep=True), killed_run(tmp_path)
    boot = (gone / SENTINEL).read_text()
    others = [leave(tmp_path / "mine", boot), leave(tmp_path / "bids_deepseg-elsewhere", "another", days=30)]
    link = tmp_path / "bids_deepseg-link"
    link.symlink_to(kept)
    with temporary_folder(tmp_path, tmp_path / "out"):
        assert not gone.exists()
        assert all(path.exists() for path in (kept, link, *others))


@pytest.mark.skipif(os.getuid() != 0, reason="needs root to make a namespace")
def test_the_folder_of_a_run_in_another_namespace_of_processes_stays(tmp_path):
    unshare = ["unshare", "--pid", "--fork", "--kill-child"]
    if subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode:
        pytest.skip("this machine makes no namespaces")
    with living_run(tmp_path, before=unshare) as living:
        clean_leftovers(tmp_path, tmp_path / "out")
        assert living.exists()


def test_only_marked_folders_of_ended_runs_are_removed(tmp_path):
    boot = workspace._boot()
    gone = leave(tmp_path / "ended", boot)
    old = leave(tmp_path / "old", "another-machine", days=8)
    earlier = leave(tmp_path / "earlier", "machine 4711", days=8)
    kept = [
        leave(tmp_path / "elsewhere", "another-machine", days=1),
        leave(tmp_path / "begins", ""),
        leave(tmp_path / "no-locks", "unknown"),
        leave(tmp_path / "deep" / "inside", boot),
    ]
    (tmp_path / "mine").mkdir()
    (tmp_path / "link").symlink_to(kept[-1])
    clean_leftovers(tmp_path, tmp_path / "out")
    assert not any(folder.exists() for folder in (gone, old, earlier))
    assert all(folder.exists() for folder in [*kept, tmp_path / "mine", tmp_path / "link"])


def test_a_mark_that_is_a_pipe_is_not_waited_for(tmp_path):
    (tmp_path / "bids_deepseg-x").mkdir()
    os.mkfifo(tmp_path / "bids_deepseg-x" / SENTINEL)
    clean_leftovers(tmp_path, tmp_path / "out")
    with temporary_folder(tmp_path, tmp_path / "out"):
        assert (tmp_path / "bids_deepseg-x").exists()


def test_without_locks_a_folder_stays_until_it_is_old(tmp_path, monkeypatch):
    def refuse(_number, _operation):
        raise OSError(95, "no locks on this drive")

    monkeypatch.setattr(locks.fcntl, "flock", refuse)
    with temporary_folder(tmp_path, tmp_path / "out", keep=True) as folder:
        assert (folder / SENTINEL).read_text().startswith("unknown")
    clean_leftovers(tmp_path, tmp_path / "out")
    assert folder.exists()


def test_the_default_places_are_cleaned_when_no_folder_is_given(tmp_path, monkeypatch):
    monkeypatch.setattr(workspace, "_SYSTEM_PLACES", (str(tmp_path / "system"),))
    left = [leave(tmp_path / place / "bids_deepseg-x", workspace._boot()) for place in ("tmpdir", "system", "out")]
    clean_leftovers(None, tmp_path / "out", environ={"TMPDIR": str(tmp_path / "tmpdir")})
    assert not any(folder.exists() for folder in left)
