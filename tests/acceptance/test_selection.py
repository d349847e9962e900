"""A12, and: what a run selects is what bids2table finds, on published examples of BIDS and on random trees."""

import gzip
import json
import os
import random
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.bids.image import DEFAULT_SUFFIXES
from bids_deepseg.bids.source.query import Selection, find_images
from bids_deepseg.cli import main as cli
from tests.helpers.fake_engine import FakeEngine, cord, summary_of
from tests.helpers.phantoms import grid_of

EXAMPLES = Path(__file__).with_name("bids_examples.txt")


def examples():
    """Return the paths of each published data set."""
    paths = [line for line in EXAMPLES.read_text().splitlines() if not line.startswith("#")]
    return {name: [p for p in paths if p.startswith(f"{name}/")] for name in sorted({p.split("/")[0] for p in paths})}


def image_bytes():
    """Return a real small image, uncompressed."""
    data = cord((12, 12, 4), radius_mm=2.0)
    return nib.Nifti1Image(data, grid_of(data.shape).affine).to_bytes()


def write_tree(root, paths):
    """Write a data set with a real image at each path."""
    plain = image_bytes()
    packed = gzip.compress(plain)
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(packed if path.endswith(".gz") else plain)
    (root / "dataset_description.json").write_text('{"Name": "x", "BIDSVersion": "1.10.0"}')


@pytest.fixture
def select(capsys, tmp_path):
    """Return a function that returns the paths that a dry run would treat, and its exit code."""

    def select(root, *words):
        words = [str(root), str(tmp_path / "out"), "participant", "--dry-run", "--log-format", "json", "-q", *words]
        code = cli.main(words, engine=FakeEngine())
        lines = capsys.readouterr().out.splitlines()
        assert summary_of(lines[-1])["exit"] == code
        plan = json.loads(lines[0]) if code == 0 else {"images": []}
        return code, sorted(each["image"] for each in plan["images"])

    return select


def expected(root):
    """Return what should be selected, as bids2table sees the data set, under the rules of docs/inputs.md."""
    index = pytest.importorskip("bids2table", reason="bids2table is not installed").index_dataset(root)
    return sorted(row["path"] for row in index.to_pylist() if _is_ours(row, root))


def _is_ours(row, root):
    """Tell by its entities whether a file is segmented."""
    if row["suffix"] not in DEFAULT_SUFFIXES or row["ext"] not in {".nii", ".nii.gz"}:
        return False
    twin = row["ext"] == ".nii" and (root / f"{row['path']}.gz").exists()
    if twin or row["part"] in {"phase", "real", "imag"}:
        return False
    return row["datatype"] == ("dwi" if row["suffix"] == "dwi" else "anat")


@pytest.mark.parametrize("name", examples())
def test_the_selection_on_published_examples_is_that_of_bids2table(name, select, tmp_path):
    paths = examples()[name]
    write_tree(tmp_path, paths)
    root = tmp_path / name
    (tmp_path / "dataset_description.json").rename(root / "dataset_description.json")
    code, found = select(root)
    assert found == expected(root)
    of_ours = [p for p in paths if p.split("_")[-1].split(".")[0] in DEFAULT_SUFFIXES]
    assert (code, bool(found)) == ((0, True) if of_ours else (66, False))


def random_tree(numbers):
    """Draw the paths of a data set with sessions, runs, parts, echoes, other folders and other suffixes."""
    paths = set()
    for subject in numbers.sample(["01", "02", "x1", "A", "010", "pilot3"], numbers.randint(1, 4)):
        for session in numbers.choice([[None], ["pre", "post"], ["1"], [None, "2"]]):
            name = f"sub-{subject}" + (f"_ses-{session}" if session else "")
            folder = f"sub-{subject}/" + (f"ses-{session}/" if session else "")
            for _ in range(numbers.randint(0, 6)):
                datatype = numbers.choice(["anat", "anat", "anat", "dwi", "func", "fmap", "perf"])
                paths.add(f"{folder}{datatype}/{name}{_random_entities(numbers, datatype)}{_ending(numbers)}")
    top = sorted(paths)[:1]
    paths |= {f"{where}/{path}" for where in ("derivatives/app", "sourcedata", "code", ".git/annex") for path in top}
    return sorted(paths)


def _random_entities(numbers, datatype):
    """Draw entities in the order of BIDS, and a suffix that belongs into the folder."""
    free = {
        "anat": ["acq-ax", "ce-gd", "rec-nd", "run-1", "run-02", "echo-2", "part-mag", "part-phase", "chunk-1"],
        "dwi": ["acq-b", "dir-AP", "run-1", "part-phase"],
    }.get(datatype, ["run-1"])
    chosen = {pair.partition("-")[0]: pair for pair in numbers.sample(free, numbers.randint(0, min(3, len(free))))}
    suffixes = {
        "anat": ["T1w", "T2w", "T2starw", "PDw", "UNIT1", "FLAIR", "T1map", "MTS", "MEGRE", "defacemask"],
        "dwi": ["dwi", "sbref"],
        "func": ["task-rest_bold"],
        "fmap": ["epi"],
        "perf": ["asl"],
    }[datatype]
    pairs = [pair for pair in free if pair in chosen.values()]
    return "".join(f"_{pair}" for pair in pairs) + "_" + numbers.choice(suffixes)


def _ending(numbers):
    return numbers.choice([".nii.gz", ".nii.gz", ".nii.gz", ".nii"])


@pytest.mark.parametrize("seed", range(30))
def test_the_selection_on_random_trees_is_that_of_bids2table(seed, select, tmp_path):
    root = tmp_path / "in"
    paths = random_tree(random.Random(seed))
    write_tree(root, [*paths, "sub-always/anat/sub-always_T1w.nii.gz"])
    code, found = select(root)
    assert code == 0
    assert found == expected(root)
    assert "sub-always/anat/sub-always_T1w.nii.gz" in found


# ---- A12 ------------------------------------------------------------------------------------------------------------


def test_a12_one_of_1000_participants_is_found_by_looking_at_its_folders_only(tmp_path):
    """Count what is opened and listed, not seconds; benchmarks/plan.py measures them."""
    packed = gzip.compress(np.zeros(8).tobytes())
    for number in range(1000):
        folder = tmp_path / f"sub-{number:04d}" / "anat"
        folder.mkdir(parents=True)
        for suffix in ("T1w", "T2w"):
            (folder / f"sub-{number:04d}_{suffix}.nii.gz").write_bytes(packed)
    (tmp_path / "dataset_description.json").write_text("{}")
    touched = []
    watching = [True]

    def hook(event, arguments):
        if watching and event in {"open", "os.scandir", "os.listdir"} and str(arguments[0]).startswith(str(tmp_path)):
            touched.append(os.path.relpath(arguments[0], tmp_path))

    sys.addaudithook(hook)
    result = find_images(tmp_path, Selection(participants=frozenset({"0500"})))
    watching.clear()
    assert len(result.images) == 2
    assert {Path(name).parts[:1] for name in touched} == {(), ("sub-0500",)}
    assert len(touched) <= 6
