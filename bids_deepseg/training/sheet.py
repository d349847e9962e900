"""Draw sheets of training samples, to be looked at before training, and learning curves."""

import csv
from pathlib import Path
from typing import Any

from bids_deepseg.training.pool import Stream


def save_sheet(path: Path, stream: Stream, *, first: int, n_rows: int = 8, n_columns: int = 12) -> None:
    """Save consecutive samples as a PNG, the target drawn as a line at 0.5, the front of the body up."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - optional dependency
    from matplotlib.figure import Figure  # noqa: PLC0415 - optional dependency

    figure = Figure(figsize=(1.4 * n_columns, 1.4 * n_rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots(n_rows, n_columns)
    for index, axis in enumerate(axes.ravel()):
        sample = stream.sample(first + index)
        axis.imshow(sample.patch.T, origin="lower", cmap="gray", interpolation="nearest")
        if sample.target.max() > 0.5:
            axis.contour(sample.target.T, [0.5], colors="red", linewidths=0.6)
        axis.set_axis_off()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def save_curve(run_dir: Path) -> None:
    """Draw the learning curve of a run, ``curve.csv``, as ``curve.png`` beside it."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - optional dependency
    from matplotlib.figure import Figure  # noqa: PLC0415 - optional dependency

    with (run_dir / "curve.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axis: Any = figure.subplots()
    axis.semilogy([int(row["step"]) for row in rows], [float(row["loss"]) for row in rows])
    axis.set_xlabel("step")
    axis.set_ylabel("loss, mean since the last point")
    figure.savefig(run_dir / "curve.png", dpi=80)
