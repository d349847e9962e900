"""Text files of a data set in any encoding and with any content: used, or named, and never the end of a run."""

import json
import os

import pytest

from bids_deepseg.files.tables import read_rows
from tests.helpers.fake_engine import write_dataset

PEOPLE = "participant_id\tage\tsite\nsub-01\t33\tMontréal\n"
DESCRIPTION = (
    '{"Name": "Étude", "BIDSVersion": "1.9.0", "License": "CC0", "Authors": ["A B"], "DatasetDOI": "doi:10.1234/x"}'
)
ECHO = "sub-01/anat/sub-01_echo-1_T2starw"
IMAGE = "sub-01/anat/sub-01_T2w"


@pytest.fixture
def data(tmp_path):
    return write_dataset(tmp_path / "in", IMAGE)


def described(folder):
    return json.loads((folder / "dataset_description.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be", "utf-32", "latin-1"])
def test_participants_are_joined_in_any_encoding_at_both_levels(run, data, tmp_path, encoding):
    out = tmp_path / "out"
    (data / "participants.tsv").write_bytes(PEOPLE.encode(encoding))
    code, err, _ = run(data, out, "participant")
    assert code == 0
    assert err.count("is not UTF-8 and was read as Latin-1") == (encoding == "latin-1")
    (row,) = read_rows(out / "participants.tsv")
    assert (row["age"], row["site"]) == ("33", "Montréal")
    (out / "sourcedata").mkdir()
    (out / "sourcedata" / "participants.tsv").write_bytes(PEOPLE.encode(encoding))
    code, err, _ = run(data, out, "group")
    assert "no participants.tsv" not in err.lower()
    (row,) = read_rows(out / "group_label-SC_morph.tsv")
    assert (row["age"], row["site"]) == ("33", "Montréal")


@pytest.mark.parametrize("content", [b"\0\1\2" * 50, b"", b"age\tsite\n33\tx\n", b"\xff\xfea"])
def test_participants_that_cannot_be_used_are_named_once(run, data, tmp_path, content):
    (data / "participants.tsv").write_bytes(content)
    code, err, _ = run(data, tmp_path / "out", "participant", "group")
    assert code == 0
    assert err.count(str(data / "participants.tsv")) == 1


def test_participants_without_prefix_and_with_spaces_are_matched(run, data, tmp_path):
    (data / "participants.tsv").write_bytes(b"\xef\xbb\xbf participant_id \t age \r\n 01 \t 33 \r\n")
    run(data, tmp_path / "out", "participant")
    (row,) = read_rows(tmp_path / "out" / "participants.tsv")
    assert row["age"] == "33"


@pytest.mark.parametrize("char", "\x0b\x0c\x1c\x85\u2028")
def test_a_cell_may_hold_any_character_that_ends_no_line(run, data, tmp_path, char):
    (data / "participants.tsv").write_bytes(f"participant_id\tnote\tage\nsub-01\ta{char}b\t33\n".encode())
    run(data, tmp_path / "out", "participant")
    (row,) = read_rows(tmp_path / "out" / "participants.tsv")
    assert (row["note"], row["age"]) == ("a b", "33")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_the_description_of_the_source_is_taken_over_in_any_encoding(run, data, tmp_path, encoding):
    (data / "dataset_description.json").write_bytes(DESCRIPTION.encode(encoding))
    code, err, _ = run(data, tmp_path / "out", "participant")
    assert code == 0
    assert err.count("WARNING") == (encoding == "latin-1")
    written = described(tmp_path / "out")
    assert written["Name"] == "bids_deepseg outputs for Étude"
    assert (written["License"], written["Authors"]) == ("CC0", ["A B"])
    assert written["SourceDatasets"][0]["DOI"] == written["DatasetLinks"]["raw"] == "doi:10.1234/x"


@pytest.mark.parametrize(
    ("authors", "expected"),
    [("Jane Doe, John Roe", ["Jane Doe, John Roe"]), ({"a": 1}, None), (5, None), (["A", 3, None, ["B"]], ["A"])],
)
def test_authors_of_any_type(run, data, tmp_path, authors, expected):
    (data / "dataset_description.json").write_text(
        json.dumps({"Name": ["x"], "BIDSVersion": 1.9, "License": {}, "DatasetDOI": True, "Authors": authors})
    )
    code, _, _ = run(data, tmp_path / "out", "participant")
    written = described(tmp_path / "out")
    assert code == 0
    assert written.get("Authors") == expected
    assert written["Name"] == "bids_deepseg outputs"
    assert not {"License", "SourceDatasets"} & set(written)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", '"0.01"', "true", "[0.01]", "null", "0", "9" * 400])
def test_an_echo_time_that_is_none_is_left_out(run, tmp_path, value):
    data = write_dataset(tmp_path / "in", ECHO)
    (data / f"{ECHO}.json").write_text(f'{{"EchoTime": {value}}}')
    code, err, _ = run(data, tmp_path / "out", "participant")
    assert code == 0, err
    sidecar = json.loads(next((tmp_path / "out").rglob("*_label-SC_*_mask.json")).read_text())
    assert "EchoTime" not in sidecar


@pytest.mark.parametrize("levels", ['{"a": NaN}', '{"a": "\\ud800"}', '{"a": 5}', '"a"', '{"a": [["x"]]}'])
def test_levels_that_cannot_be_written_are_left_out(run, data, tmp_path, levels):
    (data / "participants.tsv").write_text("participant_id\tgrp\nsub-01\ta\n")
    (data / "participants.json").write_text(f'{{"grp": {{"Description": "g", "Levels": {levels}}}}}')
    code, err, _ = run(data, tmp_path / "out", "participant")
    assert code == 0, err
    told = json.loads((tmp_path / "out" / "participants.json").read_text())
    assert told["grp"] == {"Description": "g"}
    assert (tmp_path / "out" / "sub-01.html").is_file()


@pytest.mark.parametrize("name", ["participants.json", "dataset_description.json", "T2starw.json"])
def test_deeply_nested_json_is_passed_over_and_named_once(run, tmp_path, name):
    data = write_dataset(tmp_path / "in", ECHO, ECHO.replace("echo-1", "echo-2"))
    (data / "participants.tsv").write_text("participant_id\tgrp\nsub-01\ta\n")
    (data / name).write_text('{"a":' * 100_000)
    code, err, _ = run(data, tmp_path / "out", "participant")
    assert code == 0, err
    assert err.count("nested more than") == 1
    assert str(data / name) in err


@pytest.mark.parametrize(
    ("option", "text"),
    [
        ("--bids-filter-file", '{"t2w":' * 100_000),
        ("--bids-filter-file", '{"t2w": {"run": NaN}}'),
        ("--bids-filter-file", '{"t2w": {"run": "1"}, "t2w": {}}'),
        ("--config-file", "mem = " + "[" * 3000 + "]" * 3000 + "\n"),
        ("--config-file", "a." * 5000 + "b = 1\n"),
        ("--config-file", "a\0b = 1\n"),
        ("--participant-label", "01\n\0\n"),
    ],
)
def test_files_of_the_user_that_cannot_be_read_end_with_64(run, data, tmp_path, option, text):
    (tmp_path / "file").write_text(text)
    code, err, summary = run(data, tmp_path / "out", "participant", option, tmp_path / "file")
    assert (code, summary["exit"]) == (64, 64)
    assert str(tmp_path / "file") in err


@pytest.mark.parametrize("name", ["participants.tsv", "participants.json", "dataset_description.json", "T2w.json"])
def test_a_pipe_under_the_name_of_a_text_file_is_not_waited_for(run, data, tmp_path, name):
    (data / name).unlink(missing_ok=True)
    os.mkfifo(data / name)
    (data / "participants.tsv").exists() or (data / "participants.tsv").write_text("participant_id\tx\nsub-01\ta\n")
    code, err, _ = run(data, tmp_path / "out", "participant")
    if name == "T2w.json":
        # It is read for images with echo- only.
        assert code == 0
    else:
        assert code in (0, 66)
        assert code == 66 or err.count("it is not an ordinary file") == 1


def test_one_warning_for_an_inherited_file_of_many_images_in_many_processes(run, tmp_path):
    names = [f"sub-{n:02}/anat/sub-{n:02}_echo-1_T2starw" for n in range(1, 7)]
    data = write_dataset(tmp_path / "in", *names)
    (data / "T2starw.json").write_bytes('{"EchoTime": 0.01, "InstitutionName": "Hôpital"}'.encode("latin-1"))
    code, err, _ = run(data, tmp_path / "out", "participant", options=("--skip-bids-validation", "--n-cpus", "3"))
    assert code == 0
    sidecars = list((tmp_path / "out").rglob("*_label-SC_*_mask.json"))
    assert [json.loads(path.read_text())["EchoTime"] for path in sidecars] == [0.01] * 6
    assert err.count("was read as Latin-1") <= 1
    told = [line for path in (tmp_path / "out").glob("logs/*/run*.log") for line in path.read_text().splitlines()]
    assert sum("was read as Latin-1" in line for line in told) == 1
