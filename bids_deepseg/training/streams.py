"""Make the stream of samples of a network, from the data folder or from what was prepared of it."""

from pathlib import Path

from bids_deepseg.errors import UsageError
from bids_deepseg.training.configuration import TrainingConfig
from bids_deepseg.training.grey.samples import GreyStream, load_grey_images, load_grey_shapes
from bids_deepseg.training.pool import Stream
from bids_deepseg.training.prepared import load_prepared
from bids_deepseg.training.samples import SampleStream
from bids_deepseg.training.sources import load_real_images, load_shapes, read_sources
from bids_deepseg.training.stacks import StackStream


def load_stream(config: TrainingConfig, data_dir: Path, *, held_out: tuple[str, ...] | None = None) -> Stream:
    """Load the data and return the stream of samples of one network.

    The participants of ``held_out`` are left out; by default those of the table of sources.
    """
    if held_out is None:
        held_out = tuple(read_sources()["held_out"])
    if config.samples.task == "grey":
        greys = load_grey_images(data_dir, held_out)
        return GreyStream(config.samples, load_grey_shapes(data_dir, held_out), greys, config.seed)
    return in_stacks(load_slices(config, data_dir, held_out))


def load_slices(config: TrainingConfig, data_dir: Path, held_out: tuple[str, ...]) -> SampleStream:
    """Load the data of a network of the cord, and return the stream of single slices.

    Raises
    ------
    UsageError
        If the network is not one of the cord, whose samples are made of other data.
    """
    _check_cord(config)
    images = load_real_images(data_dir, held_out)
    return SampleStream(config.samples, load_shapes(data_dir, held_out), images, config.seed)


def load_prepared_stream(config: TrainingConfig, path: Path) -> Stream:
    """Return the stream of a network of the cord from an archive of the command ``prepare``.

    Raises
    ------
    UsageError
        As :func:`load_slices`.
    """
    _check_cord(config)
    return in_stacks(load_prepared(path, config.samples, config.seed))


def _check_cord(config: TrainingConfig) -> None:
    """Refuse a network whose samples show something else than the cord."""
    if config.samples.task == "grey":
        raise UsageError(
            f"{config.name} is trained on grey matter, and only the data of networks of the cord can be prepared. "
            "Train it from the data folder, without --prepared."
        )


def in_stacks(slices: SampleStream) -> Stream:
    """Return a stream of single slices as one of stacks, if its settings say so."""
    return slices if slices.settings.n_slices == 1 else StackStream(slices)
