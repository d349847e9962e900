"""Measure how accuracy falls as images get worse, and draw it.

Usage: ``python benchmarks/degradation.py DATA [--participants train03 train07] [--plot FILE.png] [--write PAGE]``

Images with a manual mask are made worse in known ways, level by level (``suite/degrade.py``), and segmented by the
whole method; the Dice of the result is compared with that of the unchanged image. The development data take no part.

Where the anatomy is moved or resampled, the manual mask is resampled with it, and a part of the loss is in the
comparison: two masks that differ by a little differ by more on coarser voxels. There the mask of the unchanged image is
moved like the manual one, and the Dice of these two is what a method without any loss would reach.
"""

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage
from suite import degrade
from suite.degrade import Pair
from suite.page import put_between
from suite.sources import Source, real_images

from bids_deepseg.errors import CordNotFoundError, EmptyMaskError
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.networks.predictor import Models, load_models
from bids_deepseg.pipeline import segment

Change = Callable[[Pair, np.random.Generator], Pair]
#: Pairs of losses by kind and level, one for each source.
Losses = dict[str, dict[str, list[tuple[float, float]]]]


class Level(NamedTuple):
    """One level of one kind of degradation; the last level of a kind is its hardest."""

    kind: str
    label: str
    change: Change
    moves: bool = False


def levels() -> Iterator[Level]:
    """Yield all levels, from mild to hard within each kind."""
    for value in (0.02, 0.05, 0.1):
        yield Level("noise / range", f"{value:g}", lambda pair, rng, v=value: degrade.noise(pair, v, rng))
    for value in (0.5, 1.0, 2.0):
        yield Level("shading, exp(+-x)", f"{value:g}", lambda pair, rng, v=value: degrade.bias(pair, v, rng))
    for value in (10, -10, 25, -25):
        yield Level(
            "turned in plane, deg", f"{value:+d}", lambda pair, _, v=value: degrade.rotate(pair, v, 2), moves=True
        )
    for value in (10, -10, 25, -25):
        yield Level("bent, deg", f"{value:+d}", lambda pair, _, v=value: degrade.rotate(pair, v, 0), moves=True)
    for value in (2, 3):
        yield Level(
            "anisotropic, 1:x", f"{value}", lambda pair, _, v=value: degrade.coarsen(pair, (1, v, 1)), moves=True
        )
    for value in (2, 3):
        yield Level(
            "slices thicker, x", f"{value}", lambda pair, _, v=value: degrade.coarsen(pair, (1, 1, v)), moves=True
        )
    for value in (50, 35, 24):
        yield Level("field of view, mm", f"{value}", lambda pair, _, v=value: field_of_view(pair, v), moves=True)
    yield Level("slices kept", "3", lambda pair, _: degrade.few_slices(pair, 3), moves=True)
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


def mask_of(image: Volume, models: Models) -> Volume:
    """Segment an image; return its mask as float32, empty where no cord is found."""
    try:
        return Volume(segment(image, models).mask.data.astype(np.float32), image.grid)
    except (CordNotFoundError, EmptyMaskError):
        return Volume(np.zeros(image.grid.shape, np.float32), image.grid)


def softened(mask: Volume) -> Volume:
    """Blur the staircase of a mask by half a voxel: else means of two voxels are one half along half of the border."""
    return Volume(ndimage.gaussian_filter(mask.data, 0.5), mask.grid)


def dice_of(mask: Volume, cord: Volume) -> float:
    """Return the Dice coefficient in the slices with cord."""
    found, truth = mask.data >= 0.5, cord.data >= 0.5
    with_cord = truth.any((0, 1))
    found, truth = found[..., with_cord], truth[..., with_cord]
    return 2 * float((found & truth).sum()) / max(float(found.sum() + truth.sum()), 1.0)


def measure(sources: list[Source], models: Models) -> Losses:
    """Return, by kind and level, the losses of Dice, one pair for each source.

    The first number of a pair is the loss against the mask of the unchanged image, moved where the anatomy is; the
    second is what this mask itself lost when it was moved.
    """
    losses: Losses = {}
    for source in sources:
        original = mask_of(source.pair.image, models)
        unchanged = dice_of(original, source.pair.cord)
        print(f"{source.name}: Dice {unchanged:.3f}", flush=True)
        for number, level in enumerate(levels()):
            rng, pair, without_loss = np.random.default_rng(number), source.pair, unchanged
            if level.moves:
                pair = Pair(pair.image, softened(pair.cord))
                without_loss = dice_of(*level.change(Pair(softened(original), pair.cord), rng))
            changed = level.change(pair, rng)
            lost = without_loss - dice_of(mask_of(changed.image, models), changed.cord)
            losses.setdefault(level.kind, {}).setdefault(level.label, []).append((lost, unchanged - without_loss))
    return losses


def table(losses: Losses) -> Iterator[str]:
    """Yield the lines of a Markdown table of the mean and the largest loss of each level."""
    yield "| Degradation | Level | Dice lost, mean | largest | lost by moving the masks, mean |"
    yield "|---|---|---|---|---|"
    for kind, by_level in losses.items():
        for label, values in by_level.items():
            lost, moved = np.array(values).T
            yield f"| {kind} | {label} | {lost.mean():+.3f} | {lost.max():+.3f} | {moved.mean():+.3f} |"


def draw(losses: Losses, path: Path) -> None:
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
        lost = [[pair[0] for pair in pairs] for pairs in by_level.values()]
        axis.plot(x, [np.mean(values) for values in lost], "o-", color="#0b5394")
        for position, values in zip(x, lost, strict=True):
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
    parser.add_argument("--participants", nargs="+", default=["train03", "train07"], help="participants to measure on")
    parser.add_argument("--plot", type=Path, help="PNG file")
    parser.add_argument("--write", type=Path, help="page with the markers of the table")
    args = parser.parse_args()
    sources = [s for s in real_images(args.data / "train") if s.name.split()[0].split("_")[0] in args.participants]
    losses = measure(sources, load_models())
    text = "\n".join(table(losses))
    print(f"\n{text}")
    if args.write:
        put_between(args.write, "degradation table", text)
    if args.plot:
        draw(losses, args.plot)


if __name__ == "__main__":
    main()
