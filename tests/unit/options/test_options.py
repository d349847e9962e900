"""Options: labels, folders, and the table of the command line against the specification."""

import pytest

from bids_deepseg.bids.image import DEFAULT_SUFFIXES
from bids_deepseg.errors import AnalysisLevelError, UsageError
from bids_deepseg.options.declare import options_of
from bids_deepseg.options.parsing import arrange, parse_arguments
from bids_deepseg.options.run import RunOptions
from bids_deepseg.options.values import read_labels


def parse(*words):
    return parse_arguments(["in", "out", "participant", *words])


# ---- labels ---------------------------------------------------------------------------------------------------------


def test_labels_with_and_without_prefix_are_the_same_and_each_counts_once():
    assert read_labels(["sub-01", "01", "sub-pilot+1"], "sub-") == ("01", "pilot+1")


def test_only_a_leading_prefix_is_taken_off():
    assert read_labels(["sub-sub01"], "sub-") == ("sub01",)
    assert read_labels(["dsub"], "sub-") == ("dsub",)


def test_a_file_stands_for_its_lines(tmp_path):
    path = tmp_path / "labels.txt"
    path.write_text("\ufeffsub-01\n\n# a comment\n 02 \r\n")
    assert read_labels([str(path), "03"], "sub-") == ("01", "02", "03")


def test_an_empty_file_of_labels_is_refused(tmp_path):
    (tmp_path / "labels.txt").write_text("\n")
    with pytest.raises(UsageError, match="is empty"):
        read_labels([str(tmp_path / "labels.txt")], "sub-")


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(UsageError, match="cannot be read"):
        read_labels([str(tmp_path / "labels.txt")], "sub-")


@pytest.mark.parametrize("label", ["", "sub-", "a_b", "a-b", "../x"])
def test_what_is_no_label_is_refused(label):
    with pytest.raises(UsageError, match="is not a label"):
        read_labels([label], "sub-")


# ---- folders --------------------------------------------------------------------------------------------------------


def options(source, target, **more):
    return RunOptions(bids_dir=source, output_dir=target, levels=("participant",), **more)


def test_the_output_may_not_be_the_input_however_it_is_written(tmp_path):
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "in")
    for target in (tmp_path / "in", tmp_path / "in" / ".", tmp_path / "x" / ".." / "in", link):
        with pytest.raises(UsageError, match="is the input folder"):
            options(tmp_path / "in", target)


def test_the_output_may_not_lie_inside_of_a_subject(tmp_path):
    with pytest.raises(UsageError, match="inside a participant's folder"):
        options(tmp_path, tmp_path / "sub-01" / "out")


def test_the_output_may_lie_in_the_derivatives_of_the_input(tmp_path):
    assert options(tmp_path, tmp_path / "derivatives" / "out").output_dir.name == "out"


def test_the_work_folder_may_not_lie_inside_of_the_input(tmp_path):
    with pytest.raises(UsageError, match=r"work folder .* lies inside the input"):
        options(tmp_path / "in", tmp_path / "out", work_dir=tmp_path / "in" / "work")


# ---- table ----------------------------------------------------------------------------------------------------------

ALIASES = {
    "participants": ["--participant-label", "--participant-labels", "--subject-label"],
    "exclude_participants": ["--exclude-participant-label"],
    "sessions": ["--session-label", "--session-id"],
    "suffixes": ["--suffix"],
    "n_cpus": ["--n-cpus", "--nprocs", "--nthreads", "--n-procs"],
    "omp_nthreads": ["--omp-nthreads"],
}


@pytest.mark.parametrize(("name", "flag"), [(name, flag) for name, flags in ALIASES.items() for flag in flags])
def test_every_spelling_of_an_option_with_a_value(name, flag):
    number = name in ("n_cpus", "omp_nthreads")
    for spelling in (flag, "--" + flag[2:].replace("-", "_")):
        for words in ([spelling, "3"], [f"{spelling}=3"]):
            assert getattr(parse(*words), name) == (3 if number else ("3",))


def spellings(*flags):
    return [s for flag in flags for s in {flag, "--" + flag[2:].replace("-", "_")}]


@pytest.mark.parametrize("flag", spellings("--skip-bids-validation", "--skip-bids-validator"))
def test_every_spelling_of_no_validation(flag):
    assert parse(flag).validation == "off"


@pytest.mark.parametrize("flag", spellings("--bids-validation"))
@pytest.mark.parametrize("value", ["error", "warn", "off"])
def test_validation(flag, value):
    assert parse(flag, value).validation == value
    assert parse().validation == "warn"


@pytest.mark.parametrize("words", [["-w", "x"], ["-wx"], ["--work-dir", "x"], ["--work_dir=x"]])
def test_every_spelling_of_the_work_folder(words):
    assert str(parse(*words).work_dir) == "x"


@pytest.mark.parametrize(
    ("words", "expected"),
    [([], 0), (["-v"], 1), (["-vv"], 2), (["-v", "-v"], 2), (["--verbose"], 1), (["-q"], -1), (["--quiet"], -1)],
)
def test_verbosity(words, expected):
    assert parse(*words).verbosity == expected


@pytest.mark.parametrize("contrast", ["auto", "t1", "t2", "t2s", "dwi"])
def test_contrast(contrast):
    assert parse("--contrast", contrast).contrast == contrast


def test_other_switches_and_defaults():
    plain = parse()
    assert (plain.rerun, plain.on_missing, plain.contrast) == (("missing", "changed"), "warn", "auto")
    assert (plain.stop_on_first_crash, plain.debug, plain.suffixes, plain.participants) == (False, False, (), ())
    for spelling in spellings("--stop-on-first-crash"):
        assert parse(spelling).stop_on_first_crash
    for spelling in spellings("--on-missing"):
        assert parse(spelling, "error").on_missing == "error"
    assert parse("--rerun", "all").rerun == ("all",)
    assert parse("--rerun", "failed", "changed", "--rerun", "failed").rerun == ("failed", "changed")
    assert parse("--debug").debug
    assert parse("--notrack") == plain


def test_labels_may_be_repeated_and_listed():
    words = ["--participant-label", "01", "sub-02", "--participant_label", "03", "--session-id", "ses-pre"]
    assert parse(*words).participants == ("01", "02", "03")
    assert parse(*words).sessions == ("pre",)


def test_the_help_names_the_suffixes_that_are_the_default():
    (suffix,) = [option for option in options_of(RunOptions) if option.names == ("--suffix",)]
    assert " ".join(DEFAULT_SUFFIXES) in suffix.text


def test_no_two_options_share_a_spelling():
    every = [spelling for option in options_of(RunOptions) for spelling in option.spellings]
    assert len(set(every)) == len(every)


@pytest.mark.parametrize(
    ("words", "megabytes"),
    [
        (["--mem", "1.5G"], 1500),
        (["--mem", "4g"], 4000),
        (["--mem", "4 GB"], 4000),
        (["--mem=500MiB"], 524.288),
        (["--mem", "4000"], 4000),
        (["--mem_mb", "4000"], 4000),
        (["--mem-mb", "2g"], 2000),
        (["--mem-gb", "4"], 4000),
        (["--mem_gb", ".5"], 500),
        (["--mem", "2ti"], 2 * 2**40 / 1e6),
        (["--mem", "800000kb"], 800),
    ],
)
def test_every_spelling_of_memory(words, megabytes):
    assert parse(*words).memory == round(megabytes * 1e6)


def test_links_are_names_and_addresses():
    found = parse("--dataset-link", "raw=doi:10.1/x", "atlas=https://example.org/?a=b").links
    assert found == {"raw": "doi:10.1/x", "atlas": "https://example.org/?a=b"}


@pytest.mark.parametrize(
    ("flag", "name", "value"),
    [
        ("--no-probseg", "probseg", False),
        ("--no-centerline", "centerline", False),
        ("--keep-work", "keep_work", True),
        ("--clean-workdir", "clean_work", True),
        ("--dry-run", "dry_run", True),
        ("--reports-only", "reports_only", True),
        ("--no-progress", "progress", False),
    ],
)
def test_switches(flag, name, value):
    assert getattr(parse(), name) is not value
    for spelling in spellings(flag):
        assert getattr(parse(spelling), name) is value


def test_values():
    found = parse("--log_format", "json", "--device=auto", "--random_seed", "7", "--bids_filter_file", "f.json")
    assert (found.log_format, found.device, found.seed, str(found.filter_file)) == ("json", "auto", 7, "f.json")
    assert (parse().log_format, parse().device, parse().memory, parse().seed) == ("text", "cpu", None, None)


# ---- order ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "in out participant --participant-label 01 02 --n-cpus 2",
        "--participant-label 01 02 --n-cpus 2 in out participant",
        "--n-cpus 2 --participant-label 01 02 in out participant",
        "in --n-cpus 2 out --participant-label 01 02 participant",
        "in out --participant-label 01 02 --n-cpus 2 -- participant",
        "in --participant-label=01 --participant_label 02 out participant --nprocs=2",
        "-q --participant-label 01 02 --n-cpus 2 -- in out participant",
    ],
)
def test_options_may_stand_anywhere(words):
    found = parse_arguments(words.split())
    assert (str(found.bids_dir), str(found.output_dir), found.levels) == ("in", "out", ("participant",))
    assert (found.participants, found.n_cpus) == (("01", "02"), 2)


def test_both_levels_in_any_order_and_place():
    for words in ("in out group participant", "--suffix T2w in out participant group", "in -q out participant group"):
        assert parse_arguments(words.split()).levels == ("participant", "group")


def test_labels_are_not_taken_for_folders_without_need():
    assert arrange(["in", "out", "participant", "--suffix", "T1w", "T2w"], RunOptions)[-3:] == [
        "--suffix",
        "T1w",
        "T2w",
    ]


# ---- refusals -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--partcipant-label", "01"], "'--partcipant-label' does not exist; did you mean '--participant-label'"),
        (["--n-cpus", "0"], "--n-cpus is 0"),
        (["--n-cpus", "-3"], "--n-cpus is -3"),
        (["--n-cpus", "many"], "'many' is not a number"),
        (["--n-cpus"], "expected one argument"),
        (["--participant-label"], "expected at least one argument"),
        (["--contrast", "flair"], "invalid choice: 'flair'"),
        (["--rerun", "some"], "invalid choice: 'some'"),
        (["--mem", "4x"], "'4x' is not an amount of memory. Give one like 1.5G, 4g, '4 GB', 500MiB or 4000 (MB)"),
        (["--mem", "0"], "is not an amount of memory"),
        (["--mem", "1G", "--mem-gb", "1"], "contradict each other"),
        (["--dataset-link", "raw"], "'raw' is not a link. NAME=URI"),
        (["--dataset-link", "a-b=x"], "is not a link"),
        (["--device", "tpu"], "invalid choice: 'tpu'"),
        (["--random-seed", "x"], "is not a number"),
        (["--dry-run", "--reports-only"], "without --reports-only"),
        (["--part", "01"], "'--part' does not exist"),
        (["--skip-bids-validation", "--bids-validation", "error"], "contradict each other"),
        (["--participant-label", "a/b"], "'a/b' is not a label"),
    ],
)
def test_wrong_options_are_refused_with_the_reason(words, text):
    with pytest.raises(UsageError) as caught:
        parse(*words)
    assert text in str(caught.value)
    assert caught.value.exit_code == 64


def test_too_few_words_are_refused():
    with pytest.raises(UsageError, match="required: output_dir, levels"):
        parse_arguments(["in"])


def test_an_unknown_level_has_a_code_of_its_own():
    with pytest.raises(AnalysisLevelError, match=r"'participants' does not exist\. Choose from: participant, group"):
        parse_arguments(["in", "out", "participants"])
    assert AnalysisLevelError.exit_code == 17
