"""The contract of the command line: help, version, messages, exit codes and the last line."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bids_deepseg import example
from bids_deepseg.app import run as levels
from bids_deepseg.bids.source.validation import ValidationReport
from bids_deepseg.cli import lifecycle
from bids_deepseg.cli import main as cli
from bids_deepseg.errors import OutputError
from bids_deepseg.execution import resources
from tests.helpers.fake_engine import FakeEngine, summary_of, write_dataset

ROOT = Path(__file__).parents[2]
QUIET = ("--skip-bids-validation",)


@pytest.fixture
def data(tmp_path):
    return write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w", "sub-02/anat/sub-02_T2w")


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Return a function that runs the app and returns code, output, error text and summary."""
    monkeypatch.setattr(resources, "_affinity", lambda: 1)

    def run(*words, engine=None):
        code = cli.main([str(word) for word in words], engine=engine or FakeEngine())
        out, err = capsys.readouterr()
        summary = summary_of(out)
        assert summary["exit"] == code
        assert ("finished successfully" in out) == (code == 0 and "-q" not in words)
        return code, err, summary

    return run


def run_py(*words, cwd=ROOT, code="", **more):
    program = ["-c", code] if code else [str(ROOT / "run.py")]
    return subprocess.run(
        [sys.executable, *program, *map(str, words)], capture_output=True, text=True, cwd=cwd, check=False, **more
    )


# ---- help and version -----------------------------------------------------------------------------------------------


def test_version_is_that_of_the_file_and_from_any_folder(tmp_path):
    done = run_py("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"bids_deepseg {(ROOT / 'version').read_text().strip()}\n")


def test_the_module_runs_too():
    done = subprocess.run(
        [sys.executable, "-m", "bids_deepseg", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("bids_deepseg ")


# ---- usage: 64, 17, 18 ----------------------------------------------------------------------------------------------


def test_a_session_that_no_image_has_selects_nothing(run, tmp_path):
    data = write_dataset(tmp_path / "in", "sub-01/ses-pre/anat/sub-01_ses-pre_T2w")
    code, err, _ = run(data, tmp_path / "out", "participant", "--session-label", "ses-post", *QUIET)
    assert (code, "post" in err) == (18, True)
    assert run(data, tmp_path / "out", "participant", "--session_id", "pre", *QUIET)[2]["done"] == 1


def test_an_unknown_label_among_known_ones_is_named_with_its_nearest(run, data, tmp_path):
    code, err, summary = run(data, tmp_path / "out", "participant", "--participant-label", "sub-01", "002", *QUIET)
    assert code == 0
    assert summary["done"] == 1
    assert "002 (nearest: 02)" in err


def test_selection_by_exclusion_and_by_file(run, data, tmp_path):
    (tmp_path / "labels.txt").write_text("sub-01\nsub-02\n")
    words = ["--participant-label", tmp_path / "labels.txt", "--exclude_participant_label", "01"]
    code, _, summary = run(data, tmp_path / "out", "participant", *words, *QUIET)
    assert (code, summary["done"]) == (0, 1)
    assert [path.name for path in (tmp_path / "out").glob("sub-*/")] == ["sub-02"]


# ---- input: 66, 65, 16 ----------------------------------------------------------------------------------------------


def test_no_participant_with_an_image(run, tmp_path):
    data = write_dataset(tmp_path / "in")
    (data / "sub-01" / "func").mkdir(parents=True)
    (data / "sub-01" / "func" / "sub-01_task-rest_bold.nii.gz").touch()
    code, err, summary = run(data, tmp_path / "out", "participant", *QUIET)
    assert code == 66
    assert summary["no_input"] == 1
    assert "sub-01" in err


def test_a_participant_without_image_does_not_disturb_the_others(run, data, tmp_path):
    (data / "sub-03").mkdir()
    code, err, summary = run(data, tmp_path / "out", "participant", *QUIET)
    assert (code, summary["done"], summary["no_input"]) == (0, 2, 1)
    assert "sub-03 has no usable image" in err


def test_debug_shows_the_traceback(run, data, tmp_path):
    _, err, _ = run(data, tmp_path / "out", "participant", *QUIET, "--debug", engine=FakeEngine(broken=True))
    assert "Traceback" in err


def report(**given):
    plain = {"available": True, "n_errors": 2, "n_warnings": 1, "errors": ("CODE sub-01: text",), "details": "{}"}
    return ValidationReport(**plain | {"command": "bids-validator-deno in", "message": "2 errors, 1 warning."} | given)


@pytest.fixture
def validator(monkeypatch):
    """Return a function that sets what the validator says."""

    def says(**given):
        monkeypatch.setattr(levels, "validate_dataset", lambda bids_dir, subjects: report(**given))

    return says


def test_an_invalid_data_set_ends_with_16_where_validity_is_demanded(run, data, tmp_path, validator):
    validator()
    code, err, summary = run(data, tmp_path / "out", "participant", "--bids-validation", "error")
    assert (code, summary["done"]) == (16, 0)
    assert "2 errors, 1 warning.\n  CODE sub-01: text\n  Repeat with: bids-validator-deno in" in err


def test_an_invalid_data_set_is_a_warning_otherwise(run, data, tmp_path, validator):
    validator()
    code, err, summary = run(data, tmp_path / "out", "participant")
    assert (code, summary["done"]) == (0, 2)
    assert "WARNING: 2 errors" in err
    assert (Path(summary["log"]) / "validation.json").exists()


def test_a_missing_validator_is_one_warning(run, data, tmp_path, validator):
    validator(available=False, n_errors=0, errors=(), details="", command="", message="It is not installed.")
    code, err, _ = run(data, tmp_path / "out", "participant")
    assert (code, err.count("WARNING")) == (0, 1)
    assert run(data, tmp_path / "out", "participant", "--bids-validation", "error")[0] == 16


def test_a_valid_data_set_and_no_validation_are_no_warning(run, data, tmp_path, validator):
    validator(n_errors=0, errors=())
    assert "WARNING" not in run(data, tmp_path / "out", "participant")[1]
    validator()
    assert "WARNING" not in run(data, tmp_path / "out", "participant", "--bids-validation", "off")[1]


# ---- networks, output: 78, 73 ---------------------------------------------------------------------------------------


def test_a_work_folder_that_cannot_be_created_ends_with_73(run, data, tmp_path):
    (tmp_path / "file").write_text("x")
    code, err, _ = run(data, tmp_path / "out", "participant", "-w", tmp_path / "file" / "work")
    assert code == 73
    assert "work" in err


def test_the_work_folder_is_left_empty(run, data, tmp_path):
    assert run(data, tmp_path / "out", "participant", "-w", tmp_path / "work", *QUIET)[0] == 0
    assert list((tmp_path / "work").iterdir()) == []


# ---- group level ----------------------------------------------------------------------------------------------------


def test_both_levels_in_one_call(run, data, tmp_path):
    code, _, summary = run(data, tmp_path / "out", "group", "participant", *QUIET)
    assert (code, summary["done"]) == (0, 2)
    assert (tmp_path / "out" / "group_label-SC_morph.tsv").exists()


def test_the_code_of_the_participant_level_wins(run, data, tmp_path):
    for path in data.rglob("*.nii.gz"):
        path.write_bytes(b"")
    assert run(data, tmp_path / "out", "participant", "group", *QUIET)[0] == 65


# ---- terminal and logs ----------------------------------------------------------------------------------------------


def test_one_line_per_image_with_progress(run, data, tmp_path):
    _, err, _ = run(data, tmp_path / "out", "participant", *QUIET)
    lines = [line for line in err.splitlines() if "sub-" in line]
    assert [line[:6] for line in lines] == ["[1/2] ", "[2/2] "]
    assert "pass, mean area 76.0 mm²" in lines[0]
    assert "left" in lines[0]
    assert "heatmap" not in err


def test_v_adds_the_times_of_the_stages_and_q_leaves_warnings_only(run, data, tmp_path):
    _, err, _ = run(data, tmp_path / "out", "participant", *QUIET, "-v")
    assert "sub-01/anat/sub-01_T2w.nii.gz: heatmap " in err
    _, err, _ = run(data, tmp_path / "out2", "participant", *QUIET, "-q")
    assert err == ""


def test_the_logs_of_a_run(run, data, tmp_path):
    _, _, summary = run(data, tmp_path / "out", "participant", *QUIET)
    folder = Path(summary["log"])
    assert folder.parent == tmp_path / "out" / "logs"
    records = [json.loads(line) for line in (folder / "run.log").read_text().splitlines()]
    stages = [r["stage"] for r in records if r.get("image") == "sub-01/anat/sub-01_T2w.nii.gz"]
    assert stages[0] == "read"
    assert stages[-1] == "write"
    assert "heatmap" in stages
    assert all(r["version"] for r in records)
    config = json.loads((folder / "config.json").read_text())
    assert config["allocation"]["n_workers"] == 1
    assert 'contrast = "auto"' in (folder / "config.toml").read_text()
    written = json.loads((folder / "summary.json").read_text())
    assert [entry["verdict"] for entry in written["images"]] == ["pass", "pass"]
    assert written["exit"] == 0


# ---- example --------------------------------------------------------------------------------------------------------


def test_example_writes_a_data_set_and_says_how_to_go_on(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(example, "write_example", lambda folder: folder.mkdir())
    assert cli.main(["example", str(tmp_path / "data")]) == 0
    assert f"bids_deepseg {tmp_path / 'data'}" in capsys.readouterr().out
    assert (tmp_path / "data").is_dir()


def test_an_example_that_cannot_be_written_ends_with_73(tmp_path, capsys, monkeypatch):
    def refuse(folder):
        raise OutputError(f"{folder} is not empty.")

    monkeypatch.setattr(example, "write_example", refuse)
    assert cli.main(["example", str(tmp_path)]) == 73
    assert "is not empty" in capsys.readouterr().err


def test_example_needs_a_folder(capsys):
    assert cli.main(["example"]) == 64
    assert "Usage: bids_deepseg example DIR" in capsys.readouterr().err
    assert cli.main(["example", "--help"]) == 0


def test_help_lists_the_other_commands_and_each_explains_itself(capsys):
    assert cli.main(["--help"]) == 0
    text = capsys.readouterr().out
    for command in cli.COMMANDS:
        line = f"bids_deepseg {command.name} {command.place}"
        assert any(row.split() == [*line.split(), *command.text.split()] for row in text.splitlines())
        assert cli.main([command.name, "--help"]) == 0
        assert f"usage: bids_deepseg {command.name}" in capsys.readouterr().out
    assert [command.name for command in cli.COMMANDS] == ["segment", "review", "viewer", "weights", "example"]


@pytest.mark.parametrize("command", cli.COMMANDS, ids=lambda command: command.name)
def test_a_line_with_a_level_is_a_run_whatever_the_name_of_its_folder(command):
    assert not command.is_called([command.name, "out", "participant"])
    assert not command.is_called(["data", command.name, "group"])
    assert command.is_called([command.name])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(
    ("words", "last"),
    [
        (["segment", "a.nii.gz"], ["ERROR: Interrupted by {}. Nothing was written."]),
        (["example", "data"], []),
    ],
    ids=["segment", "example"],
)
def test_every_command_ends_in_the_same_way_after_a_signal(capsys, monkeypatch, number, words, last):
    def interrupt(*_):
        signal.raise_signal(number)

    monkeypatch.setattr(lifecycle, "log_settings_of", interrupt)
    monkeypatch.setattr(example, "write_example", interrupt)
    assert cli.main(words) == 128 + number
    out, err = capsys.readouterr()
    assert err.splitlines() == [line.format(number.name) for line in last]
    assert ("bids_deepseg-summary" in out) == (words[0] == "segment")


def test_a_name_that_begins_with_a_hyphen_stands_behind_two(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(example, "write_example", lambda folder: folder.mkdir())
    assert cli.main(["viewer", "--", "-a.nii"]) == 65
    assert cli.main(["segment", "--", "-a.nii"]) == 66
    assert "-a.nii" in capsys.readouterr().err


def test_a_data_set_may_be_called_example(run, data, monkeypatch):
    data.rename(data.parent / "example")
    monkeypatch.chdir(data.parent)
    assert run("example", "out", "participant", *QUIET)[0] == 0
