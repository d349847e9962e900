"""The configuration file: what is written is read back, and the command line wins."""

import tomllib

import pytest

from bids_deepseg.errors import UsageError
from bids_deepseg.options.config_file import write_config
from bids_deepseg.options.declare import options_of, toml_values
from bids_deepseg.options.parsing import parse_arguments
from bids_deepseg.options.run import RunOptions

#: Options that are written by another name, or that say nothing of a run.
NOT_WRITTEN = {"config_file", "notrack", "skip_bids_validation", "mem_gb"}


@pytest.fixture
def config(tmp_path):
    """Return a function that writes a configuration file and returns the options of the words that name it."""

    def parse(text, *words):
        path = tmp_path / "config.toml"
        path.write_text(text)
        return parse_arguments([*(words or ("in", "out", "participant")), "--config-file", str(path)])

    return parse


def test_every_option_is_written():
    written = set(toml_values(parse_arguments(["in", "out", "participant"])))
    folders = {"bids_dir", "output_dir", "analysis_level"}
    assert {option.destination for option in options_of(RunOptions)} - NOT_WRITTEN == written - folders


@pytest.mark.parametrize(
    "words",
    [
        "",
        "group --participant-label sub-01 02 --exclude-participant-label 03 --session-label pre --suffix T1w T2w",
        "--contrast t2s --on-missing error --bids-filter-file /f.json --bids-validation error --n-cpus 3 -w /work -vv",
        "--omp-nthreads 1 --keep-work --mem 1.3GiB --clean-workdir --device auto --random-seed 0 --rerun failed",
        "--stop-on-first-crash --no-probseg --no-centerline --dataset-link raw=doi:10.1/x a=b=c --log-format json",
        "--no-progress -q --debug --skip-bids-validation --reports-only --rerun all",
        "--centerline svm --kernel 3d --threshold 0.3",
        "--method propseg",
        "--centerline viewer --centerline-file / --threshold soft",
        "--brain no --weights sct --weights-dir /w",
        "--profile sct --weights-dir /w --sct-quirks all --kernel 3d",
    ],
)
def test_what_is_written_gives_the_same_options(tmp_path, words):
    options = parse_arguments(["/in", "/out", "participant", *words.split()])
    write_config(options, tmp_path / "config.toml")
    assert parse_arguments(["--config-file", str(tmp_path / "config.toml")]) == options


def test_folders_are_written_in_full(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_config(parse_arguments(["in", "out", "participant"]), tmp_path / "config.toml")
    content = tomllib.loads((tmp_path / "config.toml").read_text())
    assert (content["bids_dir"], content["analysis_level"]) == (str(tmp_path / "in"), ["participant"])


def test_the_command_line_wins(config):
    text = 'participant_label = ["01", "02"]\nn-cpus = 4\nquiet = true\nmem = "4G"\nbids_validation = "error"\n'
    assert config(text).participants == ("01", "02")
    words = "in out participant --participant-label 03 --nprocs 2 -v --mem-gb 1 --skip-bids-validation"
    found = config(text, *words.split())
    assert (found.participants, found.n_cpus, found.verbosity) == (("03",), 2, 1)
    assert (found.memory, found.validation) == (10**9, "off")


def test_other_names_and_numbers_are_understood(config):
    found = config("subject-label = [1, 2]\nnthreads = 2\nrerun = 'all'\nverbose = 2\nsuffix = []\ndebug = false\n")
    assert (found.participants, found.n_cpus, found.rerun, found.verbosity) == (("1", "2"), 2, ("all",), 2)
    assert (found.suffixes, found.debug) == ((), False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("particpant_label = ['01']", "'particpant_label', which is not an option; did you mean 'participant_label'"),
        ("config_file = 'x'", "'config_file', which is not an option"),
        ("zzzz = 1", "--help lists the options"),
        ("n_cpus = 2\nnthreads = 3", "twice"),
        ("n_cpus = 'many'", "is not a number"),
        ("n_cpus = [1, 2]", "One value is expected"),
        ("no_probseg = 1", "true or false is expected"),
        ("contrast = true", "A text, a number or a list is expected"),
        ("[section]\nn_cpus = 2", "'section', which is not an option"),
        ("n_cpus = ", "cannot be read"),
    ],
)
def test_wrong_files_are_refused_with_the_reason(config, text, message):
    with pytest.raises(UsageError) as caught:
        config(text)
    assert message in str(caught.value)
    assert caught.value.exit_code == 64


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        parse_arguments(["in", "out", "participant", f"--config_file={tmp_path / 'none.toml'}"])
