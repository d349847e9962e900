"""Files of others: nothing of them is overwritten, moved or removed, whatever is asked for."""

import json

import pytest

from bids_deepseg.bids.derivatives.ownership import check_ours, find_foreign
from bids_deepseg.cli import main as cli
from bids_deepseg.errors import UsageError
from tests.helpers.fake_engine import FakeEngine, cord, summary_of, write_dataset, write_nifti

SKIP = ("--skip-bids-validation", "-q", "--n-cpus", "1")

MODES = {
    "participant": ("participant",),
    "strict": ("participant", "--output-layout", "strict"),
    "linked": ("participant", "--report-format", "linked"),
    "group": ("group",),
    "both": ("participant", "group"),
    "reports": ("participant", "--reports-only"),
    "methods": ("participant", "--boilerplate-only"),
    "dry": ("participant", "--dry-run"),
}


def described(folder, **description):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset_description.json").write_text(
        json.dumps({"Name": "theirs", "BIDSVersion": "1.8.0"} | description)
    )


def put(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("theirs")


def raw(folder):
    write_dataset(folder, "sub-01/anat/sub-01_T2w", description={"Name": "raw", "BIDSVersion": "1.8.0"})
    put(folder, "README", "participants.tsv", "sub-01/sub-01_scans.tsv")


def raw_without_description(folder):
    write_nifti(folder / "sub-01" / "anat" / "sub-01_T2w.nii.gz", cord())


def fmriprep(folder):
    described(folder, DatasetType="derivative", GeneratedBy=[{"Name": "fMRIPrep", "Version": "23"}])
    put(folder, "README.md", "CHANGES", ".bidsignore", "sub-01.html", "group.html", "sub-01/figures/t1.svg")
    put(folder, "sub-01/ses-1/sub-01_ses-1_scans.tsv", "descriptions.tsv", "logs/CITATION.md", "logs/CITATION.html")


def mriqc(folder):
    described(folder, DatasetType="derivative", GeneratedBy=[{"Name": "MRIQC"}])
    put(folder, "sub-01_T1w.html", "group_T1w.tsv", "group_T1w.html", "sub-01/anat/sub-01_T1w.json")


def old_pipeline(folder):
    described(folder, PipelineDescription={"Name": "fmriprep"})


def unreadable(folder):
    put(folder, "dataset_description.json", "sub-01/anat/sub-01_T2w.json")


def home(folder):
    put(folder, ".bashrc", ".ssh/id_rsa", "Documents/thesis.docx", "notes.txt")


def fresh_home(folder):
    put(folder, ".bashrc", ".profile")


def several(folder):
    fmriprep(folder / "fmriprep")
    mriqc(folder / "mriqc")


def participants_only(folder):
    put(folder, "participants.tsv")


def link_inside(folder):
    outside = folder.with_name("outside")
    put(outside, "keep.svg")
    folder.mkdir()
    (folder / "sub-01").symlink_to(outside)


FOREIGN = [
    *(raw, raw_without_description, fmriprep, mriqc, old_pipeline, unreadable, home, fresh_home, several),
    *(participants_only, link_inside),
]


def state(*folders):
    """Return type, content and times of everything below folders, the folders themselves included."""
    found = {}
    for folder in folders:
        for path in (folder, *sorted(folder.rglob("*"))):
            facts = path.lstat()
            content = path.read_bytes() if path.is_file() else path.is_symlink() and path.readlink()
            found[str(path)] = (facts.st_mode, facts.st_mtime_ns, content)
    return found


@pytest.fixture
def run(capsys):
    def run(*words):
        code = cli.main([*map(str, words), *SKIP], engine=FakeEngine())
        out, err = capsys.readouterr()
        return code, err, summary_of(out)

    return run


@pytest.fixture
def data(tmp_path):
    return write_dataset(tmp_path / "in", "sub-01/anat/sub-01_T2w")


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("make", FOREIGN, ids=lambda make: make.__name__)
def test_a_folder_of_somebody_else_is_refused_and_stays_as_it_is(run, data, tmp_path, make, mode):
    out = tmp_path / "out"
    make(out)
    before = state(out, *tmp_path.glob("outside"))
    code, err, summary = run(data, out, *MODES[mode])
    assert (code, summary["log"]) == (64, "")
    assert f"The output folder {out} holds " in err
    assert state(out, *tmp_path.glob("outside")) == before


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (raw, "a raw data set (raw)"),
        (fmriprep, "another data set (theirs, made by fMRIPrep)"),
        (old_pipeline, "made by fmriprep"),
        (unreadable, "a dataset_description.json that cannot be read"),
        (home, ".bashrc"),
        (several, "fmriprep/"),
        (raw_without_description, "sub-01/anat/sub-01_T2w.nii.gz"),
    ],
)
def test_what_was_found_is_named(tmp_path, make, named):
    make(tmp_path / "out")
    with pytest.raises(UsageError) as caught:
        check_ours(tmp_path / "out")
    assert named in str(caught.value)


HARMLESS = (
    "lost+found/x",
    ".DS_Store",
    "._x",
    ".git/config",
    ".gitattributes",
    ".datalad/config",
    "slurm-12.out",
    "x.log",
)


@pytest.mark.parametrize("mode", ["participant", "strict", "both"])
def test_an_empty_folder_and_what_systems_put_into_it_are_fine_and_stay(run, data, tmp_path, mode):
    out = tmp_path / "out"
    put(out, *HARMLESS)
    (out / "work" / "empty").mkdir(parents=True)
    before = {name: (out / name).stat().st_mtime_ns for name in HARMLESS}
    assert run(data, out, *MODES[mode])[0] == 0
    assert {name: (out / name).stat().st_mtime_ns for name in HARMLESS} == before


def test_results_of_another_version_are_ours(run, data, tmp_path):
    out = tmp_path / "out"
    assert run(data, out, "participant")[0] == 0
    path = out / "dataset_description.json"
    content = json.loads(path.read_text())
    content["GeneratedBy"][0]["Version"] = "9.9"
    content["GeneratedBy"].append({"Name": "corrector", "Version": "1"})
    path.write_text(json.dumps(content))
    assert run(data, out, "participant", "group")[0] == 0
    # What somebody added to the description stays in it.
    makers = json.loads(path.read_text())["GeneratedBy"]
    assert [maker["Name"] for maker in makers] == ["bids_deepseg", "corrector"]


@pytest.mark.parametrize("layout", ["bids", "strict"])
@pytest.mark.parametrize("damage", ["removed", "empty", "zeros", "half"])
def test_results_whose_description_is_damaged_are_ours(run, data, tmp_path, layout, damage):
    out = tmp_path / "out"
    words = (data, out, "participant", "group", "--output-layout", layout)
    run(*words)
    path = out / "dataset_description.json"
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "zeros": bytes(50), "half": whole[:99]}.get(damage, b""))
    if damage == "removed":
        path.unlink()
    assert run(*words)[0] == 0
    assert path.read_bytes() == whole


def test_nothing_of_others_is_touched_inside_of_a_folder_of_ours(run, data, tmp_path):
    out = tmp_path / "out"
    run(data, out, "participant", "--report-format", "linked")
    names = ("sub-01/figures/t1.svg", "sub-01/ses-1/sub-01_ses-1_scans.tsv", "sub-09.html", "sub-09/sub-09_scans.tsv")
    put(out, *names, "sub-01/figures/0123456789abcdef.png", "notes/mine.txt", "sub-01/anat/sub-01_T1w_seg.nii.gz")
    scans = out / "sub-01" / "sub-01_scans.tsv"
    scans.write_text("filename\tacq_time\n")
    theirs = [
        *(out / name for name in names),
        scans,
        out / "notes/mine.txt",
        out / "sub-01/figures/0123456789abcdef.png",
    ]
    theirs.append(out / "sub-01/anat/sub-01_T1w_seg.nii.gz")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in theirs}
    write_nifti(data / "sub-01/anat/sub-01_T2w.nii.gz", cord(radius_mm=4.0))
    for mode, words in MODES.items():
        code, err, _ = run(data, out, *words)
        assert code == 0, (mode, err)
        found = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in theirs}
        assert found == before, mode
    assert "sub-01_scans.tsv was not made by this app" in run(data, out, "participant")[1]


@pytest.mark.parametrize("page", ["sub-01.html", "group.html"])
def test_a_page_of_somebody_else_stays_and_is_named(run, data, tmp_path, page):
    out = tmp_path / "out"
    put(out, "lost+found/x")
    described(out, DatasetType="derivative", GeneratedBy=[{"Name": "bids_deepseg", "Version": "0.1.0"}])
    put(out, page)
    code, err, summary = run(data, out, "participant", "group")
    assert (code, (out / page).read_text(), summary["done"]) == (73, "theirs", 1)
    assert f"{out / page} exists and was not made by bids_deepseg" in err


@pytest.mark.parametrize("place", ["sub-01", "sub-01/anat", "sub-01/figures", "logs", "docs"])
def test_nothing_is_written_or_removed_behind_a_link(run, data, tmp_path, place):
    out, outside = tmp_path / "out", tmp_path / "outside"
    run(
        data,
        out,
        "participant",
        "--report-format",
        "linked",
        "--output-layout",
        "strict" if place == "docs" else "bids",
    )
    (out / place).rename(outside)
    put(outside, "keep.svg", "sub-01_scans.tsv")
    (out / place).symlink_to(outside)
    before = state(outside)
    write_nifti(data / "sub-01/anat/sub-01_T2w.nii.gz", cord(radius_mm=4.0))
    for mode in ("linked", "participant", "strict"):
        code, err, _ = run(data, out, *MODES[mode])
        assert state(outside) == before, mode
        # Without figures that are files, their folder is not looked at.
        if place != "sub-01/figures" or mode == "linked":
            assert code == 73, (mode, err)
            assert "is a link" in err


def test_a_file_that_is_a_link_is_replaced_and_what_it_leads_to_stays(run, data, tmp_path):
    """Data management programs make links of all files that they keep."""
    out, store = tmp_path / "out", tmp_path / "store"
    run(data, out, "participant", "group")
    store.mkdir()
    kept = {}
    for number, path in enumerate(
        sorted(path for path in out.rglob("*") if path.is_file() and "logs" not in path.parts)
    ):
        kept[store / str(number)] = path.read_bytes()
        path.rename(store / str(number))
        path.symlink_to(store / str(number))
    assert run(data, out, "participant", "group")[2]["skipped"] == 1
    write_nifti(data / "sub-01/anat/sub-01_T2w.nii.gz", cord(radius_mm=4.0))
    assert run(data, out, "participant", "group")[2]["done"] == 1
    assert {path: path.read_bytes() for path in store.iterdir()} == kept


def test_a_new_folder_is_nobodys(tmp_path):
    assert find_foreign(tmp_path / "new") is None
    assert find_foreign(tmp_path) is None


# ---- other commands -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["t2_label-SC_mask.nii.gz", "t2_report.html"])
@pytest.mark.parametrize("force", [(), ("--force",)])
def test_segment_overwrites_no_mask_or_page_of_somebody_else(tmp_path, capsys, name, force):
    image = write_nifti(tmp_path / "t2.nii.gz", cord())
    put(tmp_path, name)
    assert cli.main(["segment", str(image), "-o", str(tmp_path), "-q", *force], engine=FakeEngine()) == 73
    assert (tmp_path / name).read_text() == "theirs"
    assert str(tmp_path / name) in capsys.readouterr().err
    (tmp_path / name).unlink()
    for _ in range(2):
        assert cli.main(["segment", str(image), "-o", str(tmp_path), "-q", "--force"], engine=FakeEngine()) == 0


def test_the_viewer_saves_no_points_over_a_file_of_somebody_else(tmp_path, capsys):
    image = write_nifti(tmp_path / "t2.nii.gz", cord())
    for name, code in (("notes.html", 64), ("notes.csv", 65)):
        put(tmp_path, name)
        assert cli.main(["viewer", str(image), "-o", str(tmp_path / name)]) == code
        assert (tmp_path / name).read_text() == "theirs"
    capsys.readouterr()


@pytest.mark.parametrize("make", FOREIGN, ids=lambda make: make.__name__)
def test_the_example_is_written_into_an_empty_folder_only(tmp_path, capsys, make):
    make(tmp_path / "out")
    before = state(tmp_path / "out")
    assert cli.main(["example", str(tmp_path / "out")]) == 73
    assert state(tmp_path / "out") == before
    capsys.readouterr()
