"""Train one network from its configuration: a loop over batches that works with every Keras backend.

The loss functions take soft targets and are written with backend-independent operations.
"""

import csv
import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from bids_deepseg.errors import UsageError
from bids_deepseg.networks.architectures import build_network
from bids_deepseg.networks.keras_predictor import load_predictor
from bids_deepseg.networks.specs import read_spec
from bids_deepseg.training.configuration import (
    Optimisation,
    Progress,
    TrainingConfig,
    load_checkpoint,
    read_config,
    save_checkpoint,
    saved_progress,
)
from bids_deepseg.training.pool import PoolSettings, SamplePool, Stream
from bids_deepseg.training.prepared import held_out_of
from bids_deepseg.training.streams import load_prepared_stream, load_stream

logger = logging.getLogger(__name__)

#: Weights and cards of the package.
WEIGHTS_DIR = Path(__file__).parent.parent / "networks" / "weights"
CURVE_NAME = "curve.csv"
#: Holds the step from which on the held-out participants were shown too.
EVERYONE_NAME = "everyone_from_step.txt"
#: Holds what is known of the weights that a training started from.
START_NAME = "started_from.json"
_LOG_EVERY = 50

#: Keeps logarithms and ratios finite.
_EPSILON = 1e-6


def build_model(config: TrainingConfig) -> Any:
    """Build and compile the network of a configuration.

    The seed sets its first weights, but for layers that the network it starts from has as well.
    """
    import keras  # noqa: PLC0415 - importing this package must not load a network library

    keras.utils.set_random_seed(config.seed)
    model = build_network(config.architecture, config.samples.patch_shape)
    if config.start_from is not None:
        copy_weights(_first_network(config.start_from, config.start_run), model)
    loss = detection_loss if config.samples.task == "detection" else segmentation_loss
    optimizer = keras.optimizers.Adam(config.optimisation.learning_rate)
    # Just-in-time compilation makes the steps of this network slower with TensorFlow on CPUs (19 against 11 ms for each
    # sample); JAX has no other way to be fast.
    model.compile(optimizer=optimizer, loss=loss, jit_compile=keras.backend.backend() == "jax")
    return model


def _first_network(name: str, run_dir: Path | None) -> Any:
    """Return the network that a training starts from: that of the package, or of the checkpoint in a run folder."""
    if run_dir is None:
        return load_predictor(read_spec(name)).network
    network = build_model(read_config(name))
    if load_checkpoint(run_dir, network).step == 0:
        raise UsageError(
            f"The training is to start from {run_dir}, which holds no checkpoint. Train {name} there first."
        )
    return network


def copy_weights(source: Any, target: Any) -> None:
    """Copy the weights of all layers that two networks share by name."""
    shared = {layer.name for layer in target.layers}
    for layer in source.layers:
        if layer.name in shared and layer.weights:
            target.get_layer(layer.name).set_weights(layer.get_weights())


def learning_rates(optimisation: Optimisation) -> Callable[[int], Any]:
    """Return the learning rate by step: linear warm-up, then half a cosine down to zero."""
    import keras  # noqa: PLC0415 - importing this package must not load a network library

    peak, warmup = optimisation.learning_rate, optimisation.warmup
    length = max(optimisation.steps - warmup, 1)
    first, target = (peak / warmup, peak) if warmup else (peak, None)
    schedule: Callable[[int], Any] = keras.optimizers.schedules.CosineDecay(
        first, length, warmup_target=target, warmup_steps=warmup
    )
    return schedule


def fit(
    config: TrainingConfig,
    run_dir: Path,
    make_stream: Callable[[], Stream],
    *,
    stop_after: int | None = None,
    n_generators: int = 1,
) -> Progress:
    """Train until the last step, from the run folder's checkpoint if it has one.

    Parameters
    ----------
    config : TrainingConfig
        Settings of the training.
    run_dir : Path
        Folder of checkpoint and learning curve.
    make_stream : callable
        Makes the sample stream in a generator process; must be picklable.
    stop_after : int, optional
        Stop after this many steps of this call, with a checkpoint.
    n_generators : int, optional
        Processes that make samples.

    Returns
    -------
    Progress
        Where the training stands.
    """
    run_dir.mkdir(parents=True, exist_ok=True)
    model = build_model(config)
    progress = load_checkpoint(run_dir, model)
    plan = config.optimisation
    last = plan.steps if stop_after is None else min(plan.steps, progress.step + stop_after)
    logger.info("Training %s from step %d to %d", config.name, progress.step, last)
    pool = SamplePool(
        make_stream,
        PoolSettings(plan.pool, config.samples.sample_shape, plan.reuse, progress.samples_made, n_generators),
    )
    with pool:
        return _run_steps(config, run_dir, model, pool, progress, last)


def _run_steps(  # the loop that all else serves
    config: TrainingConfig, run_dir: Path, model: Any, pool: SamplePool, start: Progress, last: int
) -> Progress:
    """Run the steps from ``start`` to ``last``; log, and save checkpoints."""
    plan, began, progress = config.optimisation, time.monotonic(), start
    rng = np.random.default_rng([config.seed, 1, start.step])
    learning_rate = learning_rates(plan)
    for step in range(start.step, last):
        model.optimizer.learning_rate = learning_rate(step)
        loss = float(model.train_on_batch(*pool.draw(rng, plan.batch)))
        done = step + 1
        progress = Progress(done, start.samples_made + pool.n_made, start.seconds + time.monotonic() - began)
        if done % _LOG_EVERY == 0 or done == last:
            _log(run_dir, progress, loss, seconds_left=_seconds_left(start, progress, plan.steps))
            # The loss that Keras returns is the mean since the last reset.
            model.reset_metrics()
        if done % plan.checkpoint_every == 0 or done == last:
            save_checkpoint(run_dir, model, progress)
    return progress


def _seconds_left(start: Progress, progress: Progress, steps: int) -> float:
    """Estimate the time to the last step from the speed since the start of this call."""
    per_step = (progress.seconds - start.seconds) / max(progress.step - start.step, 1)
    return per_step * (steps - progress.step)


def _log(run_dir: Path, progress: Progress, loss: float, *, seconds_left: float) -> None:
    """Log a line, and append to the learning curve."""
    logger.info(
        "step %d  loss %.4f  samples made %d  %.0f min done  %.0f min left",
        progress.step, loss, progress.samples_made, progress.seconds / 60, seconds_left / 60,
    )  # fmt: skip
    path = run_dir / CURVE_NAME
    is_new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        if is_new:
            writer.writerow(["step", "loss", "samples_made", "seconds"])
        writer.writerow([progress.step, f"{loss:.5f}", progress.samples_made, f"{progress.seconds:.1f}"])


def fit_from_data(
    config: TrainingConfig,
    run_dir: Path,
    data_dir: Path,
    *,
    steps: int | None = None,
    held_out: tuple[str, ...] | None = None,
    n_generators: int = 1,
    prepared: Path | None = None,
) -> Progress:
    """Train on the data folder.

    ``steps`` replaces the configured number of steps. ``held_out`` are the participants left out, by default those of
    the table of sources. With nobody left out, the run folder keeps from which step on. ``n_generators`` processes make
    samples, of what was ``prepared`` if that is given: then it is who was left out there.
    """
    if prepared is not None:
        held_out = held_out_of(prepared)
    if steps is not None:
        config = replace(config, optimisation=replace(config.optimisation, steps=steps))
    note = run_dir / EVERYONE_NAME
    if held_out == () and not note.is_file():
        run_dir.mkdir(parents=True, exist_ok=True)
        note.write_text(f"{saved_progress(run_dir).step}\n", encoding="utf-8")
    note_start(config, run_dir)
    make_stream: Callable[[], Stream] = partial(load_stream, config, data_dir, held_out=held_out)
    if prepared is not None:
        make_stream = partial(load_prepared_stream, config, prepared)
    return fit(config, run_dir, make_stream, n_generators=n_generators)


def note_start(config: TrainingConfig, run_dir: Path) -> None:
    """Keep in the run folder which weights a training starts from: an export may replace those of the package."""
    note = run_dir / START_NAME
    if config.start_from is None or note.is_file():
        return
    if config.start_run is None:
        spec = read_spec(config.start_from)
        card = json.loads((WEIGHTS_DIR / f"{spec.name}.json").read_text(encoding="utf-8"))
        start = {"name": spec.name, "sha256": spec.sha256, "steps": card["training"]["steps"]}
    else:
        start = {"name": config.start_from, "sha256": None, "steps": saved_progress(config.start_run).step}
    run_dir.mkdir(parents=True, exist_ok=True)
    note.write_text(json.dumps(start) + "\n", encoding="utf-8")


def cross_entropy(target: Any, probability: Any) -> Any:
    """Return the mean binary cross-entropy of (N, H, W, 1) tensors."""
    from keras import ops  # noqa: PLC0415 - importing this package must not load a network library

    p = ops.clip(probability, _EPSILON, 1 - _EPSILON)
    return -ops.mean(target * ops.log(p) + (1 - target) * ops.log(1 - p))


def soft_dice(target: Any, probability: Any) -> Any:
    """Return the soft Dice coefficient of each patch, mean over the batch; 1 where both are empty.

    The squares in the denominator make the coefficient 1 for a soft target that is met exactly [1]_. The one pixel
    added to both sides keeps the empty patch from jumping between 0 and 1.

    References
    ----------
    .. [1] Milletari F, et al. V-Net. 3DV 2016.
    """
    from keras import ops  # noqa: PLC0415 - importing this package must not load a network library

    # A slice of a stack is scored like a patch of its own.
    target, probability = (ops.reshape(array, (-1, *array.shape[-3:])) for array in (target, probability))
    axes = (1, 2, 3)
    overlap = 2 * ops.sum(target * probability, axis=axes)
    total = ops.sum(ops.square(target), axis=axes) + ops.sum(ops.square(probability), axis=axes)
    return ops.mean((overlap + 1.0) / (total + 1.0))


def segmentation_loss(target: Any, probability: Any) -> Any:
    """Return 2 x cross-entropy + (1 - soft Dice)."""
    return 2 * cross_entropy(target, probability) + 1 - soft_dice(target, probability)


def detection_loss(target: Any, probability: Any) -> Any:
    """Return 10 x cross-entropy: the target covers few pixels, so the mean is small."""
    return 10 * cross_entropy(target, probability)
