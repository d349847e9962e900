"""Values of the command line that no program expects: each ends with a known code and the last line."""

import json
import re
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bids_deepseg.cli import main as cli
from bids_deepseg.errors import UsageError
from bids_deepseg.execution import resources
from bids_deepseg.options.declare import options_of
from bids_deepseg.options.parsing import parse_arguments
from bids_deepseg.options.run import RunOptions
from bids_deepseg.options.values import parse_memory, read_labels
from tests.helpers.fake_engine import FakeEngine, summary_of, write_dataset

CODES = {0, 1, 16, 17, 18, 64, 65, 66, 73, 74, 75, 78}

LONG = "a" * 300

ODD = (
    *("", " ", "-", "--", ".", "*", "**", "[", "a**b", "\n", "\x1b[31m", "\udce9", "é", "日本", LONG, "b/" * 3000),
    *("inf", "nan", "-inf", "1_000", "٤", "²", "1e400", "9" * 5000, "-1", "0", "0.5_0", "1e3", "+5", " 4 "),
    *("sub-01", "01 02", "01,02", "participant", "group", "sub-", "=", "a=b", "x\0y", "~", "$HOME", "%s", "{}"),
)


@pytest.fixture
def run(tmp_path, capsys, monkeypatch):
    """Return a function that runs the app in an empty folder and returns code, error text and summary."""
    monkeypatch.setattr(resources, "_affinity", lambda: 1)
    monkeypatch.chdir(tmp_path)
    write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")

    def run(*words):
        code = cli.main([str(word) for word in words], engine=FakeEngine())
        out, err = capsys.readouterr()
        summary = summary_of(out)
        assert summary["exit"] == code
        assert code in CODES, err
        assert "Traceback" not in err
        return code, err, summary

    return run


WITH_VALUE = [option for option in options_of(RunOptions) if option.count != "none"]


@pytest.mark.parametrize("option", WITH_VALUE, ids=lambda option: option.names[0])
def test_every_option_with_every_odd_value_ends_with_the_last_line(run, option):
    for value in ODD:
        run("in", "out", "participant", "--dry-run", f"{option.names[0]}={value}")


@pytest.mark.parametrize("position", [0, 1, 2])
def test_every_odd_word_in_place_of_a_folder_or_level_ends_with_the_last_line(run, position):
    for value in ODD:
        words = ["in", "out", "participant"]
        words[position] = value
        run(*words, "--skip-bids-validation", "--dry-run")


@pytest.mark.parametrize("value", ["x\0y", LONG, "", "\udce9", "in"])
def test_odd_images_and_folders_of_segment_end_with_the_last_line(run, value):
    assert run("segment", value, "-o", "s")[0] in (64, 66)
    assert run("segment", "in/sub-01/anat/sub-01_T2w.nii.gz", "-o", value)[0] in (0, 64, 73)


WORDS = st.lists(
    st.one_of(
        st.sampled_from([name for option in options_of(RunOptions) for name in option.spellings if name != "--help"]),
        st.sampled_from(["in", "out", "participant", "group", "segment", "sub-01", "01", "1", *ODD]),
        st.text(max_size=8),
    ),
    max_size=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(WORDS)
def test_any_words_end_with_a_known_code_and_the_last_line(run, words):
    if words[:1] in (["viewer"], ["weights"], ["example"], ["-h"]) or {"-h", "--version"} & set(words):
        return
    run(*words, "--dry-run")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--participant-label", " ".join(f"s{n}" for n in range(70))], "Separate them by spaces, without quotes"),
        (["--session-label", "pre,post"], "Separate them by spaces, without quotes"),
        (["--participant-label", "é"], "'é' is not a label"),
        (["--corrections", LONG], "does not exist"),
        (["--mem", "9" * 400 + "G"], "is not an amount of memory"),
        (["--n-cpus", "1_000"], "'1_000' is not a number"),
        (["--n-cpus", "٤"], "'٤' is not a number"),
        (["--threshold", "nan"], "A number from 0 to 1"),
        (["--threshold", "0.5_0"], "A number from 0 to 1"),
        (["--volume", "²"], "a number from 0"),
        (["--work-dir", ""], "it is empty"),
        (["-d", LONG], "does not exist"),
        (["--bids-filter-file", LONG], "cannot be read"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)  # fmt: skip
def test_wrong_values_are_refused_with_the_reason(run, words, told):
    code, err, _ = run("in", "out", "participant", *words, "--dry-run")
    assert (code, told in err) == (64, True), err


def test_an_empty_folder_name_is_not_the_current_folder(run):
    assert run("", "out", "participant")[0] == 64
    assert run("in", "", "participant")[0] == 64


def test_nul_in_a_configuration_is_refused(run, tmp_path):
    (tmp_path / "n.toml").write_text('bids_dir = "a\\u0000b"\noutput_dir = "o"\nanalysis_level = "participant"\n')
    code, err, _ = run("--config-file", "n.toml")
    assert (code, "NUL" in err) == (64, True)


def test_a_superscript_in_a_filter_is_a_value_like_any_other(run, tmp_path):
    (tmp_path / "f.json").write_text(json.dumps({"t2w": {"run": "²"}}))
    write_dataset(tmp_path / "in", "sub-01/anat/sub-01_run-1_T2w")
    code, err, _ = run("in", "out", "participant", "--bids-filter-file", "f.json", "--dry-run")
    assert code == 18
    assert "run" in err


@given(st.text(max_size=30))
def test_a_label_is_letters_and_digits_of_ascii(text):
    try:
        (label,) = read_labels([text], "sub-")
    except UsageError:
        assert not re.fullmatch("(sub-)?[a-zA-Z0-9+]+", text)
    else:
        assert re.fullmatch("[a-zA-Z0-9+]+", label)


@given(st.text(max_size=20))
def test_memory_is_a_positive_number_of_bytes_or_refused(text):
    with suppress(UsageError):
        assert 1 <= parse_memory(text) < 1e18


def test_names_of_temporary_files_are_no_patterns(run, tmp_path):
    for name in ("a**b", "[x]", "*"):
        (tmp_path / f"{name}.nii.gz").write_bytes((tmp_path / "in/sub-01/anat/sub-01_T2w.nii.gz").read_bytes())
        assert run("segment", f"{name}.nii.gz", "-o", "s", "--no-report")[0] == 0
        assert (tmp_path / "s" / f"{name}_label-SC_mask.nii.gz").exists()


@pytest.mark.parametrize(
    ("words", "kind", "near"),
    [
        (["--session-label", "pre", "pots"], "session pots", "post"),
        (["--participant-label", "01", "1"], "participant 1", "01"),
        (["--exclude-participant-label", "10"], "participant to leave out 10", "01"),
        (["--suffix", "T2w", "T1W"], "suffix T1W", "T1w"),
    ],
)
def test_typos_are_named_by_runs_and_dry_runs_and_can_be_errors(run, tmp_path, words, kind, near):
    names = (f"sub-01/ses-{s}/anat/sub-01_ses-{s}_T2w" for s in ("pre", "post"))
    write_dataset(tmp_path / "in", *names, "sub-01/anat/sub-01_T1w")
    call = ["in", "out", "participant", "--skip-bids-validation", *words]
    for mode in (["--dry-run"], []):
        code, err, _ = run(*call, *mode)
        assert (code, f"{kind} (nearest: {near})" in err) == (0, True), err
        assert run(*call, *mode, "--on-missing", "error")[0] == 18


def test_the_default_of_an_option_is_kept_by_its_type():
    options = parse_arguments(["in", "out", "participant", "--n-cpus", "4", "--random-seed=-5", "--threshold", ".5"])
    assert (options.n_cpus, options.seed, options.settings.threshold) == (4, -5, 0.5)
