"""One damaged result costs itself only: it is named, the rows and pages of all others are written, the code is 65."""

import json
import os
import shutil

import pytest

from bids_deepseg.cli import main as cli
from bids_deepseg.files.tables import read_rows
from tests.helpers.fake_engine import FakeEngine, write_dataset

RESULT = "sub-01/anat/sub-01_space-orig_label-SC_desc-T2w"
OTHER = "sub-01/anat/sub-01_space-orig_label-SC_desc-T1w"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return a data set and its results."""

    folder = tmp_path_factory.mktemp("finished")
    write_dataset(folder / "in", "sub-01/anat/sub-01_T2w", "sub-01/anat/sub-01_T1w", "sub-02/anat/sub-02_T2w")
    words = [str(folder / "in"), str(folder / "out"), "participant", "--skip-bids-validation", "-q", "--n-cpus", "1"]
    assert cli.main(words, engine=FakeEngine()) == 0
    return folder


@pytest.fixture
def copy(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "copy")
    return tmp_path / "copy"


def change_json(path, **changes):
    content = json.loads(path.read_text())
    for name, value in changes.items():
        node, keys = content, name.split("__")
        for key in keys[:-1]:
            node = node[key]
        node[keys[-1]] = value
    path.write_text(json.dumps(content))


def add_level(path, level):
    first, *lines = path.read_text().splitlines()
    path.write_text("\n".join([f"{first}\tvertebral_level", *(f"{line}\t{level}" for line in lines)]) + "\n")


def replace(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


TABLES = {
    "empty": lambda path: path.write_text(""),
    "cut off": lambda path: os.truncate(path, 300),
    "cut off at a line": lambda path: path.write_text("".join(path.read_text().splitlines(keepends=True)[:-2])),
    "level 26": lambda path: add_level(path, 26),
    "level -1": lambda path: add_level(path, -1),
    "level 0": lambda path: add_level(path, 0),
    "level 2.5": lambda path: add_level(path, 2.5),
    "another column": lambda path: replace(path, "area_mm2", "area"),
    "a word": lambda path: replace(path, "n/a" if "n/a" in path.read_text() else "0.", "x"),
    "decimal commas": lambda path: path.write_text(path.read_text().replace(".", ",")),
    "binary": lambda path: path.write_bytes(b"\0\1\2"),
    "folder": lambda path: (path.unlink(), path.mkdir()),
    "gone": lambda path: path.unlink(),
    "no row": lambda path: path.write_text(path.read_text().splitlines()[0] + "\n"),
}

TRIED = {"Method": "PropSeg", "Verdict": "warn", "Score": 0.5, "Reasons": [], "Kept": True}

SIDECARS = {
    "empty": lambda path: path.write_text(""),
    "deep": lambda path: path.write_text("[" * 100_000),
    "a list": lambda path: path.write_text("[]"),
    "verdict a list": lambda path: change_json(path, QC__Verdict=[]),
    "verdict a word": lambda path: change_json(path, QC__Verdict="good"),
    "message a number": lambda path: change_json(path, QC__Reasons=[{"Code": 1, "Severity": "warn", "Message": 5}]),
    "reasons a text": lambda path: change_json(path, QC__Reasons="none"),
    "judged null": lambda path: change_json(path, QC=None),
    "area NaN": lambda path: change_json(path, Measures__MeanArea_mm2=float("nan")),
    "area a text": lambda path: change_json(path, Measures__MeanArea_mm2="78"),
    "area too large": lambda path: change_json(path, Measures__MeanArea_mm2=1e300),
    "slices infinite": lambda path: change_json(path, Measures__Slices=float("inf")),
    "slices true": lambda path: change_json(path, Measures__Slices=True),
    "sources a number": lambda path: change_json(path, Sources=5),
    "sources empty": lambda path: change_json(path, Sources=[]),
    "models a list of texts": lambda path: change_json(path, Model=["x"]),
    "options a list": lambda path: change_json(path, Options=[1]),
    "volume a word": lambda path: change_json(path, Options__volume="last"),
    "makers a text": lambda path: change_json(path, GeneratedBy="me"),
    "rescue of numbers": lambda path: change_json(path, Rescue=[1]),
    "rescue with an odd extent": lambda path: change_json(path, Rescue=[TRIED | {"Extent": [[1, 2]]}]),
    "rescue with a negative extent": lambda path: change_json(path, Rescue=[TRIED | {"Extent": [[1, 2, 3, -4, 5]]}]),
    "a name twice": lambda path: replace(path, '"QC"', '"QC": {}, "QC"'),
    "gone": lambda path: path.unlink(),
}


def check_group(run, copy, damaged):
    code, err, summary = run(copy / "in", copy / "out", "group")
    assert (code, summary["failed"]) == (65, 1), err
    assert "damaged or was changed" in err
    rows = {row["image"].rpartition("/")[2]: row for row in read_rows(copy / "out" / "group_label-SC_morph.tsv")}
    assert len(rows) == 3
    (row,) = (row for row in rows.values() if row["verdict"] == "n/a")
    assert (row["participant_id"], row["desc"], row["area_mean_mm2"]) == ("sub-01", "T2w", "n/a")
    assert row["reasons"].startswith("damaged-result: ")
    assert {row["area_mean_mm2"] == "n/a" for row in rows.values() if row["verdict"] != "n/a"} == {False}
    assert "damaged-result" in (copy / "out" / "group.html").read_text()


@pytest.mark.parametrize("kind", TABLES)
def test_a_damaged_table_is_named_at_the_group_level_and_on_the_page(run, copy, kind):
    TABLES[kind](copy / "out" / f"{RESULT}_morph.tsv")
    check_group(run, copy, RESULT)
    code, err, summary = run(copy / "in", copy / "out", "participant", "--reports-only")
    assert (code, summary["failed"]) == (65, 1), err
    page = (copy / "out" / "sub-01.html").read_text()
    assert page.count('<section id="image-') == 2
    assert "damaged-result" in page
    assert "damaged-result" not in (copy / "out" / "sub-02.html").read_text()


@pytest.mark.parametrize("kind", SIDECARS)
def test_a_damaged_sidecar_is_named_at_the_group_level_and_made_again_by_the_next_run(run, copy, kind):
    before = (copy / "out" / f"{RESULT}_mask.json").read_bytes()
    SIDECARS[kind](copy / "out" / f"{RESULT}_mask.json")
    check_group(run, copy, RESULT)
    code, err, summary = run(copy / "in", copy / "out", "participant", "group")
    assert (code, summary["done"], summary["skipped"]) == (0, 1, 2), err
    assert (copy / "out" / f"{RESULT}_mask.json").read_bytes() == before
    assert "n/a" not in {row["verdict"] for row in read_rows(copy / "out" / "group_label-SC_morph.tsv")}


@pytest.mark.parametrize("kind", ["deep", "verdict a word", "message a number", "models a list of texts", "gone"])
def test_the_page_shows_the_other_images_of_a_participant(run, copy, kind):
    SIDECARS[kind](copy / "out" / f"{RESULT}_mask.json")
    code, err, _ = run(copy / "in", copy / "out", "participant", "--reports-only")
    assert code == 65, err
    page = (copy / "out" / "sub-01.html").read_text()
    assert page.count('<section id="image-') == 2
    assert "damaged-result" in page
    (row, _) = read_rows(copy / "out" / "participants.tsv")
    assert row["n_images"] == "1"


def test_a_damaged_mask_and_centerline_are_named_on_the_page(run, copy):
    (copy / "out" / f"{RESULT}_mask.nii.gz").write_bytes(b"no image")
    (copy / "out" / f"{OTHER}_centerline.tsv").write_text("x_mm\ty_mm\n1\t2\n")
    code, err, summary = run(copy / "in", copy / "out", "participant", "--reports-only")
    assert (code, summary["failed"]) == (65, 2), err
    assert "no column z_mm" in err
    assert (copy / "out" / "sub-01.html").read_text().count("Run the participant level again") >= 2


@pytest.mark.parametrize(
    "text",
    ['{"Source": 5, "Subject": ["a"], "Status": 1, "Message": null}', "[" * 100_000, "", '{"Source": "a#b"}', "{}"],
)
def test_a_damaged_record_of_a_failure_is_named(run, copy, text):
    (copy / "out" / "logs" / "failed").mkdir(exist_ok=True)
    (copy / "out" / "logs" / "failed" / "x.json").write_text(text)
    code, err, _ = run(copy / "in", copy / "out", "group")
    assert code == 65
    assert "logs/failed/x.json" in err
    assert len(read_rows(copy / "out" / "group_label-SC_morph.tsv")) == 3
    code, err, _ = run(copy / "in", copy / "out", "participant")
    assert code == 0
    assert err.count("logs/failed/x.json") == 1


@pytest.mark.parametrize("text", ["[" * 100_000, '{"without_input": [1]}', '{"without_input": {"07": 5}}', ""])
def test_a_damaged_summary_and_description_cost_nobody_anything(run, copy, text):
    (copy / "out" / "logs" / "z").mkdir()
    for name in ("logs/z/summary.json", "dataset_description.json", "participants.tsv"):
        (copy / "out" / name).write_text(text)
    code, err, _ = run(copy / "in", copy / "out", "group")
    assert code == 0, err
    assert len(read_rows(copy / "out" / "group_label-SC_morph.tsv")) == 3
    code, err, _ = run(copy / "in", copy / "out", "participant")
    assert code == 0, err


def test_when_everything_is_damaged_the_table_says_so(run, copy):
    for path in (copy / "out").glob("sub-*/anat/*_label-SC_*_mask.json"):
        path.write_text("{}")
    code, _, summary = run(copy / "in", copy / "out", "group")
    assert (code, summary["failed"]) == (65, 3)
    assert [row["verdict"] for row in read_rows(copy / "out" / "group_label-SC_morph.tsv")] == ["n/a"] * 3


def test_what_another_program_made_is_no_damage(run, copy):
    change_json(copy / "out" / f"{RESULT}_mask.json", GeneratedBy=[{"Name": "another program"}], QC=None)
    code, err, _ = run(copy / "in", copy / "out", "group")
    assert code == 0, err
    assert len(read_rows(copy / "out" / "group_label-SC_morph.tsv")) == 2
