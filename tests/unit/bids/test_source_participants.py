"""Columns of the source's participants.tsv in the results."""

import json

import pytest

from bids_deepseg.bids.source.participants import read_source_participants

TABLE = (
    "participant_id\tage\tsex\tdate_of_scan\tacq_time\tvisit\tgroup\ttime_since_injury\tqc\n"
    "sub-01\t30\tF\tn/a\tx\t2020-01-31\tpatient\t12\tgood\n"
    "sub-02\t41\tM\tn/a\tx\tn/a\tcontrol\tn/a\t\n"
)


def test_dates_are_left_out_by_name_and_by_value(tmp_path):
    (tmp_path / "participants.tsv").write_text(TABLE)
    participants = read_source_participants(tmp_path)
    assert list(participants.columns) == ["age", "sex", "group", "time_since_injury", "qc"]
    assert (
        participants.value("sub-01", "age"),
        participants.value("sub-02", "qc"),
        participants.value("sub-03", "age"),
    ) == (*("30", "n/a", "n/a"),)


@pytest.mark.parametrize("value", ["1990-02", "1990-02-03", "3.2.1990", "03/02/90", "19900203", "2020-01-31T10:00:00"])
def test_a_single_date_removes_the_column(tmp_path, value):
    (tmp_path / "participants.tsv").write_text(f"participant_id\tx\tweight\nsub-01\t5\t70.5\nsub-02\t{value}\t61\n")
    assert list(read_source_participants(tmp_path).columns) == ["weight"]


def test_descriptions_are_taken_as_far_as_they_are_valid(tmp_path):
    (tmp_path / "participants.tsv").write_text(TABLE)
    told = {"age": {"Description": "Age", "Units": "year", "Secret": 1, "Levels": "none"}, "sex": "F or M"}
    (tmp_path / "participants.json").write_text(json.dumps(told))
    columns = read_source_participants(tmp_path).columns
    assert columns["age"] == {"Description": "Age", "Units": "year"}
    assert columns["sex"] == {"Description": "Column sex of participants.tsv of the source"}


def test_no_table_has_no_columns(tmp_path):
    assert read_source_participants(tmp_path).columns == {}
    (tmp_path / "participants.tsv").write_text("")
    assert read_source_participants(tmp_path).columns == {}


def test_rows_of_one_participant_and_a_missing_column_are_told(tmp_path, caplog):
    path = tmp_path / "participants.tsv"
    path.write_text("participant_id\tage\nsub-01\t1\n01\t2\nn/a\t3\n")
    assert read_source_participants(tmp_path).rows == {"sub-01": {"participant_id": "01", "age": "2"}}
    assert "several rows for sub-01" in caplog.text
    path.write_text("id\tage\n01\t2\n")
    assert read_source_participants(tmp_path).columns == {}
    assert "has no column participant_id" in caplog.text


def test_levels_may_be_texts_or_objects_of_texts(tmp_path):
    (tmp_path / "participants.tsv").write_text("participant_id\tgrp\nsub-01\ta\n")
    levels = {"a": "A", "b": {"Description": "B", "TermURL": "https://x", "n": 1}, "c": 5, "d": {}}
    (tmp_path / "participants.json").write_text(json.dumps({"grp": {"Levels": levels}}))
    expected = {"a": "A", "b": {"Description": "B", "TermURL": "https://x"}}
    assert read_source_participants(tmp_path).columns["grp"]["Levels"] == expected
