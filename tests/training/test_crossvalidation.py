"""Leave-one-person-out cross-validation, on a data folder of phantoms and a tiny network."""

import csv
from dataclasses import replace

import numpy as np
import pytest

from bids_deepseg.errors import UsageError
from bids_deepseg.training import crossvalidation
from bids_deepseg.training.configuration import load_checkpoint, read_config
from bids_deepseg.training.crossvalidation import cross_validate
from bids_deepseg.training.fit import build_model
from bids_deepseg.training.streams import load_stream


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
    cross_validate(config, run_dir, data_dir, participants=("train03",))
    table = cross_validate(config, run_dir, data_dir)
    assert left_out == [("train03",), ("train01",)]
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    assert [row["image"] for row in rows] == ["sub-train01_T2w", "sub-train03_T2w"]
    assert all(0 <= float(row["calibration_error_exponent_2.0"]) <= 1 for row in rows)


def test_a_training_from_weights_that_saw_everyone_is_refused(config, data_dir, tmp_path):
    with pytest.raises(UsageError, match="saw everyone"):
        cross_validate(replace(config, start_from="segmentation"), tmp_path, data_dir)


_TINY = """
name = "tiny"
seed = 1
threshold = 0.5

[architecture]
function = "build_unet"
arguments = { base_filters = 4, depth = 2 }

[samples]
task = "segmentation"
patch_shape = [32, 32]
zoom_mm = 1.0
real_fraction = 0.5
without_cord = 0.0
shift_mm = 4.0

[optimisation]
steps = 2
batch = 4
learning_rate = 1e-3
warmup = 1
pool = 16
reuse = 1.0
checkpoint_every = 2
"""


@pytest.fixture
def chained(config, tmp_path):
    """A tiny network of slices, and one of stacks that starts from it."""
    path = tmp_path / "tiny.toml"
    path.write_text(_TINY, encoding="utf-8")
    architecture = {"function": "build_stack_unet", "arguments": {"base_filters": 4, "depth": 2, "n_slices": 3}}
    stacks = replace(config, architecture=architecture, samples=replace(config.samples, n_slices=3))
    return read_config(str(path)), replace(stacks, start_from=str(path))


@pytest.mark.slow
def test_each_fold_starts_from_its_own_fold_of_the_network_before(chained, data_dir, tmp_path, monkeypatch):
    slices, stacks = chained
    first, second = tmp_path / "first", tmp_path / "second"
    cross_validate(slices, first, data_dir)
    started = {}
    fit = crossvalidation.fit_from_data

    def watched(config, run_dir, data_dir, *, held_out):
        started[held_out] = config.start_run
        return fit(config, run_dir, data_dir, held_out=held_out)

    monkeypatch.setattr(crossvalidation, "fit_from_data", watched)
    cross_validate(stacks, second, data_dir, start_runs=first)
    assert started == {("train01",): first / "train01", ("train03",): first / "train03"}
    for person in ("train01", "train03"):
        fold = build_model(slices)
        load_checkpoint(first / person, fold)
        start = build_model(replace(stacks, start_run=first / person))
        shared = [layer for layer in fold.layers if layer.weights]
        assert shared
        for layer in shared:
            for expected, found in zip(layer.get_weights(), start.get_layer(layer.name).get_weights(), strict=True):
                np.testing.assert_array_equal(found, expected)
        assert load_checkpoint(second / person, start).step == stacks.optimisation.steps


def test_a_fold_without_its_first_network_is_told(chained, data_dir, tmp_path):
    _slices, stacks = chained
    with pytest.raises(UsageError, match="holds no checkpoint"):
        cross_validate(stacks, tmp_path / "second", data_dir, start_runs=tmp_path / "nothing")


def test_a_run_to_start_from_needs_a_network_to_start_from(config, data_dir, tmp_path):
    with pytest.raises(UsageError, match="names no network"):
        cross_validate(config, tmp_path / "second", data_dir, start_runs=tmp_path)
