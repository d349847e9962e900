"""Write a trained network as two files: its weights, and the card that says what it is and how it came about."""

import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

from bids_deepseg.errors import UsageError
from bids_deepseg.networks.architectures import build_network
from bids_deepseg.training.configuration import CHECKPOINT_NAME, Progress, TrainingConfig, load_checkpoint
from bids_deepseg.training.evaluate import FIGURES_NAME
from bids_deepseg.training.fit import EVERYONE_NAME, START_NAME, WEIGHTS_DIR, build_model
from bids_deepseg.training.sources import read_sources

_DATA = (
    "Painted slices from label maps: AMU template; cord and fluid of nine people (spine-generic); cords of 7T, 3T and "
    "T1w scans. Real images of twelve people and the average of 50: T2w, T2*w, T1w, lumbar T2w, mean b=0, brains. See "
    "docs/models.md."
)
_LICENCES = (
    "spine-generic: CC BY 4.0",
    "Spinal Cord Toolbox history and sct_testing_data: MIT",
    "gm-challenge-data: CC0",
    "SAG-anon: MIT",
    "TPTBox, fastMONAI: Apache-2.0",
    "datalad example DICOM data: PDDL",
    "OpenNeuro ds002748: CC0",
)
_REFERENCE = (
    "Method after Gros C, et al. Automatic segmentation of the spinal cord and intramedullary multiple sclerosis "
    "lesions with convolutional neural networks. NeuroImage 184 (2019) 901-915; own architecture, data and weights."
)


#: What is said of networks that were trained on other data, by task.
_OTHER_DATA = {
    "grey": (
        "Painted slices from label maps with grey matter: AMU template; hand-drawn masks of three people of the "
        "gm-challenge data; outlines of the cord as for the segmentation. Real T2*w images of two people (three "
        "sessions) of the gm-challenge data with hand-drawn grey matter. See docs/models.md."
    ),
}
_OTHER_LICENCES = {
    "grey": (
        "gm-challenge-data: CC0",
        "Spinal Cord Toolbox history (AMU template, T1w cords): MIT",
        "spine-generic (outlines of cords): CC BY 4.0",
    ),
}


def export(config: TrainingConfig, run_dir: Path, output_dir: Path | None = None) -> Path:
    """Write ``<name>.weights.h5`` and ``<name>.json`` from a run's checkpoint.

    Parameters
    ----------
    config : TrainingConfig
        Settings of the training.
    run_dir : Path
        Folder with the checkpoint, and with the figures if it was evaluated.
    output_dir : Path, optional
        Where to write; the package's own weights by default.

    Returns
    -------
    Path
        The card.
    """
    if not (run_dir / CHECKPOINT_NAME).is_file():
        raise UsageError(f"There is no checkpoint in {run_dir}. Run the training first.")
    output_dir = output_dir or WEIGHTS_DIR
    output_dir.mkdir(parents=True, exist_ok=True)
    trained = build_model(config)
    progress = load_checkpoint(run_dir, trained)
    # A model that was never compiled holds no optimizer state.
    bare = build_network(config.architecture, config.samples.patch_shape)
    bare.set_weights(trained.get_weights())
    weights = output_dir / f"{config.name}.weights.h5"
    bare.save_weights(weights)
    card = _card(config, run_dir, progress, weights)
    path = output_dir / f"{config.name}.json"
    path.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    return path


def _card(config: TrainingConfig, run_dir: Path, progress: Progress, weights: Path) -> dict[str, Any]:
    """Return the description of a network."""
    figures_path = run_dir / FIGURES_NAME
    figures = json.loads(figures_path.read_text(encoding="utf-8")) if figures_path.is_file() else {}
    return {
        "name": config.name,
        "contrast": "any",
        "architecture": config.architecture,
        "patch_shape": list(config.samples.patch_shape),
        "zoom_mm": config.samples.zoom_mm,
        "threshold": config.threshold,
        "odds_exponent": config.odds_exponent,
        "weights": weights.name,
        "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
        "training": {
            "data": _OTHER_DATA.get(config.samples.task, _DATA),
            "licences": list(_OTHER_LICENCES.get(config.samples.task, _LICENCES)),
            "people_held_out": read_sources()["held_out"],
            "everyone_from_step": _everyone_from(run_dir),
            "seed": config.seed,
            "command": f"python -m bids_deepseg.training fit {config.file or config.name} --run-dir RUN_DIR",
            "started_from": _started_from(run_dir),
            "steps": progress.step,
            "samples": progress.step * config.optimisation.batch,
            "samples_distinct": progress.samples_made,
            "hours": round(progress.seconds / 3600, 2),
            "git_commit": _git_commit(),
            "figures": figures,
            "reference": _REFERENCE,
        },
    }


def _everyone_from(run_dir: Path) -> int | None:
    """Return the step from which on the held-out participants were shown too, after the figures had been measured."""
    note = run_dir / EVERYONE_NAME
    return int(note.read_text(encoding="utf-8")) if note.is_file() else None


def _started_from(run_dir: Path) -> dict[str, Any] | None:
    """Return which weights the training started from; None if it started from random ones."""
    note = run_dir / START_NAME
    found: dict[str, Any] | None = json.loads(note.read_text(encoding="utf-8")) if note.is_file() else None
    return found


def _git_commit() -> str:
    """Return the commit of the source tree, or "unknown" outside one or without git."""
    command = ["git", "rev-parse", "HEAD"]
    folder = Path(__file__).parent
    try:
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except OSError:
        return "unknown"
    return result.stdout.strip() or "unknown"
