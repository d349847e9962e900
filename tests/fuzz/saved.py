"""Fuzz the files that the app reads back: whatever happened to one, the tables and the pages of the others are written.

A case damages some files of a finished output folder and runs the group level, the description of the data set, or the
page of a participant on it.
"""

import functools
import json
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np

from bids_deepseg.app.citation import write_citation
from bids_deepseg.app.group.level import write_group
from bids_deepseg.app.participant.report import ReportWork
from bids_deepseg.bids.derivatives.dataset import write_dataset_files
from bids_deepseg.bids.derivatives.failures import record_failure
from bids_deepseg.errors import DatasetError, UsageError
from bids_deepseg.files.tables import read_rows
from tests.fuzz.mutations import mutated_json, mutated_text
from tests.helpers.bids_trees import WARNING, image_of, make_dataset, write_result

_NAMES = ("sub-01/anat/sub-01_T2w.nii.gz", "sub-01/anat/sub-01_T1w.nii.gz", "sub-02/anat/sub-02_T2w.nii.gz")
_READ = ("*_mask.json", "*_morph.tsv", "*_centerline.tsv", "logs/failed/*", "logs/*/summary.json", "sub-*.html")
_FURTHER = (
    "dataset_description.json",
    "participants.tsv",
    "sourcedata/participants.tsv",
    "sourcedata/qc_judgements.tsv",
)


def group(rng: np.random.Generator) -> str:
    """Run the group level."""
    with tempfile.TemporaryDirectory() as name:
        out = _damaged_copy(rng, Path(name)) / "out"
        try:
            outcome = write_group(out)
        except (UsageError, DatasetError) as error:
            return type(error).__name__
        rows = {row["image"].rpartition("/")[2] for row in read_rows(out / "group_label-SC_morph.tsv")}
        assert "sub-03_T2w.nii.gz" in rows, rows
        assert (out / "group.html").is_file()
        return f"{len(outcome.damaged)} results and {len(outcome.damaged_records)} records damaged"


def dataset(rng: np.random.Generator) -> str:
    """Describe the data set and its methods."""
    with tempfile.TemporaryDirectory() as name:
        folder = _damaged_copy(rng, Path(name))
        table = folder / "out" / "participants.tsv"
        damaged = table.read_bytes() if table.is_file() else b""
        write_dataset_files(folder / "out", folder / "in", version="1")
        write_citation(folder / "out", version="1")
        if table.read_bytes() == damaged:
            # A table that does not look like ours any more may be that of somebody else, and stays.
            return "left as it is"
        participants = {row.get("participant_id") for row in read_rows(table)}
        assert {"sub-01", "sub-02", "sub-03"} <= participants, participants
    return "written"


def page(rng: np.random.Generator) -> str:
    """Write the page of a participant with two images."""
    with tempfile.TemporaryDirectory() as name:
        folder = _damaged_copy(rng, Path(name), "sub-01/")
        unusable = ReportWork(folder / "in", folder / "out").write("01")
        text = (folder / "out" / "sub-01.html").read_text(encoding="utf-8")
        assert all(each.failure.message.partition(":")[0] for each in unusable)
        assert "</html>" in text
        return f"{len(unusable)} unusable"


@functools.cache
def _finished() -> Path:
    """Return a folder with a data set and its results, made once in a process."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-saved-"))
    source, out = folder / "in", folder / "out"
    make_dataset(source, {**dict.fromkeys(_NAMES, (6, 7, 5)), "sub-03/anat/sub-03_T2w.nii.gz": (6, 7, 5)})
    for name in (*_NAMES, "sub-03/anat/sub-03_T2w.nii.gz"):
        write_result(image_of(source, name), out, findings=[WARNING])
    failed = image_of(source, "sub-02/anat/sub-02_T1w.nii.gz")
    (source / "participants.tsv").write_text("participant_id\tage\nsub-01\t3\n", encoding="utf-8")
    record_failure(failed, out, status="bad-image", message="It is empty.")
    write_dataset_files(out, source, version="1")
    for place, text in (
        ("sourcedata/participants.tsv", "participant_id\tage\nsub-01\t33\nsub-02\t41\n"),
        ("sourcedata/qc_judgements.tsv", f"image\tmark\trank\tcomment\n{_NAMES[0]}\tfail\t7\tleaks\n"),
        ("logs/run/summary.json", '{"done": 1, "without_input": {"07": "1 FLAIR"}}'),
    ):
        (out / place).parent.mkdir(parents=True, exist_ok=True)
        (out / place).write_text(text, encoding="utf-8")
    ReportWork(source, out).write("01")
    return folder


def _damaged_copy(rng: np.random.Generator, folder: Path, only: str = "") -> Path:
    """Copy the finished folder and damage some of its files, none of them of participant 03."""
    copy = folder / "copy"
    shutil.copytree(_finished(), copy)
    out = copy / "out"
    files = [path for pattern in _READ for path in out.rglob(pattern) if "sub-03" not in path.name]
    files = sorted(files) + [out / name for name in _FURTHER]
    if only:
        files = [path for path in files if only in path.as_posix()]
    for index in rng.choice(len(files), size=int(rng.integers(1, 4)), replace=False):
        _damage(rng, files[index])
    return copy


def _damage(rng: np.random.Generator, path: Path) -> None:
    """Damage one file."""
    kind = rng.integers(10)
    text = path.read_text(encoding="utf-8")
    if kind == 0:
        path.unlink()
        if rng.integers(3) == 0:
            os.mkfifo(path)
    elif path.suffix == ".json" and kind < 8:
        path.write_bytes(mutated_json(rng, json.loads(text)))
    elif path.suffix == ".tsv" and kind < 6:
        path.write_bytes(_other_cell(rng, text).encode())
    else:
        path.write_bytes(mutated_text(rng, text))


def _other_cell(rng: np.random.Generator, text: str) -> str:
    """Replace a cell of a table, or add a column of levels."""
    rows = [line.split("\t") for line in text.rstrip("\n").split("\n")]
    values = ("", "n/a", "26", "-1", "0", "2.5", "1e5", "1e999", "nan", "x", "-3", "99999999999", "1_0")
    if rng.integers(3) == 0:
        rows = [[*row, "vertebral_level" if k == 0 else str(rng.choice(values))] for k, row in enumerate(rows)]
    else:
        row = rows[rng.integers(len(rows))]
        row[rng.integers(len(row))] = str(rng.choice(values))
    return "".join("\t".join(row) + "\n" for row in rows)


TARGETS = {"group": group, "dataset": dataset, "page": page}
