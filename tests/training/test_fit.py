"""Training as a whole on a tiny network: it learns, resumes, exports and reloads."""

import csv
import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from bids_deepseg.errors import UsageError
from bids_deepseg.networks.architectures import build_unet
from bids_deepseg.networks.specs import check_weights, read_spec
from bids_deepseg.training.configuration import Progress, read_config, save_checkpoint
from bids_deepseg.training.evaluate import load_trained
from bids_deepseg.training.export import export
from bids_deepseg.training.fit import CURVE_NAME, START_NAME, build_model, fit, learning_rates, note_start
from bids_deepseg.training.samples import SampleStream
from bids_deepseg.training.synthesis.shapes import ShapeBank

#: The pool keeps 8 slots back from drawing, so 16 slots of a stream that is never renewed are 8 phantoms.
N_SLOTS = 16


@pytest.fixture
def config():
    """A tiny segmentation network and a pool of eight phantoms that is never renewed."""
    full = read_config("segmentation")
    return replace(
        full,
        architecture={"function": "build_unet", "arguments": {"base_filters": 8, "depth": 2}},
        samples=replace(full.samples, patch_shape=(32, 32), zoom_mm=1.0, without_cord=0.0, shift_mm=2.0),
        optimisation=replace(
            full.optimisation, steps=300, batch=8, learning_rate=1e-2, warmup=5, pool=N_SLOTS, reuse=1e9,
            checkpoint_every=50,
        ),
    )  # fmt: skip


def stream_of(config):
    return partial(SampleStream, config.samples, ShapeBank(), (), config.seed)


def rows_of(run_dir):
    with (run_dir / CURVE_NAME).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


# Keras saves TensorFlow's variables in a way that NumPy 2 deprecates.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_tiny_network_learns_eight_phantoms_exports_and_reloads(config, tmp_path):
    progress = fit(config, tmp_path / "run", stream_of(config))
    assert progress.step == 300
    losses = [float(row["loss"]) for row in rows_of(tmp_path / "run")]
    assert losses[-1] < 0.08
    assert losses[-1] < losses[0]

    card_path = export(config, tmp_path / "run", tmp_path / "weights")
    card = json.loads(card_path.read_text(encoding="utf-8"))
    assert card["training"]["steps"] == 300
    assert card["training"]["samples"] == 2400
    assert str(tmp_path) not in card_path.read_text(encoding="utf-8")
    spec = read_spec("segmentation", tmp_path / "weights")
    check_weights(spec)

    reloaded = build_unet(spec.patch_shape, **spec.architecture["arguments"])
    reloaded.load_weights(tmp_path / "weights" / card["weights"])
    stream = stream_of(config)()
    samples = [stream.sample(index) for index in range(N_SLOTS)]
    patches = np.stack([sample.patch for sample in samples])[..., None]
    trained = load_trained(config, tmp_path / "run").network
    answer = np.asarray(reloaded.predict_on_batch(patches))
    np.testing.assert_allclose(answer, trained.predict_on_batch(patches), atol=1e-6)
    found, truth = answer[..., 0] > 0.5, np.stack([sample.target for sample in samples]) > 0.5
    dice = 2 * (found & truth).sum((1, 2)) / (found.sum((1, 2)) + truth.sum((1, 2)))
    # Half of the slots were drawn from.
    assert np.sort(dice)[N_SLOTS // 2 :].min() > 0.9


def test_a_killed_training_goes_on_where_it_stopped(config, tmp_path):
    short = replace(config, optimisation=replace(config.optimisation, steps=8))
    first = fit(short, tmp_path, stream_of(short), stop_after=5)
    assert first.step == 5
    last = fit(short, tmp_path, stream_of(short))
    assert last.step == 8
    assert last.samples_made >= first.samples_made
    assert last.seconds > first.seconds
    assert [int(row["step"]) for row in rows_of(tmp_path)] == [5, 8]
    # A finished training does nothing.
    assert fit(short, tmp_path, stream_of(short)) == last


def test_the_learning_rate_rises_and_falls_to_zero(config):
    rate = learning_rates(replace(config.optimisation, steps=100, warmup=10, learning_rate=1.0))
    assert float(rate(0)) == pytest.approx(0.1)
    assert float(rate(10)) == pytest.approx(1)
    assert float(rate(55)) == pytest.approx(0.5)
    assert float(rate(100)) == pytest.approx(0, abs=1e-6)


def test_exporting_without_a_training_says_what_to_do(config, tmp_path):
    with pytest.raises(UsageError, match=r"There is no checkpoint in .* Run the training first"):
        export(config, tmp_path)


# As above.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_a_continued_training_says_in_its_card_which_weights_it_started_from(tmp_path):
    config = read_config("detection-continued")
    tiny = replace(config, architecture={"function": "build_unet", "arguments": {"base_filters": 4, "depth": 2}})
    note_start(config, tmp_path / "run")
    spec = read_spec("detection")
    start = json.loads((tmp_path / "run" / START_NAME).read_text(encoding="utf-8"))
    assert (start["name"], start["sha256"]) == ("detection", spec.sha256)
    assert start["steps"] > 0
    # Weights that replace those of the package later do not change what is noted.
    (tmp_path / "run" / START_NAME).write_text(json.dumps(start | {"sha256": "of before"}), encoding="utf-8")
    note_start(config, tmp_path / "run")
    model = build_model(replace(tiny, start_from=None))
    model.optimizer.build(model.trainable_variables)
    save_checkpoint(tmp_path / "run", model, Progress(7, 100, 3.0))
    card_path = export(replace(tiny, start_from=None), tmp_path / "run", tmp_path / "weights")
    training = json.loads(card_path.read_text(encoding="utf-8"))["training"]
    assert training["started_from"]["sha256"] == "of before"
    assert training["steps"] == 7
    assert "fit detection-continued --run-dir" in training["command"]


def test_a_continued_training_has_the_stream_of_the_first():
    first, continued = read_config("detection"), read_config("detection-continued")
    assert continued.samples == first.samples
    assert continued.architecture == first.architecture
    assert (continued.name, continued.threshold) == (first.name, first.threshold)


def test_an_unknown_configuration_is_named():
    with pytest.raises(
        UsageError,
        match=r"There is no configuration lesion. Expected is one of detection, detection-continued, grey",
    ):
        read_config("lesion")
