"""Read the configuration of one training, one TOML file for each network, and keep its state on disk.

The state is independent of the Keras backend.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from bids_deepseg.errors import UsageError
from bids_deepseg.training.samples import SampleSettings

CONFIG_DIR = Path(__file__).parent / "configs"

CHECKPOINT_NAME = "checkpoint.npz"


@dataclass(frozen=True, slots=True)
class Optimisation:
    """How the weights are found.

    Attributes
    ----------
    steps : int
        Number of batches; the learning rate reaches zero at the last one.
    batch : int
        Patches of a step.
    learning_rate : float
        Peak, reached after ``warmup`` steps and lowered along a cosine.
    warmup : int
        Steps of linear rise.
    pool : int
        Samples kept to draw batches from.
    reuse : float
        Number of times that a sample is seen on average.
    checkpoint_every : int
        Steps between two checkpoints.
    """

    steps: int
    batch: int
    learning_rate: float
    warmup: int
    pool: int
    reuse: float
    checkpoint_every: int


@dataclass(frozen=True, slots=True)
class TrainingConfig:
    """All settings of one training.

    ``file`` is the name of the configuration, which several trainings of the network ``name`` can have.
    ``start_from`` names the network whose weights are the first: those of the package, or of its training in the folder
    ``start_run``. ``odds_exponent`` is written into the card, see :class:`bids_deepseg.networks.specs.ModelSpec`; it is
    chosen after the training.
    """

    name: str
    seed: int
    threshold: float
    architecture: dict[str, Any]
    samples: SampleSettings
    optimisation: Optimisation
    start_from: str | None = None
    start_run: Path | None = None
    odds_exponent: float = 1.0
    file: str | None = None

    def __post_init__(self) -> None:
        """Refuse a run to start from where the configuration names no network for it."""
        if self.start_run is not None and self.start_from is None:
            raise UsageError(
                f"{self.name} is to start from the run {self.start_run}, but its configuration names no network to "
                "start from. Leave the option out, or add start_from to a copy of the configuration."
            )


def read_config(name_or_path: str) -> TrainingConfig:
    """Read a configuration by the name of a network ("segmentation") or by the path of a TOML file."""
    path = Path(name_or_path)
    if not path.suffix:
        path = CONFIG_DIR / f"{name_or_path}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in CONFIG_DIR.glob("*.toml") if p.stem != "sources"))
        raise UsageError(
            f"There is no configuration {name_or_path}. Expected is one of {known}, or a TOML file. Check the name."
        )
    with path.open("rb") as stream:
        table = tomllib.load(stream)
    samples = dict(table["samples"])
    samples["patch_shape"] = tuple(samples["patch_shape"])
    return TrainingConfig(
        name=table["name"],
        seed=table["seed"],
        threshold=table["threshold"],
        architecture=table["architecture"],
        samples=SampleSettings(**samples),
        optimisation=Optimisation(**table["optimisation"]),
        start_from=table.get("start_from"),
        odds_exponent=table.get("odds_exponent", 1.0),
        file=path.stem,
    )


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
