"""The files that describe the derivative data set."""

import json
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest

from bids_deepseg.bids.derivatives.dataset import write_dataset_files
from bids_deepseg.bids.derivatives.description import describe_dataset, resolve_links
from bids_deepseg.bids.derivatives.failures import read_failures, record_failure
from bids_deepseg.bids.derivatives.saved import find_saved
from bids_deepseg.bids.source.validation import find_validator
from bids_deepseg.files.tables import read_rows
from bids_deepseg.stages.findings import Finding
from tests.helpers.bids_trees import WARNING, all_images, contents, image_of, make_dataset, write_result

FAIL = Finding("area-range", "fail", "3 of 4 slices have an area outside 15 to 150 mm².")

IMAGES = {
    "sub-01/anat/sub-01_T2w.nii.gz": (6, 7, 5),
    "sub-01/anat/sub-01_flip-1_mt-on_MTS.nii.gz": (6, 7, 5),
    "sub-01/anat/sub-01_flip-1_mt-off_MTS.nii.gz": (6, 7, 5),
    "sub-01/anat/sub-01_flip-2_mt-off_MTS.nii.gz": (6, 7),
    "sub-01/anat/sub-01_echo-1_part-mag_MEGRE.nii.gz": (6, 7, 5),
    "sub-01/anat/sub-01_echo-2_part-mag_MEGRE.nii.gz": (6, 7, 5),
    "sub-01/dwi/sub-01_dir-AP_dwi.nii.gz": (6, 7, 5, 3),
    "sub-02/ses-pre/anat/sub-02_ses-pre_acq-ax_run-1_T2starw.nii.gz": (6, 7, 5),
    "sub-02/ses-post/anat/sub-02_ses-post_chunk-1_T1w.nii": (6, 7, 5),
    "sub-02/ses-post/anat/sub-02_ses-post_inv-1_UNIT1.nii": (6, 7, 5),
    "sub-03/anat/sub-03_T2w.nii.gz": (6, 7, 5),
}


@pytest.fixture
def raw(tmp_path):
    root = make_dataset(tmp_path / "raw", IMAGES)
    (root / "MEGRE.json").write_text('{"EchoTime": 0.004}')
    return root


def write_all(raw, out, **options):
    """Write results for all images but that of sub-03, which fails."""
    failed = image_of(raw, "sub-03/anat/sub-03_T2w.nii.gz")
    for image in all_images(raw):
        if image != failed:
            findings = {"MTS": [WARNING, WARNING], "T1w": [WARNING, FAIL]}.get(image.suffix, [])
            write_result(image, out, findings=findings)
    record_failure(failed, out, status="cord-not-found", message="No cord.")
    write_dataset_files(out, raw, version="0.1.0", **options)


def validate(folder):
    run = subprocess.run([find_validator(), str(folder), "--format", "json"], capture_output=True, check=False)
    return json.loads(run.stdout)["issues"]["issues"]


@pytest.mark.skipif(find_validator() is None, reason="bids-validator-deno is not installed")
@pytest.mark.parametrize("nested", [True, False], ids=["nested", "beside"])
def test_the_validator_finds_no_error_and_no_warning(raw, tmp_path, nested):
    out = raw / "derivatives" / "bids_deepseg" if nested else tmp_path / "out"
    write_all(raw, out)
    (out / "sub-01.html").write_text("<p>Report")
    (out / "sub-01" / "figures").mkdir()
    (out / "sub-01" / "figures" / "x.png").write_bytes(b"x")
    (out / "logs" / "run").mkdir()
    (out / "logs" / "run" / "summary.json").write_text("{}")
    (out / "sub-01" / "anat" / ".tmp-0123-left.nii.gz").write_bytes(b"x")
    assert validate(out) == []


@pytest.mark.skipif(find_validator() is None, reason="bids-validator-deno is not installed")
def test_the_images_are_valid_without_any_ignored_file(raw, tmp_path):
    write_all(raw, tmp_path / "out")
    (tmp_path / "out" / ".bidsignore").unlink()
    for pattern in ("*_morph.*", "*_centerline.*"):
        for path in (tmp_path / "out").rglob(pattern):
            path.unlink()
    assert validate(tmp_path / "out") == []


def test_tables_tell_verdicts_and_failures(raw, tmp_path):
    out = tmp_path / "out"
    write_all(raw, out)
    assert read_rows(out / "participants.tsv") == [
        {"participant_id": "sub-01", "n_images": "7", "n_failed": "0", "qc": "warn"},
        {"participant_id": "sub-02", "n_images": "3", "n_failed": "0", "qc": "fail"},
        {"participant_id": "sub-03", "n_images": "0", "n_failed": "1", "qc": "n/a"},
    ]
    (scan, _unit1) = read_rows(out / "sub-02/ses-post/sub-02_ses-post_scans.tsv")
    assert scan == {
        "filename": "anat/sub-02_ses-post_space-orig_chunk-1_label-SC_desc-T1w_mask.nii.gz",
        **{"qc": "fail", "qc_reasons": "gap,area-range", "csa_mean": "6.15", "n_slices": "4"},
    }
    assert not (out / "sub-03").exists()
    told = {row["desc_id"]: row["description"] for row in read_rows(out / "descriptions.tsv")}
    assert told["desc-MTSflip1mton"] == "Spinal cord segmented on MTS with flip 1, mt on"
    assert told["desc-T2w"] == "Spinal cord segmented on T2w"
    assert told["desc-UNIT1inv1"] == "Spinal cord segmented on UNIT1 with inv 1"
    for name in ("participants", "descriptions", "scans"):
        described = json.loads((out / f"{name}.json").read_text())
        table = next(out.rglob(f"*{name}.tsv"))
        assert list(described) == ["Description", *read_rows(table)[0]]


def test_a_second_run_changes_no_byte(raw, tmp_path):
    out = tmp_path / "out"
    write_all(raw, out)
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    bytes_before = contents(out)
    write_dataset_files(out, raw, version="0.1.0")
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before
    assert contents(out) == bytes_before


def test_deleted_results_leave_the_tables(raw, tmp_path):
    out = tmp_path / "out"
    write_all(raw, out)
    for saved in list(find_saved(out)):
        if saved.session == "pre":
            saved.mask.with_name(saved.mask.name.replace(".nii.gz", ".json")).unlink()
    write_dataset_files(out, raw, version="0.1.0")
    assert not (out / "sub-02/ses-pre/sub-02_ses-pre_scans.tsv").exists()
    assert read_rows(out / "participants.tsv")[1]["n_images"] == "2"


def test_a_later_success_removes_the_failure(raw, tmp_path):
    out = tmp_path / "out"
    write_all(raw, out)
    write_result(image_of(raw, "sub-03/anat/sub-03_T2w.nii.gz"), out)
    write_dataset_files(out, raw, version="0.1.0")
    assert read_rows(out / "participants.tsv")[2] == {
        "participant_id": "sub-03",
        **{"n_images": "1", "n_failed": "0", "qc": "pass"},
    }


def test_a_failed_repetition_does_not_count_while_the_earlier_result_stands(raw, tmp_path):
    out = tmp_path / "out"
    write_all(raw, out)
    image = image_of(raw, "sub-01/anat/sub-01_T2w.nii.gz")
    record_failure(image, out, status="out-of-memory", message="Too large.")
    write_dataset_files(out, raw, version="0.1.0")
    assert read_rows(out / "participants.tsv")[0]["n_failed"] == "0"
    assert len(list(read_failures(out))) == 2


def test_runs_at_the_same_time_end_in_the_files_of_one_run(raw, tmp_path):
    images = all_images(raw)
    alone, together = tmp_path / "alone", tmp_path / "together"
    for image in images:
        write_result(image, alone)
    write_dataset_files(alone, raw, version="0.1.0")

    def run_one(image):
        write_result(image, together)
        write_dataset_files(together, raw, version="0.1.0")

    with ThreadPoolExecutor(len(images)) as pool:
        list(pool.map(run_one, images))
    assert contents(together) == contents(alone)


def test_links_are_relative_inside_of_the_source_else_the_doi_else_kept_else_absent(raw, tmp_path):
    out = tmp_path / "out"
    assert resolve_links(raw / "derivatives" / "x", raw) == {"raw": "../.."}
    assert resolve_links(out, raw) == {}
    write_dataset_files(out, raw, version="0.1.0", links={"raw": "https://example.org/raw"})
    assert resolve_links(out, raw) == {"raw": "https://example.org/raw"}
    assert (
        json.loads((out / "dataset_description.json").read_text())["DatasetLinks"]["raw"] == "https://example.org/raw"
    )
    make_dataset(raw, {}, DatasetDOI="https://doi.org/10.18112/x.v1")
    assert resolve_links(out, raw) == {"raw": "doi:10.18112/x.v1"}
    assert resolve_links(out, raw, {"raw": "https://other.org"}) == {"raw": "https://other.org"}


def test_the_description_copies_the_source_and_states_the_container(raw, tmp_path):
    make_dataset(raw, {}, DatasetDOI="doi:10.18112/x.v1")
    environ = {"BIDS_DEEPSEG_CONTAINER": "docker", "BIDS_DEEPSEG_CONTAINER_TAG": "me/x:1"}
    described = describe_dataset(tmp_path / "out", raw, version="0.1.0", environ=environ)
    assert described["Name"] == "bids_deepseg outputs for Small"
    assert described["GeneratedBy"] == [
        {"Name": "bids_deepseg", "Version": "0.1.0", "Container": {"Type": "docker", "Tag": "me/x:1"}}
    ]
    assert described["SourceDatasets"] == [{"DOI": "doi:10.18112/x.v1", "URL": "https://doi.org/10.18112/x.v1"}]
    assert (described["Authors"], described["License"]) == (["A. One", "B. Two"], "CC0")
    assert (described["DatasetType"], described["BIDSVersion"]) == ("derivative", "1.11.1")
    apptainer = describe_dataset(tmp_path, raw, version="1", environ=environ | {"APPTAINER_CONTAINER": "/x.sif"})
    assert apptainer["GeneratedBy"][0]["Container"]["Type"] == "apptainer"


@pytest.mark.parametrize("content", ["", "[]", '{"Name": null, "Authors": null, "License": 3, "DatasetDOI": "n/a"}'])
def test_a_poor_description_of_the_source_leaves_fields_out(raw, tmp_path, content):
    (raw / "dataset_description.json").write_text(content)
    described = describe_dataset(tmp_path / "out", raw, version="0.1.0", environ={})
    assert described["Name"] == "bids_deepseg outputs"
    assert not {"Authors", "License", "SourceDatasets", "DatasetLinks"} & set(described)
    assert None not in described.values()


def test_the_ignore_file_is_as_the_validator_needs_it(raw, tmp_path):
    write_dataset_files(tmp_path / "out", raw, version="0.1.0")
    lines = ["*.html", "figures", "*_centerline.tsv", "*_centerline.json", "*_morph.tsv", "*_morph.json"]
    assert (tmp_path / "out" / ".bidsignore").read_text().split() == lines


def test_temporary_files_of_other_processes_are_neither_read_nor_removed(raw, tmp_path):
    out = tmp_path / "out"
    write_all(raw, out)
    before = contents(out)
    others = [
        out / "sub-01/.tmp-0-sub-01_other_scans.tsv",
        out / "logs/failed/.tmp-0-anat_sub-09_T2w.nii.gz.json",
        out / "sub-01/anat/.tmp-0-sub-01_space-orig_label-SC_desc-T9w_mask.json",
    ]
    for path in others:
        path.write_text('{"Source": "x", "Subject": "09", "Status": "x", "Message": "x"}')
    write_dataset_files(out, raw, version="0.1.0")
    for path in others:
        path.unlink()
    assert contents(out) == before


def test_a_single_author_is_named(tmp_path):
    raw = make_dataset(tmp_path / "raw", {}, Authors=["A. One"])
    assert describe_dataset(tmp_path / "out", raw, version="1")["Authors"] == ["A. One"]
