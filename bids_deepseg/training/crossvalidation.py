"""Leave-one-participant-out cross-validation: as many trainings as there are participants with a manual mask.

In each training (a *fold*) one participant is left out, with the label maps that show this participant, and scored.
"""

import json
import logging
from dataclasses import replace
from pathlib import Path

from bids_deepseg.errors import UsageError
from bids_deepseg.training.configuration import TrainingConfig, saved_progress
from bids_deepseg.training.evaluate import FIGURES_NAME, evaluate
from bids_deepseg.training.fit import fit_from_data
from bids_deepseg.training.sources import find_participants

logger = logging.getLogger(__name__)

#: The table over all participants, in the run folder.
TABLE_NAME = "crossvalidation.tsv"


def cross_validate(
    config: TrainingConfig,
    run_dir: Path,
    data_dir: Path,
    *,
    steps: int | None = None,
    participants: tuple[str, ...] | None = None,
    start_runs: Path | None = None,
) -> Path:
    """Train and score once for each participant, and write the table of all folds that the run folder holds.

    Folds that are complete are not repeated, an interrupted one goes on from its checkpoint: the folds may be shared
    between calls, side by side or one after the other.

    Parameters
    ----------
    config : TrainingConfig
        Settings of the trainings.
    run_dir : Path
        One folder for each participant is made in it.
    data_dir : Path
        Folder of the training data.
    steps : int, optional
        Steps of each training instead of the configured ones.
    participants : tuple of str, optional
        Participants to leave out, one at a time; everyone with a manual mask by default.
    start_runs : Path, optional
        Run folder of the cross-validation of the network that this one starts from: each fold starts from its fold.

    Returns
    -------
    Path
        The table: one row for each image.

    Raises
    ------
    UsageError
        If the training starts from a network of the package, which saw the participants that are to be left out.
    """
    if config.start_from is not None and start_runs is None:
        raise UsageError(
            f"{config.name} starts from the weights of {config.start_from}, which saw everyone. Cross-validate "
            f"{config.start_from} first, and name its run folder with --start-runs."
        )
    if steps is not None:
        config = replace(config, optimisation=replace(config.optimisation, steps=steps))
    for participant in participants or find_participants(data_dir):
        fold = run_dir / participant
        if saved_progress(fold).step < config.optimisation.steps or not (fold / FIGURES_NAME).is_file():
            logger.info("Leaving %s out", participant)
            own = config if start_runs is None else replace(config, start_run=start_runs / participant)
            fit_from_data(own, fold, data_dir, held_out=(participant,))
            evaluate(own, fold, data_dir, held_out=(participant,))
    return write_table(run_dir)


def write_table(run_dir: Path) -> Path:
    """Write one row for each image of all folds in a run folder."""
    rows = {}
    for path in sorted(run_dir.glob(f"*/{FIGURES_NAME}")):
        rows.update(json.loads(path.read_text(encoding="utf-8")))
    table = run_dir / TABLE_NAME
    columns = sorted({column for row in rows.values() for column in row})
    lines = ["\t".join(("image", *columns))]
    lines += ["\t".join((name, *(str(row.get(column, "n/a")) for column in columns))) for name, row in rows.items()]
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return table
