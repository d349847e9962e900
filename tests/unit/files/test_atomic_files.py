"""Files that appear whole or not at all, on drives of all kinds and under names of all kinds."""

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.errors import OutputError, OutputWriteError
from bids_deepseg.files import atomic
from bids_deepseg.files.atomic import longest_name, output_errors, too_long, write_files


def write(path, content=b"x"):
    write_files([(path, lambda stream: stream.write(content))])
    return path


@pytest.fixture
def sync(monkeypatch):
    """Return a function that makes drives answer with an error when a file is to be brought to the disk."""

    def answer(number):
        def fsync(_descriptor):
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(os, "fsync", fsync)

    return answer


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.ENOTTY, errno.EPERM])
def test_a_drive_that_cannot_sync_is_no_error(sync, tmp_path, code):
    sync(code)
    assert write(tmp_path / "a.tsv").read_bytes() == b"x"


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_failing_or_full_disk_is_one_and_leaves_nothing(sync, tmp_path, code):
    sync(code)
    with pytest.raises(OutputWriteError) as caught:
        write(tmp_path / "a.tsv")
    assert caught.value.exit_code == 74
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("length", [1, 100, 120, 130, 237, 238, 255])
def test_every_name_that_the_file_system_allows_can_be_written(tmp_path, length):
    path = write(tmp_path / ("a" * length))
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


@given(st.text(st.sampled_from("ab*[]?-!é\n"), min_size=1, max_size=120))
def test_what_is_written_under_a_temporary_name_fits_wherever_the_name_does(name):
    raw = len(os.fsencode(atomic._temporary_name(name)))
    assert raw <= max(143, len(os.fsencode(name)))


@pytest.mark.parametrize("name", ["a**b.nii.gz", "[ab].tsv", "*", "?", "a\nb"])
def test_leftovers_are_those_of_the_same_name_only(tmp_path, name):
    mine = tmp_path / atomic._temporary_name(name)
    others = [tmp_path / atomic._temporary_name(each) for each in (f"x-{name}", "ab.nii.gz", "a.tsv", f"{name}x")]
    for path in (mine, *others):
        path.touch()
    write(tmp_path / name)
    assert not mine.exists()
    assert all(path.exists() for path in others)


def test_leftovers_of_a_long_name_go_too(tmp_path):
    left = tmp_path / atomic._temporary_name("a" * 250)
    left.touch()
    write(tmp_path / ("a" * 250))
    assert not left.exists()


def test_a_name_that_is_too_long_is_explained(tmp_path):
    path = tmp_path / ("a" * 255 + ".json")
    with pytest.raises(
        OutputError, match="the name would have 260 bytes, 255 are possible: shorten the labels"
    ) as caught:
        write(path)
    assert caught.value.exit_code == 73
    with pytest.raises(OutputError, match="the name would have 300 bytes"):
        atomic.make_folder(tmp_path / ("b" * 300) / "logs")


def test_a_path_that_is_too_long_is_explained(tmp_path):
    with pytest.raises(OutputError, match=r"the path has \d+ bytes, which is too long"), output_errors(tmp_path):
        raise OSError(errno.ENAMETOOLONG, "File name too long")


def test_the_file_system_tells_how_long_a_name_may_be(tmp_path, monkeypatch):
    assert longest_name(tmp_path / "absent" / "folder") == 255
    monkeypatch.setattr(os, "pathconf", lambda _path, _name: 143)
    assert longest_name(tmp_path) == 143
    assert "144 bytes, 143 are possible" in too_long("é" * 72, 143)
    assert too_long("é" * 71, 143) is None
