"""Keep the state of a training on disk, independent of the Keras backend."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

CHECKPOINT_NAME = "checkpoint.npz"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is.

    Attributes
    ----------
    step : int
        Batches seen.
    samples_made : int
        Samples that the generator made, the number of the next one.
    seconds : float
        Time spent in training, over all restarts.
    """

    step: int = 0
    samples_made: int = 0
    seconds: float = 0.0


def save_checkpoint(run_dir: Path, model: Any, progress: Progress) -> None:
    """Save weights, optimizer state and progress; a crash while writing leaves the former checkpoint."""
    arrays = {f"weight_{index:04d}": w for index, w in enumerate(model.get_weights())}
    for index, variable in enumerate(model.optimizer.variables):
        arrays[f"optimizer_{index:04d}"] = np.asarray(variable.numpy())
    arrays["progress"] = np.array([progress.step, progress.samples_made, progress.seconds], np.float64)
    part = run_dir / f"part-{CHECKPOINT_NAME}"
    np.savez(part, **arrays)
    part.replace(run_dir / CHECKPOINT_NAME)


def load_checkpoint(run_dir: Path, model: Any) -> Progress:
    """Load a checkpoint into a compiled model, and its optimizer; without one, return the start."""
    path = run_dir / CHECKPOINT_NAME
    if not path.is_file():
        return Progress()
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    model.set_weights([arrays[name] for name in sorted(arrays) if name.startswith("weight_")])
    model.optimizer.build(model.trainable_variables)
    states = [arrays[name] for name in sorted(arrays) if name.startswith("optimizer_")]
    for variable, state in zip(model.optimizer.variables, states, strict=True):
        variable.assign(state)
    return saved_progress(run_dir)


def saved_progress(run_dir: Path) -> Progress:
    """Read how far the training of a run folder is; the start, where there is no checkpoint."""
    path = run_dir / CHECKPOINT_NAME
    if not path.is_file():
        return Progress()
    with np.load(path, allow_pickle=False) as archive:
        step, made, seconds = archive["progress"]
    return Progress(int(step), int(made), float(seconds))
