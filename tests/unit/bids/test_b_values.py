"""The numbers of .bval files."""

import pytest

from bids_deepseg.bids.source.reader import read_image
from bids_deepseg.errors import ImageError
from tests.helpers.bids_trees import image_of, write_image

DWI = "sub-01/dwi/sub-01_dwi.nii.gz"


def read(root, text):
    write_image(root / DWI, (4, 5, 6, 4))
    (root / "sub-01/dwi/sub-01_dwi.bval").write_text(text, encoding="utf-8")
    return read_image(image_of(root, DWI))


@pytest.mark.parametrize(
    "word", ["nan", "NaN", "inf", "-inf", "1_000", "\u0661\u0660", "-800", "0x10", "1e", "1000,", "\u0967"]
)
def test_what_is_no_b_value_is_refused_with_the_word(tmp_path, word):
    with pytest.raises(ImageError, match="not a b-value") as caught:
        read(tmp_path, f"0 1000 {word} 1000")
    assert repr(word) in str(caught.value)
    assert caught.value.exit_code == 65


@pytest.mark.parametrize("text", ["0 1000 1e3 +1000.0", "0\t.8e3\n1000. 800\n", "-0 1000 1000 1000"])
def test_every_way_to_write_a_number_is_read(tmp_path, text):
    loaded = read(tmp_path, text)
    assert (loaded.volumes_used, loaded.notes) == ("3 of 4 volumes, b > 10 s/mm²", ())


@pytest.mark.parametrize(("low", "n_low"), [("15", 1), ("50", 1), ("51", 0)])
def test_hardly_weighted_volumes_count_and_are_told(tmp_path, low, n_low):
    loaded = read(tmp_path, f"0 {low} 1000 1000")
    assert loaded.volumes_used == "3 of 4 volumes, b > 10 s/mm²"
    assert [code for code, _ in loaded.notes] == ["low-b-value"] * n_low
