"""The lists of a review are read as they were written, and nothing else is taken for one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bids_deepseg.bids.derivatives.judgements import CORD_KEY, format_list, image_name, read_list, read_review
from bids_deepseg.errors import UsageError

WORD = st.text("abcXYZ0189-_.", min_size=1, max_size=12)


@given(names=st.lists(st.builds("sub-{}/anat/sub-{}_T2w.nii.gz".format, WORD, WORD)))
def test_what_was_written_is_read(tmp_path_factory, names):
    path = tmp_path_factory.mktemp("q") / "qc_fail.yml"
    path.write_bytes(format_list(names))
    assert read_list(path) == {CORD_KEY: tuple(sorted(set(names)))}


def test_the_forms_that_others_write_are_understood(tmp_path):
    text = """---
# saved by hand
FILES_GMSEG:
- sub-09_T2starw.nii.gz
FILES_SEG:
  - 'sub-01/ses-pre/anat/sub-01_ses-pre_T2w.nii.gz'   # leaks
  - "sub-02_T1w"
FILES_LABEL: []
"""
    (tmp_path / "qc_fail.yml").write_text(text)
    (tmp_path / "qc_artifact.yml").write_text("FILES_SEG:\n- data\\sub-03_T2w.nii\n- sub-02_T1w.nii.gz\n")
    assert read_list(tmp_path / "qc_fail.yml")["FILES_LABEL"] == ()
    assert read_review(tmp_path) == {"sub-01_ses-pre_T2w": "fail", "sub-02_T1w": "fail", "sub-03_T2w": "artifact"}
    assert read_review(tmp_path / "none") == {}


@pytest.mark.parametrize(
    "text", ["- sub-01_T2w.nii.gz\n", "FILES_SEG: sub-01\n", "just text\n", "FILES_SEG:\n  a: 1\n"]
)
def test_other_content_is_refused_with_the_form_that_is_expected(tmp_path, text):
    (tmp_path / "qc_fail.yml").write_text(text)
    with pytest.raises(UsageError, match="A key such as FILES_SEG is expected"):
        read_review(tmp_path)


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "qc_fail.yml").write_bytes(b"FILES_SEG:\n- a\x00b\n")
    with pytest.raises(UsageError, match="cannot be read"):
        read_review(tmp_path)


def test_entries_are_compared_by_the_name_of_the_image():
    assert {image_name(text) for text in ("a/b/sub-01_T2w.nii.gz", "sub-01_T2w", "C:\\d\\sub-01_T2w.nii")} == {
        "sub-01_T2w"
    }
