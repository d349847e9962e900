"""What a stream is made of travels as one archive, and gives the same samples up to rounding."""

from dataclasses import replace

import numpy as np
import pytest

from bids_deepseg.errors import UsageError
from bids_deepseg.training.__main__ import main
from bids_deepseg.training.configuration import read_config
from bids_deepseg.training.prepared import held_out_of, load_prepared, save_prepared
from bids_deepseg.training.samples import SampleStream
from bids_deepseg.training.sources import RealImage
from bids_deepseg.training.stacks import StackStream
from bids_deepseg.training.streams import load_prepared_stream
from bids_deepseg.training.synthesis.shapes import ShapeBank, invent_shape

SETTINGS = read_config("segmentation").samples


@pytest.fixture
def stream():
    """A stream of three shapes, one without canal, an image with a mask and one without a cord."""
    rng = np.random.default_rng(0)
    shapes = tuple(invent_shape(rng) for _ in range(3))
    shapes = (shapes[0], *(replace(one, canal_mm=one.cord_mm - np.float32(2)) for one in shapes[1:]))
    data = rng.uniform(0, 1.5, (60, 60, 6)).astype(np.float32)
    i, j, _ = np.indices(data.shape)
    mask = (np.hypot(i - 30, j - 30) < 9).astype(np.float32)
    centre, nowhere = np.full((6, 2), 30.0), np.full((6, 2), np.nan)
    images = (
        RealImage("sub-01/anat/sub-01_T2w.nii.gz", data, mask, centre, np.arange(1, 5), (0.5, 0.5, 4.0)),
        RealImage("brain.nii.gz", data[::-1].copy(), None, nowhere, np.arange(6), (1.0, 1.0, 1.0), 2.0),
    )
    return SampleStream(SETTINGS, ShapeBank(shapes), images, 3)


def test_a_prepared_stream_gives_the_same_samples_up_to_rounding(stream, tmp_path):
    save_prepared(stream, ("train03",), tmp_path / "new" / "stream.npz")
    other = load_prepared(tmp_path / "new" / "stream.npz", SETTINGS, 3)
    assert [image.name for image in other.images] == [image.name for image in stream.images]
    assert [image.weight for image in other.images] == [1.0, 2.0]
    assert [shape.canal_mm is None for shape in other.bank.shapes] == [True, False, False]
    for index in range(12):
        expected, found = stream.sample(index), other.sample(index)
        assert np.abs(found.target - expected.target).max() < 0.02
        assert np.abs(found.patch - expected.patch).max() < 0.1
        assert np.array_equal(found.valid, expected.valid)


def test_a_prepared_stream_comes_in_stacks_where_the_network_sees_stacks(stream, tmp_path):
    save_prepared(stream, (), tmp_path / "stream.npz")
    config = read_config("segmentation3d")
    stacks = load_prepared_stream(config, tmp_path / "stream.npz")
    assert isinstance(stacks, StackStream)
    assert stacks.sample(0).patch.shape == config.samples.sample_shape


def test_without_any_data_an_archive_of_nothing_is_prepared(tmp_path):
    assert main(["--data", str(tmp_path), "prepare", str(tmp_path / "stream.npz"), "segmentation"]) == 0
    empty = load_prepared(tmp_path / "stream.npz", SETTINGS, 0)
    assert empty.images == ()
    assert empty.bank == ShapeBank()
    assert empty.sample(0).patch.shape == SETTINGS.patch_shape


def test_an_archive_tells_who_was_left_out(stream, tmp_path):
    for held_out in ((), ("train03", "train07")):
        save_prepared(stream, held_out, tmp_path / "stream.npz")
        assert held_out_of(tmp_path / "stream.npz") == held_out


def test_data_of_another_task_are_not_prepared(tmp_path):
    with pytest.raises(UsageError, match="grey matter"):
        main(["--data", str(tmp_path), "prepare", str(tmp_path / "stream.npz"), "grey"])
    with pytest.raises(UsageError, match="grey matter"):
        load_prepared_stream(read_config("grey"), tmp_path / "stream.npz")
    assert not (tmp_path / "stream.npz").exists()


@pytest.mark.parametrize("number", ["0", "-1", "65"])
def test_generators_without_slots_are_refused(number, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main(["fit", "segmentation", "--run-dir", str(tmp_path), "--generators", number])
    assert "--generators" in capsys.readouterr().err
