"""Checking the selected part of the input."""

import hashlib
import os
import subprocess

import pytest

from bids_deepseg.bids.source import validation
from bids_deepseg.bids.source.validation import find_validator, link_subset, validate_dataset
from tests.helpers.bids_trees import make_dataset

needs_validator = pytest.mark.skipif(find_validator() is None, reason="bids-validator-deno is not installed")


@pytest.fixture
def raw(tmp_path):
    images = {"sub-01/anat/sub-01_T2w.nii.gz": (6, 7, 5), "sub-02/anat/sub-02_acq_T2w.nii.gz": (6, 7, 5)}
    return make_dataset(tmp_path / "raw", images)


@needs_validator
def test_only_the_selected_participants_are_checked(raw):
    good, bad = validate_dataset(raw, ["01"]), validate_dataset(raw, ["01", "02"])
    assert (good.available, good.n_errors, good.errors) == (True, 0, ())
    assert bad.n_errors > 0
    assert "sub-02_acq_T2w.nii.gz" in bad.errors[0]
    assert f"{bad.n_errors} errors" in bad.message
    assert bad.command == f"bids-validator-deno {raw}"
    assert '"issues"' in bad.details


def test_a_missing_validator_is_told_not_raised(raw, monkeypatch):
    monkeypatch.setattr(validation, "find_validator", lambda: None)
    report = validate_dataset(raw, ["01"])
    assert not report.available
    assert "pip install bids-validator-deno" in report.message


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (subprocess.TimeoutExpired("x", 5), "stopped after 5 s"),
        (OSError("no"), "gave no answer"),
        (subprocess.CompletedProcess("x", 1, b"oops"), "gave no answer"),
        (subprocess.CompletedProcess("x", 1, b"{}"), "gave no answer"),
    ],
)
def test_a_validator_that_gives_no_answer_is_told_not_raised(raw, monkeypatch, outcome, told):
    def run(*_args, **_kwargs):
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    monkeypatch.setattr(validation, "find_validator", lambda: "x")
    monkeypatch.setattr(validation.subprocess, "run", run)
    report = validate_dataset(raw, ["01"], timeout_s=5)
    assert not report.available
    assert told in report.message


def test_the_subset_holds_links_to_the_selected_part_only(raw, tmp_path):
    (raw / "stimuli").mkdir()
    (raw / "derivatives").mkdir()
    (tmp_path / "subset").mkdir()
    link_subset(raw, ["02"], tmp_path / "subset")
    assert sorted(path.name for path in (tmp_path / "subset").iterdir()) == [
        "dataset_description.json",
        "stimuli",
        "sub-02",
    ]
    assert all(path.is_symlink() for path in (tmp_path / "subset").iterdir())


def annex(path, root):
    """Put the content of a file where git-annex puts it, and a relative link in its place."""
    checksum = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
    key = f"MD5E-s{path.stat().st_size}--{checksum}.nii.gz"
    # Folders by the checksum of the key.
    place = hashlib.md5(key.encode(), usedforsecurity=False).hexdigest()
    content = root / ".git/annex/objects" / place[:3] / place[3:6] / key / key
    content.parent.mkdir(parents=True)
    path.rename(content)
    path.symlink_to(os.path.relpath(content, path.parent))
    return content


@needs_validator
def test_content_that_datalad_fetched_is_read_and_what_it_did_not_fetch_is_not(raw):
    content = annex(raw / "sub-01/anat/sub-01_T2w.nii.gz", raw)
    assert validate_dataset(raw, ["01"]).errors == ()
    content.unlink()
    assert "NIFTI_HEADER_UNREADABLE" in validate_dataset(raw, ["01"]).errors[0]
