"""Results belong to what was read, pages to their results, and what is counted is there."""

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from bids_deepseg.app import run as levels
from bids_deepseg.app.group.level import write_group
from bids_deepseg.app.participant.report import ReportWork
from bids_deepseg.bids.derivatives import writer as derivatives
from bids_deepseg.bids.derivatives.layout import ResultFiles
from bids_deepseg.bids.derivatives.products import damaged_files
from bids_deepseg.cli import main as cli
from bids_deepseg.files.locks import holding, is_locked
from tests.helpers.fake_engine import FakeEngine, cord, files_of, summary_of, write_dataset, write_nifti

ROOT = Path(__file__).parents[2]
SKIP = ("--skip-bids-validation", "--n-cpus", "1")
T2W = "sub-01/anat/sub-01_T2w.nii.gz"
RESULT = "sub-01/anat/sub-01_space-orig_label-SC_desc-T2w_"


@dataclass(frozen=True)
class Meddling(FakeEngine):
    """Does something once, while an image is segmented."""

    meddle: Callable[[], None] = lambda: None
    done: list = field(default_factory=list)

    def segment(self, volume, models, guide, observer):
        result = super().segment(volume, models, guide, observer)
        if not self.done:
            self.done.append(True)
            self.meddle()
        return result


@pytest.fixture
def run(capsys):
    def run(*words, engine=None):
        code = cli.main([*map(str, words), *SKIP], engine=engine or FakeEngine())
        out, err = capsys.readouterr()
        return code, err, summary_of(out)

    return run


@pytest.fixture
def data(tmp_path):
    return write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")


def moved(path, by=6, *, in_place=False):
    """Replace an image by one whose cord lies elsewhere, with the same times."""
    times = path.stat()
    nifti = nib.load(path)
    new = path.with_name("new.nii.gz")
    nib.Nifti1Image(np.roll(np.asarray(nifti.dataobj), by, 0), nifti.affine).to_filename(new)
    if in_place:
        path.write_bytes(new.read_bytes())
        new.unlink()
    else:
        new.replace(path)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


# ---- what was read --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("in_place", [False, True])
def test_an_image_that_is_replaced_while_it_is_segmented_has_no_result_until_the_next_run(
    run, data, tmp_path, in_place
):
    engine = Meddling(meddle=lambda: moved(data / T2W, in_place=in_place))
    code, err, summary = run(data, tmp_path / "out", "participant", engine=engine)
    assert (code, summary["failed"]) == (65, 1)
    assert "sub-01_T2w.nii.gz changed while it was read or segmented" in err
    assert not list((tmp_path / "out").glob("sub-01/anat/*"))
    assert run(data, tmp_path / "out", "participant")[2]["done"] == 1
    image = nib.load(data / T2W).get_fdata()
    mask = np.asarray(nib.load(tmp_path / "out" / f"{RESULT}mask.nii.gz").dataobj) > 0
    assert image[mask].mean() > 150


def test_an_image_that_vanishes_while_it_is_segmented_has_no_result(run, data, tmp_path):
    code, err, _ = run(data, tmp_path / "out", "participant", engine=Meddling(meddle=(data / T2W).unlink))
    assert (code, "changed while" in err) == (65, True)


def test_an_image_that_changes_while_it_is_read_is_read_again(run, data, tmp_path, monkeypatch):
    from bids_deepseg.bids.source import reader  # noqa: PLC0415

    read, calls = reader.read_image, []

    def read_slowly(image, volume):
        loaded = read(image, volume)
        calls.append(image.path)
        if len(calls) == 1:
            moved(image.path)
        return loaded

    monkeypatch.setattr(reader, "read_image", read_slowly)
    assert run(data, tmp_path / "out", "participant")[2]["done"] == 1
    assert len(calls) == 2
    mask = np.asarray(nib.load(tmp_path / "out" / f"{RESULT}mask.nii.gz").dataobj) > 0
    assert nib.load(data / T2W).get_fdata()[mask].mean() > 150
    monkeypatch.setattr(reader, "read_image", lambda image, volume: (read(image, volume), moved(image.path))[0])
    code, err, _ = run(data, tmp_path / "out", "participant", "--rerun", "all")
    assert (code, "changed while" in err) == (65, True)


def given_centerline(folder, z):
    rows = "".join(f"{i}\t{j}\t{k}\n" for i, j, k in ((20, 20, 0), (20, 20, z)))
    (folder / "line").mkdir(exist_ok=True)
    (folder / "line" / "sub-01_T2w_centerline.csv").write_text("i\tj\tk\n" + rows)
    return folder / "line"


def test_given_files_that_change_while_an_image_is_segmented_are_noticed(run, data, tmp_path):
    line = given_centerline(tmp_path, 7)
    words = (data, tmp_path / "out", "participant", "--centerline", "file", "--centerline-file", line)
    code, err, _ = run(*words, engine=Meddling(meddle=lambda: given_centerline(tmp_path, 6)))
    assert (code, "A file that was given for sub-01_T2w.nii.gz" in err) == (65, True)
    assert run(*words)[2]["done"] == 1
    assert run(*words)[2]["skipped"] == 1


def test_b_values_that_change_while_a_series_is_segmented_are_noticed(run, tmp_path):
    data = write_dataset(tmp_path / "in")
    write_nifti(data / "sub-01/dwi/sub-01_dwi.nii.gz", np.stack([cord(), cord()], -1))
    bval = data / "sub-01/dwi/sub-01_dwi.bval"
    bval.write_text("0 800")
    engine = Meddling(meddle=lambda: bval.write_text("800 0"))
    assert run(data, tmp_path / "out", "participant", engine=engine)[0] == 65


# ---- files of a result ----------------------------------------------------------------------------------------------


def test_damaged_files_are_made_again_and_the_tree_is_that_of_a_clean_run(run, data, tmp_path):
    out = tmp_path / "out"
    words = (data, out, "participant", "group", "--report-format", "linked")
    run(*words)
    clean = {name: content for name, (content, _) in files_of(out).items()}
    for name in clean:
        for damaged in (b"", clean[name][: len(clean[name]) // 2]):
            (out / name).write_bytes(damaged)
            code, _, summary = run(*words)
            assert code == 0, name
            assert {name: content for name, (content, _) in files_of(out).items()} == clean, name
            assert summary["done"] == int(name.startswith("sub-01/anat/")), name
    assert run(*words)[2]["skipped"] == 1


def test_a_table_that_was_edited_is_made_again(run, data, tmp_path):
    out = tmp_path / "out"
    run(data, out, "participant")
    table = out / f"{RESULT}morph.tsv"
    whole = table.read_bytes()
    table.write_bytes(whole.replace(b"8", b"9", 1))
    assert run(data, out, "participant")[2]["done"] == 1
    assert table.read_bytes() == whole


def test_a_mask_that_a_person_edited_stays_and_is_told(run, data, tmp_path):
    out = tmp_path / "out"
    run(data, out, "participant")
    path = out / f"{RESULT}mask.nii.gz"
    nifti = nib.load(path)
    edited = np.asarray(nifti.dataobj).copy()
    edited[18:20, 18:20] = 0
    nib.Nifti1Image(edited, nifti.affine, nifti.header).to_filename(path)
    content, page = path.read_bytes(), (out / "sub-01.html").read_bytes()
    code, err, summary = run(data, out, "participant")
    assert (code, summary["skipped"]) == (0, 1)
    assert "its mask was edited after it was written" in err
    assert path.read_bytes() == content
    # The page shows the mask as it is.
    assert (out / "sub-01.html").read_bytes() != page
    before = files_of(out)
    run(data, out, "participant")
    assert files_of(out) == before


def test_two_runs_with_different_options_at_once_never_mix_their_files(data, tmp_path):
    """Each of them may be the last, but the files of the image are those of one."""
    out, programs = tmp_path / "out", []
    for threshold in ("0.3", "0.9", "0.3"):
        words = [data, out, "participant", *SKIP, "-q", "--rerun", "all", "--threshold", threshold]
        command = [sys.executable, "-m", "tests.helpers.driver", "{}", *map(str, words)]
        programs.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT))
    texts = [program.communicate(timeout=300)[0].decode() for program in programs]
    assert [program.returncode for program in programs] == [0, 0, 0], texts
    sidecar = json.loads((out / f"{RESULT}mask.json").read_text())
    assert damaged_files(sidecar, ResultFiles.of_mask(out / f"{RESULT}mask.nii.gz"), thorough=True) == []
    assert not list(out.rglob(".tmp-*"))


def test_the_folder_of_an_image_is_locked_while_its_files_are_written(run, data, tmp_path, monkeypatch):
    held = []
    write = derivatives.write_files

    def look(files):
        held.append(is_locked(files[0][0].parent))
        write(files)

    monkeypatch.setattr(derivatives, "write_files", look)
    assert run(data, tmp_path / "out", "participant")[0] == 0
    assert held == [True]


@contextmanager
def written_by_another_run(mask, *, with_lock):
    """Take away what is last, or first, of a result, and put it back while the block is at work."""
    folder, begun = mask.parent, threading.Event()
    kept = {path: path.read_bytes() for path in (mask.with_suffix("").with_suffix(".json"), mask)}

    def write():
        with holding(folder) if with_lock else nullcontext():
            for path in kept:
                path.unlink()
            mask.write_bytes(kept[mask])
            begun.set()
            time.sleep(0.6)
            for path, content in kept.items():
                path.write_bytes(content)

    other = threading.Thread(target=write)
    other.start()
    begun.wait()
    yield
    other.join()


@pytest.mark.parametrize("with_lock", [True, False])
def test_what_another_run_writes_at_this_moment_is_not_taken_for_damage(run, data, tmp_path, monkeypatch, with_lock):
    """Where there are locks and where there are none."""
    out = tmp_path / "out"
    assert run(data, out, "participant", "group")[0] == 0
    before = files_of(out)
    if not with_lock:
        monkeypatch.setattr(fcntl, "flock", no_locks)
    mask = out / f"{RESULT}mask.nii.gz"
    with written_by_another_run(mask, with_lock=with_lock):
        unusable = ReportWork(data, out).write("01")
    with written_by_another_run(mask, with_lock=with_lock):
        outcome = write_group(out)
    assert (unusable, outcome.damaged) == ((), ())
    monkeypatch.undo()
    assert run(data, out, "participant", "group")[0] == 0
    assert {name: content for name, (content, _) in files_of(out).items()} == {
        name: c for name, (c, _) in before.items()
    }


def no_locks(number, operation):
    raise OSError(errno.ENOLCK, "no locks here")


# ---- pages ----------------------------------------------------------------------------------------------------------


def test_no_time_of_any_file_decides_on_a_page(run, data, tmp_path):
    """Clocks that were wrong, copies, archives and drives with clocks of their own."""
    out = tmp_path / "out"
    words = (data, out, "participant", "group")
    run(*words)
    content = {name: each for name, (each, _) in files_of(out).items()}
    for pattern, moment in (("*_mask.json", 2e9), ("*.html", 1), ("*", 3e9), ("*.html", 2e9)):
        for path in out.rglob(pattern):
            os.utime(path, (moment, moment))
        before = files_of(out)
        run(*words)
        assert files_of(out) == before, pattern
        assert {name: each for name, (each, _) in before.items()} == content
    shutil.copytree(out, tmp_path / "copy", copy_function=shutil.copyfile)
    before = files_of(tmp_path / "copy")
    run(data, tmp_path / "copy", *words[2:])
    assert files_of(tmp_path / "copy") == before


@pytest.mark.parametrize("moment", [1, 2e9, 3e9])
def test_a_run_that_is_killed_before_its_page_leaves_no_old_page_for_ever(run, data, tmp_path, monkeypatch, moment):
    class KilledError(BaseException):
        pass

    def die(*_args):
        raise KilledError

    out = tmp_path / "out"
    run(data, out, "participant")
    old = (out / "sub-01.html").read_bytes()
    os.utime(out / "sub-01.html", (moment, moment))
    moved(data / T2W)
    with monkeypatch.context() as patched:
        patched.setattr(levels, "write_report", die)
        with pytest.raises(KilledError):
            cli.main([str(data), str(out), "participant", *SKIP], engine=FakeEngine())
    assert (out / "sub-01.html").read_bytes() == old
    assert run(data, out, "participant")[2]["skipped"] == 1
    run(data, tmp_path / "clean", "participant")
    assert (out / "sub-01.html").read_bytes() == (tmp_path / "clean" / "sub-01.html").read_bytes() != old


def test_a_page_that_cannot_be_written_is_counted_as_a_page(run, data, tmp_path):
    (tmp_path / "out" / "sub-01.html").mkdir(parents=True)
    code, err, summary = run(data, tmp_path / "out", "participant")
    assert (code, summary["done"], summary["failed"], summary["failed_pages"]) == (73, 1, 0, 1)
    assert "0 of 1 images failed, 1 pages could not be written" in err
    assert err.count("could not be written:") == 1
    written = json.loads((Path(summary["log"]) / "summary.json").read_text())
    assert [entry["image"] for entry in written["images"]] == [T2W]
    assert [entry["image"] for entry in written["failed_pages"]] == ["sub-01.html"]


# ---- what is counted is there ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("lost", ["", "logs", "sub-01"])
def test_results_or_logs_that_are_removed_while_a_run_goes_on_end_it_with_74(run, tmp_path, lost):
    data = write_dataset(tmp_path / "in", *(f"sub-0{n}/anat/sub-0{n}_T2w" for n in (1, 2, 3)))
    out = tmp_path / "out"
    (out / "logs").mkdir(parents=True)
    run(data, out, "participant", "--participant-label", "01")
    engine = Meddling(meddle=lambda: shutil.rmtree(out / lost))
    code, err, summary = run(data, out, "participant", engine=engine)
    assert code == summary["exit"] == 74
    gone = 0 if lost == "logs" else 1
    assert (summary["done"] + summary["skipped"], summary["failed"]) == (3 - gone, gone)
    assert ("The logs of this run" if lost == "logs" else "1 results that this run wrote or found are no longer") in err


def test_results_whose_image_has_gone_are_named_and_stay(run, tmp_path):
    data = write_dataset(tmp_path / "in", *(f"sub-0{n}/anat/sub-0{n}_T2w" for n in (1, 2)))
    out = tmp_path / "out"
    run(data, out, "participant")
    before = sorted(path for path in out.glob("sub-01/anat/*"))
    shutil.rmtree(data / "sub-01")
    code, err, _ = run(data, out, "participant")
    assert code == 0
    assert f"no longer in the data set: 1 ({T2W})" in err
    assert sorted(path for path in out.glob("sub-01/anat/*")) == before
    assert "no longer in" not in run(data, out, "participant", "--participant-label", "02")[1]
