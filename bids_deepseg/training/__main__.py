"""Command line of the training: ``python -m bids_deepseg.training COMMAND``; ``--help`` lists the commands."""

import argparse
import csv
import logging
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from bids_deepseg.training.configuration import read_config
from bids_deepseg.training.crossvalidation import cross_validate
from bids_deepseg.training.evaluate import evaluate
from bids_deepseg.training.export import export
from bids_deepseg.training.fit import fit_from_data
from bids_deepseg.training.pool import Stream
from bids_deepseg.training.prepared import save_prepared
from bids_deepseg.training.sources import read_sources
from bids_deepseg.training.streams import load_slices, load_stream

#: More processes would leave each of them too few slots of the smallest pool.
_MOST_GENERATORS = 64


def build_parser() -> argparse.ArgumentParser:
    """Build the parser of the commands."""
    parser = argparse.ArgumentParser(prog="python -m bids_deepseg.training", description=__doc__)
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(os.environ.get("BIDS_DEEPSEG_DATA", "../shared/data")),
        help="folder of the training data (default: $BIDS_DEEPSEG_DATA, or ../shared/data)",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    generate = commands.add_parser("generate", help="save a sheet of samples as PNG")
    generate.add_argument("output", type=Path, help="PNG file")
    generate.add_argument("--first", type=int, default=0, help="number of the first sample")
    prepare = commands.add_parser("prepare", help="save images and shapes, for a machine without data and TensorFlow")
    prepare.add_argument("output", type=Path, help="archive (.npz)")
    fit = commands.add_parser("fit", help="train, or continue a training")
    for command in (prepare, fit):
        command.add_argument(
            "--everyone",
            action="store_true",
            help="show the held-out participants too: for the last steps, after evaluate",
        )
    fit.add_argument("--prepared", type=Path, help="archive of `prepare`, instead of the data")
    fit.add_argument(
        "--generators",
        type=int,
        choices=range(1, _MOST_GENERATORS + 1),
        metavar="N",
        default=1,
        help="processes that make samples (default: %(default)s); with a GPU, as many as there are cores",
    )
    fit.add_argument(
        "--start-run",
        type=Path,
        help="run folder of the network that this one starts from (default: that network of the package)",
    )
    score = commands.add_parser("evaluate", help="score on the held-out participants")
    cross = commands.add_parser("crossvalidate", help="train once for each participant, who is left out and scored")
    cross.add_argument(
        "--participants", nargs="+", help="leave out these participants only, one at a time (default: everyone)"
    )
    cross.add_argument(
        "--start-runs",
        type=Path,
        help="run folder of the cross-validation of the network that this one starts from",
    )
    for command in (fit, cross):
        command.add_argument("--steps", type=int, help="number of steps, instead of the configured one")
    write = commands.add_parser("export", help="write weights and their description")
    write.add_argument("--output", type=Path, help="folder (default: the package's weights)")
    for command in (generate, prepare, fit, score, cross, write):
        command.add_argument("config", help="name of a network, or a TOML file")
    for command in (fit, score, cross, write):
        command.add_argument("--run-dir", type=Path, required=True, help="folder of the run")
    return parser


def main(argv: list[str] | None = None) -> int:
    """Run one command; return the exit code."""
    args = build_parser().parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    config = read_config(args.config)
    if args.command == "generate":
        save_sheet(args.output, load_stream(config, args.data), first=args.first)
    elif args.command == "prepare":
        held_out = () if args.everyone else tuple(read_sources()["held_out"])
        save_prepared(load_slices(config, args.data, held_out), held_out, args.output)
    elif args.command == "fit":
        config = replace(config, start_run=args.start_run)
        fit_from_data(
            config, args.run_dir, args.data,
            steps=args.steps,
            held_out=() if args.everyone else None,
            n_generators=args.generators,
            prepared=args.prepared,
        )  # fmt: skip
        save_curve(args.run_dir)
    elif args.command == "evaluate":
        evaluate(config, args.run_dir, args.data)
    elif args.command == "crossvalidate":
        participants = tuple(args.participants) if args.participants else None
        cross_validate(
            config, args.run_dir, args.data, steps=args.steps, participants=participants, start_runs=args.start_runs
        )
    else:
        export(config, args.run_dir, args.output)
    return 0


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


if __name__ == "__main__":
    sys.exit(main())
