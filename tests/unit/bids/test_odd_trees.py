"""Data sets with links to nowhere, odd names and values that exist nowhere: each file is taken or named."""

import json
import os
import string
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.bids.image import DEFAULT_SUFFIXES
from bids_deepseg.bids.source.filters import read_filters
from bids_deepseg.bids.source.found import is_image_name, name_parser
from bids_deepseg.bids.source.query import Selection, find_images
from bids_deepseg.bids.source.walk import FileIndex, find_files, list_participants
from bids_deepseg.errors import BidsDeepsegError, DatasetError, SelectionError


def touch(root, *names):
    root.mkdir(parents=True, exist_ok=True)
    (root / "dataset_description.json").write_text("{}")
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")
    return root


def link(root, name, target="/not/mounted/anything"):
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).symlink_to(target)


def taken(result):
    return [image.relative_path for image in result.images]


def reasons(result, root):
    return {str(each.path.relative_to(root)): each.reason for each in result.skipped}


# ---- folders --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["sub-02", "sub-02/ses-a", "sub-02/anat", "sub-02/ses-a/dwi"])
@pytest.mark.parametrize("kind", ["link", "loop", "file"])
def test_what_stands_in_place_of_a_folder_is_named_at_every_level(tmp_path, broken, kind):
    root = touch(tmp_path, "sub-01/anat/sub-01_T2w.nii.gz")
    if kind == "file":
        touch(root, broken)
    else:
        link(root, broken, "/not/mounted/x" if kind == "link" else Path(broken).name)
    result = find_images(root, Selection())
    missing, instead = "does not exist (not mounted?)", "a file where a folder is expected"
    told = {"link": missing, "loop": "leads nowhere", "file": instead}[kind]
    assert taken(result) == ["sub-01/anat/sub-01_T2w.nii.gz"]
    assert told in reasons(result, root)[broken]
    assert told in result.without_images["02"]
    assert find_images(root, Selection(participants=frozenset({"02"}))).unknown == ()


def test_a_link_to_a_participant_that_is_not_here_is_no_unknown_label(tmp_path):
    root = touch(tmp_path)
    link(root, "sub-01")
    assert list_participants(root) == ("01",)
    assert "mounted" in find_images(root, Selection()).without_images["01"]
    index = FileIndex({"07": (root / "sub-07/anat/sub-07_T2w.nii.gz",)})
    assert find_images(root, Selection(), index).subjects == ("01", "07")


def test_a_closed_folder_costs_only_what_is_in_it(tmp_path, monkeypatch):
    root = touch(tmp_path, *(f"sub-01/ses-{n}/anat/sub-01_ses-{n}_T2w.nii.gz" for n in "123"))
    scandir = os.scandir

    def refuse(path):
        if Path(path).parent.name == "ses-2":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    result = find_images(root, Selection())
    assert [image.session for image in result.images] == ["1", "3"]
    assert "Permission denied" in reasons(result, root)["sub-01/ses-2/anat"]


def test_files_of_the_root_are_no_participants(tmp_path):
    root = touch(tmp_path, "sub-01/anat/sub-01_T2w.nii.gz", "sub-01.html", "sub-01_scans.tsv")
    link(root, "sub-list.txt")
    assert list_participants(root) == ("01",)


# ---- names ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("sub-01_T2w.backup.nii.gz", "'.backup' before the ending"),
        ("sub-01_T2w.orig.nii", "'.orig' before the ending"),
        ("sub-01_T2w..nii.gz", "before the ending"),
        ("sub-01_T2w.nii.nii", "before the ending"),
        ("sub-01_T2w.tar.nii.gz", "before the ending"),
        ("sub-01_T2w.nii.nii.gz", "before the ending"),
        ("sub-01_acq-x_T2w.NII.GZ", "in lower case"),
        ("sub-01_acq-x_T2w.Nii", "in lower case"),
        ("sub-01_acq-x_T2w.nii.GZ", "in lower case"),
        ("sub-01_acq-x_T2w.nii.bz2", "Images end with"),
        ("sub-01_acq-x_T2w.nii.gz.part", "Images end with"),
        ("sub-01_acq-x_T2w.img", "Images end with"),
        ("sub-01_acq-x_T2w.mgz", "Images end with"),
        ("sub-01_T2w\n.nii.gz", "not of the form"),
    ],
)
def test_copies_and_other_spellings_are_named_and_the_image_is_taken(tmp_path, name, told):
    root = touch(tmp_path, "sub-01/anat/sub-01_T2w.nii.gz", f"sub-01/anat/{name}")
    result = find_images(root, Selection())
    assert taken(result) == ["sub-01/anat/sub-01_T2w.nii.gz"]
    assert told in reasons(result, root)[f"sub-01/anat/{name}"]


@pytest.mark.parametrize("place", ["Anat", "ANAT", "DWI"])
def test_folders_and_files_in_other_places_are_named(tmp_path, place):
    root = touch(
        tmp_path,
        "sub-01/anat/sub-01_T2w.nii.gz",
        f"sub-01/{place}/sub-01_T1w.nii.gz",
        "sub-01/sub-01_PDw.nii.gz",
        "sub-01/Ses-a/anat/sub-01_ses-a_T1w.nii.gz",
        "sub-01/ses_b/anat/sub-01_ses-b_T1w.nii.gz",
        "Sub-02/anat/sub-02_T1w.nii.gz",
    )
    result = find_images(root, Selection())
    assert taken(result) == ["sub-01/anat/sub-01_T2w.nii.gz"]
    assert {f"sub-01/{place}", "sub-01/sub-01_PDw.nii.gz", "sub-01/Ses-a", "sub-01/ses_b", "Sub-02"} == set(
        reasons(result, root)
    )


def test_a_data_set_of_misspelt_participants_says_so(tmp_path):
    with pytest.raises(DatasetError, match="Rename SUB-01"):
        list_participants(touch(tmp_path, "SUB-01/anat/sub-01_T1w.nii.gz"))


def test_what_belongs_beside_a_diffusion_series_is_not_selected_and_no_mistake(tmp_path):
    names = [f"sub-01/dwi/sub-01_{suffix}.nii.gz" for suffix in ("dwi", "sbref", "ADC", "FA", "S0map", "trace")]
    root = touch(tmp_path, *names, "sub-01/anat/sub-01_dwi.nii.gz", "sub-01/dwi/sub-01_T2w.nii.gz")
    result = find_images(root, Selection())
    assert taken(result) == ["sub-01/dwi/sub-01_dwi.nii.gz"]
    assert result.unsupported == {"sbref": 1, "ADC": 1, "FA": 1, "S0map": 1, "trace": 1}
    assert set(reasons(result, root)) == {"sub-01/anat/sub-01_dwi.nii.gz", "sub-01/dwi/sub-01_T2w.nii.gz"}
    assert len(find_images(root, Selection(suffixes=frozenset({"sbref"}))).images) == 1


PIECES = st.sampled_from(
    ["sub-01", "sub-02", "Sub-01", "sub-", "ses-a", "ses-", "SES-a", "anat", "dwi", "Anat", "x", "sub-01_ses-a", ".git"]
)
FILES = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", ".", "sub-01_", "sub-02_", "sub-01_ses-a_", "sub-01_acq-x_", "sub-1_sub-1_", "\udce9_"]),
        st.sampled_from([*DEFAULT_SUFFIXES, "bold", "T2w copy", "", "T2w\n", "\udcff", "²"]),
        st.sampled_from([".nii.gz", ".nii", ".NII.GZ", ".nii.gz~", ".b.nii", ".json", "", ".nii.gz.nii.gz", ".img"]),
    ),
)


@given(
    st.lists(
        st.tuples(st.lists(PIECES, max_size=4), FILES, st.sampled_from(["file", "link", "folder", "loop"])), max_size=12
    )
)
def test_of_any_tree_each_file_is_taken_or_named(entries):
    with tempfile.TemporaryDirectory() as folder:
        root = touch(Path(folder))
        for steps, name, kind in entries:
            try:
                _make(root.joinpath(*steps, name or "x"), kind)
            except OSError:
                continue
        try:
            result = find_images(root, Selection())
        except BidsDeepsegError:
            return
        named = {each.path for each in result.skipped}
        images = {image.path for image in result.images}
        found = [file for label in result.subjects for file in find_files(root, label, name_parser())]
        counted = {file.path for file in found if not file.refusal and file.suffix in result.unsupported}
        for path in _image_paths(root):
            assert path in images | named | counted or named & set(path.parents)
        assert not named & images


def _make(path, kind):
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "file":
        path.write_bytes(b"")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path.name if kind == "loop" else "/not/mounted/x")


def _image_paths(root):
    """Yield what looks like an image in a folder of images of a participant, links included."""
    for pattern in ("sub-*/anat/*", "sub-*/dwi/*", "sub-*/ses-*/anat/*", "sub-*/ses-*/dwi/*"):
        yield from (path for path in root.glob(pattern) if is_image_name(path.name))


# ---- values that exist nowhere --------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path):
    return touch(
        tmp_path / "in",
        *(f"sub-01/ses-{s}/anat/sub-01_ses-{s}_acq-ax_run-01_T2w.nii.gz" for s in ("pre", "post")),
        "sub-01/anat/sub-01_T1w.nii.gz",
        "sub-02/ses-late/anat/sub-02_ses-late_T2w.nii.gz",
    )


def unknown(root, **selection):
    found = find_images(root, Selection(**selection)).unknown
    return [(each.kind.partition(" ")[0], each.value, each.nearest) for each in found]


def test_each_kind_of_value_is_named_with_the_nearest(root):
    everybody = {"participants": frozenset({"01", "1"}), "excluded": frozenset({"03"})}
    assert unknown(root, **everybody) == [("participant", "1", "01"), ("participant", "03", "02")]
    assert unknown(root, sessions=frozenset({"pre", "pots"})) == [("session", "pots", "post")]
    assert unknown(root, suffixes=frozenset({"T2w", "T1W"})) == [("suffix", "T1W", "T1w")]
    # The usual suffixes need not all be there, and what only somebody else has exists.
    assert unknown(root) == []
    assert unknown(root, participants=frozenset({"01"}), sessions=frozenset({"pre", "late"})) == []


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"acquisition": "axx"}, [("acquisition", "axx", "ax")]),
        ({"acquisition": ["ax", "z"], "session": ["pots"]}, [("acquisition", "z", None), ("session", "pots", "post")]),
        ({"run": 1, "reconstruction": None}, []),
        ({"run": "²", "echo": "*"}, [("run", "²", None), ("echo", "*", None)]),
        ({"run": "1" * 5000}, [("run", "1" * 5000, None)]),
    ],
)  # fmt: skip
def test_each_value_of_a_filter_is_named(root, tmp_path, conditions, expected):
    (tmp_path / "filter.json").write_text(json.dumps({"t2w": conditions}))
    filters = read_filters(tmp_path / "filter.json", DEFAULT_SUFFIXES)
    everything = Selection(filters=filters)
    assert sorted(
        (each.kind.partition(" ")[0], each.value, each.nearest)
        for each in _unknown_even_if_nothing_is_left(root, everything)
    ) == sorted(expected)


def _unknown_even_if_nothing_is_left(root, selection):
    """Return the unknown values of a selection, with an image that no filter concerns beside."""
    return find_images(touch(root, "sub-03/anat/sub-03_PDw.nii.gz"), selection).unknown


def test_thousands_of_unknown_labels_take_no_minutes_and_no_page(root):
    labels = frozenset({"01", *(f"{n:05d}" for n in range(20_000))})
    result = find_images(root, Selection(participants=labels))
    assert len(result.unknown) == 20_000
    assert sum(each.nearest is not None for each in result.unknown) <= 20
    with pytest.raises(SelectionError) as caught:
        find_images(root, Selection(participants=labels - {"01"}))
    assert len(str(caught.value)) < 1000


@given(st.lists(st.text(string.ascii_letters + string.digits, min_size=1, max_size=4), min_size=1, max_size=8))
def test_a_label_is_unknown_exactly_when_it_does_not_exist(labels):
    with tempfile.TemporaryDirectory() as folder:
        existing = labels[: len(labels) // 2 + 1]
        root = touch(Path(folder), *(f"sub-{label}/anat/sub-{label}_T2w.nii.gz" for label in existing))
        result = find_images(root, Selection(participants=frozenset(labels)))
        assert {each.value for each in result.unknown} == set(labels) - set(existing)
