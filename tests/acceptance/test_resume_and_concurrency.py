"""A3 to A5: a second run, killed runs and many runs at once leave the files of one clean run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from bids_deepseg.cli import main as cli
from tests.helpers.fake_engine import FakeEngine, cord, files_of, summary_of, write_dataset, write_nifti

ROOT = Path(__file__).parents[2]
LEVELS = ("participant", "group")
QUIET = ("--skip-bids-validation", "-q", "--n-cpus", "1")
N_KILLED, N_CONCURRENT = 50, 20


def contents(folder):
    """Return the bytes of all files outside the logs; hidden ones count."""
    return {name: content for name, (content, _) in files_of(folder).items()}


@pytest.fixture
def run_forked(tmp_path):
    """Return a function that runs chains of command lines and returns code, operations and seconds of each."""

    def run_forked(chains, parallel=2):
        scratch = tmp_path / f"scratch{len(list(tmp_path.glob('scratch*')))}"
        scratch.mkdir()
        (tmp_path / "work").mkdir(exist_ok=True)
        done = subprocess.run(
            [sys.executable, "-m", "tests.helpers.forked", scratch],
            input=json.dumps({"parallel": parallel, "chains": chains}),
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "TMPDIR": str(tmp_path / "work")},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run_forked


def words(data, output, *more, levels=LEVELS):
    return [*map(str, (data, output)), *levels, *QUIET, *more]


def test_a03_the_second_run_segments_nothing_and_changes_no_byte(tmp_path, capsys):
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w", "sub-02/ses-a/anat/sub-02_ses-a_T1w")
    (tmp_path / "trace").mkdir()
    engine = FakeEngine(tmp_path / "trace")
    cli.main(words(data, tmp_path / "out"), engine=engine)
    before = files_of(tmp_path / "out")
    capsys.readouterr()
    code = cli.main(words(data, tmp_path / "out"), engine=engine)
    summary = summary_of(capsys.readouterr().out)
    assert (code, summary["done"], summary["skipped"]) == (0, 0, 2)
    # Neither bytes nor times of change differ, and the networks were not even loaded.
    assert files_of(tmp_path / "out") == before
    assert (engine.count("load"), engine.count("segment")) == (1, 2)


def test_a04_a_run_killed_at_any_of_50_points_and_repeated_gives_the_files_of_a_clean_run(tmp_path, run_forked, rng):
    """Half of the points are operations on files of the output, half are times, which may lie within a write.

    One of the images fails, so that its record is killed as well. The second run is the same command.
    """
    data = write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w", "sub-02/ses-a/anat/sub-02_ses-a_T1w")
    (data / "sub-02/ses-a/anat/sub-02_ses-a_T2w.nii.gz").write_bytes(b"")
    clean = tmp_path / "clean"
    ((code, operations, seconds),) = run_forked([[{"words": words(data, clean)}]])[0]
    assert code == 65
    assert operations > 100
    kills = [{"kill_at": int(at)} for at in rng.choice(operations, N_KILLED // 2, replace=False)]
    kills += [{"kill_after_s": float(at)} for at in rng.uniform(0, seconds, N_KILLED - len(kills))]
    chains = [
        [{"words": words(data, tmp_path / f"out{n}"), **kill}, {"words": words(data, tmp_path / f"out{n}")}]
        for n, kill in enumerate(kills)
    ]
    results = run_forked(chains)
    killed = [first == -9 for (first, *_), _ in results]
    # A run may be quicker than its time of death; none of the others may.
    assert all(killed[: N_KILLED // 2])
    assert np.mean(killed) > 0.6
    expected = contents(clean)
    for n, (_, (code, *_)) in enumerate(results):
        assert code == 65, (kills[n], results[n])
        got = contents(tmp_path / f"out{n}")
        assert sorted(got) == sorted(expected), kills[n]
        assert [name for name in got if got[name] != expected[name]] == [], kills[n]


def test_a05_20_runs_at_once_into_one_folder_give_the_files_of_one_run(tmp_path, run_forked):
    names = [f"{n:02d}" for n in range(N_CONCURRENT)]
    data = write_dataset(tmp_path / "in", *(f"sub-{name}/anat/sub-{name}_T2w" for name in names))
    write_nifti(data / "sub-03" / "anat" / "sub-03_T1w.nii.gz", cord(radius_mm=4.0))
    (data / "sub-04" / "anat" / "sub-04_T1w.nii.gz").write_bytes(b"")
    alone = ("participant",)
    each = [[{"words": words(data, tmp_path / "many", "--participant-label", name, levels=alone)}] for name in names]
    codes = [code for ((code, *_),) in run_forked(each, parallel=N_CONCURRENT)]
    assert codes == [65 if name == "04" else 0 for name in names]
    run_forked([[{"words": words(data, tmp_path / "many", levels=("group",))}]])
    run_forked([[{"words": words(data, tmp_path / "one")}]])
    many, one = contents(tmp_path / "many"), contents(tmp_path / "one")
    assert sorted(many) == sorted(one)
    assert [name for name in one if many[name] != one[name]] == []
