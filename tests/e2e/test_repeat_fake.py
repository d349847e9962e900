"""The page of a participant names the command that processes an image again, and the command does."""

import html
import json
import re
import shlex

import pytest

from bids_deepseg.app.participant.shown import option_words
from bids_deepseg.cli import main as cli
from bids_deepseg.options.method import MethodSettings
from tests.helpers.fake_engine import FakeEngine, files_of, summary_of, write_dataset


@pytest.fixture
def data(tmp_path):
    """Write a good image, and one that cannot be read."""
    folder = write_dataset(tmp_path / "in", "sub-01/ses-a/anat/sub-01_ses-a_T2w", "sub-01/ses-a/anat/sub-01_ses-a_T1w")
    (folder / "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz").write_bytes(b"no image")
    return folder


@pytest.fixture
def run(capsys, data, tmp_path):
    """Return a function that runs the app in this process and returns code and summary."""

    def run(*words):
        known = {"BIDS_DIR": str(data), "OUTPUT_DIR": str(tmp_path / "out")}
        words = [known.get(word, word) for word in words]
        code = cli.main([*words, "--skip-bids-validation"], engine=FakeEngine())
        return code, summary_of(capsys.readouterr()[0])

    return run


def commands(tmp_path):
    """Return the commands of the page, as words, by suffix."""
    page = (tmp_path / "out" / "sub-01.html").read_text(encoding="utf-8")
    found = re.findall(r'<p class="command"><code>(.*?)</code>', page)
    words = [shlex.split(html.unescape(text)) for text in found]
    return {each[each.index("--suffix") + 1]: each for each in words}


@pytest.mark.parametrize(
    "options", [(), ("--border", "network"), ("--threshold", "0.4", "--brain", "no", "--contrast", "t1")]
)
def test_the_command_of_an_image_gives_the_same_again(run, tmp_path, options):
    run("BIDS_DIR", "OUTPUT_DIR", "participant", *options)
    before = files_of(tmp_path / "out")
    pages = [name for name in before if name.endswith((".html", "_mask.nii.gz", "_mask.json"))]
    for suffix, counts in (("T2w", ("done", 0)), ("T1w", ("failed", 65))):
        program, *words = commands(tmp_path)[suffix]
        assert program == "bids_deepseg"
        assert set(dict(zip(options[::2], options[1::2], strict=True))) <= {word.partition("=")[0] for word in words}
        code, summary = run(*words)
        assert (summary["done"] + summary["failed"], summary[counts[0]], code) == (1, 1, counts[1])
    after = files_of(tmp_path / "out")
    assert pages
    assert {name: after[name][0] for name in pages} == {name: before[name][0] for name in pages}


def test_the_crash_file_has_the_command_with_the_folders(run, data, tmp_path):
    folder = tmp_path / "corrections"
    folder.mkdir()
    run("BIDS_DIR", "OUTPUT_DIR", "participant", "--border", "network", "--corrections", str(folder))
    (crash,) = (tmp_path / "out" / "logs").rglob("crash-*.txt")
    (line,) = re.findall(r"repeat: +(.*)", crash.read_text(encoding="utf-8"))
    program, *words = shlex.split(line)
    assert program == "run.py"
    assert words[:2] == [str(data), str(tmp_path / "out")]
    assert words[words.index("--corrections") + 1] == str(folder)
    assert "--border=network" in words
    assert run(*words)[0] == 65


def test_no_place_of_this_machine_is_in_a_page(run, tmp_path):
    folder = tmp_path / "corrections"
    folder.mkdir()
    run("BIDS_DIR", "OUTPUT_DIR", "participant", "--corrections", str(folder))
    for command in commands(tmp_path).values():
        assert not any(str(tmp_path) in word for word in command)
    (record,) = (tmp_path / "out" / "logs" / "failed").glob("*.json")
    assert str(folder) not in record.read_text(encoding="utf-8")


@pytest.mark.parametrize("damage", [3, ["border"], {"border": ["network"]}, {"border": None}, {"nothing": "network"}])
def test_options_of_a_record_that_are_none_are_left_out(run, tmp_path, damage):
    run("BIDS_DIR", "OUTPUT_DIR", "participant", "--border", "network")
    (record,) = (tmp_path / "out" / "logs" / "failed").glob("*.json")
    record.write_text(json.dumps(json.loads(record.read_text(encoding="utf-8")) | {"Options": damage}))
    code, _ = run("BIDS_DIR", "OUTPUT_DIR", "participant", "--reports-only")
    assert code == 0
    assert "--border=network" not in commands(tmp_path)["T1w"]


def test_what_is_as_by_default_needs_no_word():
    assert list(option_words(MethodSettings().facts())) == []
    assert list(option_words({"contrast": "auto", "volume": "auto", "kernel": "2d", "ensemble": True})) == []
    assert list(option_words({"kernel": "3d", "volume": "2"})) == ["--volume=2", "--kernel=3d"]
