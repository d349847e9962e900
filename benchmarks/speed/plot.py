"""Draw how the time grows."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.speed.table import fit_line


def draw(points: dict[str, tuple[list[float], list[float]]], *, path: Path | None) -> None:
    """Draw time against what each series counts, with the line through its points.

    Parameters
    ----------
    points : dict
        Numbers and seconds by the name of the series.
    path : Path or None
        PNG file; None draws nothing.
    """
    if path is None:
        return
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - optional dependency
    from matplotlib.figure import Figure  # noqa: PLC0415 - optional dependency

    figure = Figure(figsize=(9, 3.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots(1, len(points), squeeze=False)[0]
    for axis, (name, (x, y)) in zip(axes, points.items(), strict=True):
        slope, intercept, r2 = fit_line(x, y)
        line = np.array([0.0, max(x)])
        axis.plot(line, slope * line + intercept, color="#999999", linewidth=1)
        axis.plot(x, y, "o", color="#0b5394")
        axis.set(xlabel=name, xlim=(0, None), ylim=(0, None), title=f"R² = {r2:.4f}")
        axis.locator_params(axis="x", nbins=5)
        axis.set_ylabel("processor time, s")
        axis.xaxis.label.set_size(8)
        axis.title.set_size(9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)
