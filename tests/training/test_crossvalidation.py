"""Leave-one-person-out cross-validation, on a data folder of phantoms and a tiny network."""

import csv
from dataclasses import replace

import pytest

from bids_deepseg.errors import UsageError
from bids_deepseg.training import crossvalidation
from bids_deepseg.training.configuration import read_config
from bids_deepseg.training.crossvalidation import cross_validate
from bids_deepseg.training.fit import load_stream


@pytest.fixture
def config():
    """A tiny segmentation network and two steps."""
    full = read_config("segmentation")
    return replace(
        full,
        architecture={"function": "build_unet", "arguments": {"base_filters": 4, "depth": 2}},
        samples=replace(full.samples, patch_shape=(32, 32), zoom_mm=1.0),
        optimisation=replace(full.optimisation, steps=2, batch=4, pool=16),
    )


def test_everyone_is_left_out_once_and_complete_folds_are_kept(config, data_dir, tmp_path, monkeypatch):
    left_out = []
    fit = crossvalidation.fit_from_data

    def watched(config, run_dir, data_dir, *, held_out):
        left_out.append(held_out)
        names = {image.name for image in load_stream(config, data_dir, held_out=held_out).images}
        assert not any(person in name for person in held_out for name in names)
        assert names
        return fit(config, run_dir, data_dir, held_out=held_out)

    monkeypatch.setattr(crossvalidation, "fit_from_data", watched)
    run_dir = tmp_path / "run"
    cross_validate(config, run_dir, data_dir, people=("train03",))
    table = cross_validate(config, run_dir, data_dir)
    assert left_out == [("train03",), ("train01",)]
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [row["image"] for row in rows] == ["sub-train01_T2w", "sub-train03_T2w"]
    assert all(0 <= float(row["calibration_error_exponent_2.0"]) <= 1 for row in rows)


def test_a_training_from_weights_that_saw_everyone_is_refused(config, data_dir, tmp_path):
    with pytest.raises(UsageError, match="saw everyone"):
        cross_validate(replace(config, start_from="segmentation"), tmp_path, data_dir)
