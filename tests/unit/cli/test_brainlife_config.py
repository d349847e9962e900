"""Whatever config.json of brainlife holds, the app ends with a sentence and with product.json."""

import json
from pathlib import Path

import pytest

from bids_deepseg.cli import brainlife

LONG = "a" * 300


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("t2.nii.gz", "t2s.nii"):
        Path(name).touch()
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "5",
        "[" * 100_000,
        '{"t2":' * 100_000,
        '{"t2": NaN}',
        '{"t2": "t2.nii.gz", "t2": "x"}',
        "{}",
        '{"t2": ["t2.nii.gz"]}',
        '{"t2": {"a": 1}}',
        '{"t2": 5}',
        '{"t2": true}',
        '{"t2": "."}',
        '{"t2": "missing.nii.gz"}',
        json.dumps({"t2": LONG}),
        json.dumps({"t2": "a\0b"}),
        json.dumps({"t2": "t2.nii.gz", "contrast": ["t2"]}),
        json.dumps({"t2": "t2.nii.gz", "contrast": LONG}),
        json.dumps({"t2": "t2.nii.gz", "_inputs": [{"id": "t2", "meta": {"subject": LONG}}]}),
        json.dumps({"t2": "t2.nii.gz", "_inputs": [{"id": "t2", "meta": {"subject": ["01"]}}]}),
        json.dumps({"t2": "t2.nii.gz", "_inputs": [{"id": "t2", "meta": {"session": 1.5}}]}),
        json.dumps({"t2": "t2.nii.gz", "t2s": "t2s.nii", "_inputs": [{"id": "t2", "tags": ["t2s"]}]}),
    ],
)
def test_a_wrong_configuration_ends_with_64_and_a_product(here, capsys, text):
    Path("config.json").write_text(text)
    assert brainlife.main([]) == 64
    (message,) = json.loads(Path("product.json").read_text())["brainlife"]
    assert message["type"] == "error"
    assert message["msg"].endswith((".", "config.json.sample.")) or len(message["msg"]) == 1000
    assert message["msg"][:50] in capsys.readouterr().err


@pytest.mark.parametrize(
    "entry",
    [
        {"meta": "x"},
        {"meta": None},
        {"tags": 1.5},
        {"datatype_tags": 1.5},
        {"tags": "t2star"},
        {"meta": {"subject": 7}},
    ],
)
def test_values_of_other_types_that_are_not_needed_are_passed_over(here, entry):
    Path("config.json").write_text(json.dumps({"t2": "t2.nii.gz", "_inputs": [3, {"id": "t2", **entry}]}))
    brainlife.prepare(Path("config.json"), Path("bids"))
    (link,) = Path("bids").rglob("*.nii.gz")
    subject = "sub-7" if entry.get("meta") == {"subject": 7} else "sub-01"
    assert link.name == f"{subject}_{'T2starw' if entry.get('tags') == 't2star' else 'T2w'}.nii.gz"
