"""Read the configuration of one training: one readable TOML file for each network."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bids_deepseg.errors import UsageError
from bids_deepseg.training.samples import SampleSettings

CONFIG_DIR = Path(__file__).parent / "configs"


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
    )
