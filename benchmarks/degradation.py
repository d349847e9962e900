"""Measure how accuracy falls as images get worse, and draw it.

Usage: ``python benchmarks/degradation.py DATA [--people train03 train07] [--plot FILE.png]``

Images with a manual mask are made worse in known ways, level by level (``suite/degrade.py``), and segmented by the
whole method; the Dice of the result is compared with that of the unchanged image. The development data take no part.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from suite import degrade
from suite.degrade import Pair
from suite.sources import Source, real_images

from bids_deepseg.errors import CordNotFoundError, EmptyMaskError
from bids_deepseg.networks.loading import Models, load_models
from bids_deepseg.pipeline import segment

Change = Callable[[Pair, np.random.Generator], Pair]


class Level(NamedTuple):
    """One level of one kind of degradation; the last level of a kind is its hardest."""

    kind: str
    label: str
    change: Change


def levels() -> Iterator[Level]:
    """Yield all levels, from mild to hard within each kind."""
    for value in (0.02, 0.05, 0.1):
        yield Level("noise / range", f"{value:g}", lambda pair, rng, v=value: degrade.noise(pair, v, rng))
    for value in (0.5, 1.0, 2.0):
        yield Level("shading, exp(+-x)", f"{value:g}", lambda pair, rng, v=value: degrade.bias(pair, v, rng))
    for value in (10, -10, 25, -25):
        yield Level("turned in plane, deg", f"{value:+d}", lambda pair, _, v=value: degrade.rotate(pair, v, 2))
    for value in (10, -10, 25, -25):
        yield Level("bent, deg", f"{value:+d}", lambda pair, _, v=value: degrade.rotate(pair, v, 0))
    for value in (2, 3):
        yield Level("anisotropic, 1:x", f"{value}", lambda pair, _, v=value: degrade.coarsen(pair, (1, v, 1)))
    for value in (2, 3):
        yield Level("slices thicker, x", f"{value}", lambda pair, _, v=value: degrade.coarsen(pair, (1, 1, v)))
    for value in (50, 35, 24):
        yield Level("field of view, mm", f"{value}", lambda pair, _, v=value: field_of_view(pair, v))
    yield Level("slices kept", "3", lambda pair, _: degrade.few_slices(pair, 3))
    for value in (0.5, 2.0):
        yield Level("gamma", f"{value:g}", lambda pair, _, v=value: degrade.gamma(pair, v))
    for value in (1e-4, 1e5):
        yield Level("scaled", f"{value:g}", lambda pair, _, v=value: scale(pair, v))
    yield Level("inverted", "yes", lambda pair, _: degrade.invert(pair))


def field_of_view(pair: Pair, width_mm: float) -> Pair:
    """Keep a square of this width around the middle of the cord."""
    middle = np.argwhere(pair.cord.data > 0).mean(0)[:2]
    half = width_mm / 2 / np.array(pair.image.grid.zooms[:2])
    low = np.maximum(np.rint(middle - half), 0).astype(int)
    high = np.minimum(np.rint(middle + half), pair.image.data.shape[:2]).astype(int)
    return degrade.cut(pair, (int(low[0]), int(low[1]), 0), (int(high[0]), int(high[1]), pair.image.data.shape[2]))


def scale(pair: Pair, factor: float) -> Pair:
    """Multiply the brightness."""
    image = pair.image
    return pair._replace(image=type(image)(image.data * np.float32(factor), image.grid))


def dice_of(pair: Pair, models: Models) -> float:
    """Segment an image and return the Dice coefficient in the slices with cord; 0 where none is found."""
    truth = pair.cord.data >= 0.5
    try:
        found = segment(pair.image, models).mask.data > 0
    except (CordNotFoundError, EmptyMaskError):
        return 0.0
    with_cord = truth.any((0, 1))
    found, truth = found[..., with_cord], truth[..., with_cord]
    return 2 * float((found & truth).sum()) / max(float(found.sum() + truth.sum()), 1.0)


def measure(sources: list[Source], models: Models) -> dict[str, dict[str, list[float]]]:
    """Return, by kind and level, the loss of Dice against the unchanged image, one for each source."""
    losses: dict[str, dict[str, list[float]]] = {}
    for source in sources:
        unchanged = dice_of(source.pair, models)
        print(f"{source.name}: Dice {unchanged:.3f}", flush=True)
        for number, level in enumerate(levels()):
            changed = level.change(source.pair, np.random.default_rng(number))
            lost = unchanged - dice_of(changed, models)
            losses.setdefault(level.kind, {}).setdefault(level.label, []).append(lost)
    return losses


def print_table(losses: dict[str, dict[str, list[float]]]) -> None:
    """Print the mean and the largest loss of each level as a Markdown table."""
    print("\n| Degradation | Level | Dice lost, mean | largest |\n|---|---|---|---|")
    for kind, by_level in losses.items():
        for label, values in by_level.items():
            print(f"| {kind} | {label} | {np.mean(values):+.3f} | {np.max(values):+.3f} |")


def draw(losses: dict[str, dict[str, list[float]]], path: Path) -> None:
    """Draw the loss against the level, one panel for each kind."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - optional dependency
    from matplotlib.figure import Figure  # noqa: PLC0415 - optional dependency

    n_columns = 4
    n_rows = -(-len(losses) // n_columns)
    figure = Figure(figsize=(3 * n_columns, 2.2 * n_rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots(n_rows, n_columns, sharey=True, squeeze=False)
    for axis, (kind, by_level) in zip(axes.ravel(), losses.items(), strict=False):
        x = range(len(by_level))
        axis.plot(x, [np.mean(values) for values in by_level.values()], "o-", color="#0b5394")
        for position, values in zip(x, by_level.values(), strict=True):
            axis.plot([position] * len(values), values, ".", color="#999999", markersize=4)
        axis.axhline(0.06, color="#cc0000", linewidth=0.8, linestyle="--")
        axis.set_xticks(list(x), list(by_level))
        axis.set_title(kind, fontsize=9)
    for axis in axes.ravel()[len(losses) :]:
        axis.set_axis_off()
    figure.supylabel("Dice lost")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=80)


def main() -> None:
    """Measure, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder with the training data")
    parser.add_argument("--people", nargs="+", default=["train03", "train07"], help="people to measure on")
    parser.add_argument("--plot", type=Path, help="PNG file")
    args = parser.parse_args()
    sources = [s for s in real_images(args.data / "train") if s.name.split()[0].split("_")[0] in args.people]
    losses = measure(sources, load_models())
    print_table(losses)
    if args.plot:
        draw(losses, args.plot)


if __name__ == "__main__":
    main()
