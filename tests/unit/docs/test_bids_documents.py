"""The documents name what the code has."""

import json
from pathlib import Path

from bids_deepseg.bids.image import DEFAULT_SUFFIXES
from bids_deepseg.networks.specs import contrast_of_suffix
from bids_deepseg.stages.metrics import COLUMNS
from tests.helpers.bids_trees import image_of, make_dataset, write_result

DOCS = Path(__file__).parents[3] / "docs"


def test_every_suffix_is_documented_and_has_a_contrast():
    text = (DOCS / "inputs.md").read_text(encoding="utf-8")
    assert [suffix for suffix in DEFAULT_SUFFIXES if f"`{suffix}`" not in text] == []
    assert None not in map(contrast_of_suffix, DEFAULT_SUFFIXES)


def test_every_column_and_sidecar_key_is_documented(tmp_path):
    text = (DOCS / "outputs.md").read_text(encoding="utf-8")
    name = "sub-01/dwi/sub-01_dwi.nii.gz"
    raw = make_dataset(tmp_path / "raw", {name: (6, 7, 5, 2)})
    sidecar = json.loads(write_result(image_of(raw, name), tmp_path / "out")[-1].read_text())
    assert [word for word in [*COLUMNS, *sidecar] if f"`{word}`" not in text] == []
