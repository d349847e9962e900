"""What --low-mem changes: the batches, the number of images at a time, and the environment of the processes."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bids_deepseg.cli.process import environment, variables
from bids_deepseg.execution.resources import Allocation, allocate
from bids_deepseg.networks.batches import SMALL_BATCHES, predict_in_batches


def batches_of(patches):
    """Return the answers and the sizes of the batches in which they came."""
    sizes = []

    def predict(batch):
        sizes.append(len(batch))
        return batch * 2

    network = SimpleNamespace(predict_on_batch=predict)
    return predict_in_batches(network, patches, most_voxels=4 * 64), sizes


def test_small_batches_hold_one_patch_and_give_the_same(rng):
    patches = rng.random((6, 8, 8)).astype(np.float32)
    many, sizes = batches_of(patches)
    assert sizes == [4, 4]
    with environment({SMALL_BATCHES: "1"}):
        one, sizes = batches_of(patches)
    assert sizes == [1] * 6
    np.testing.assert_array_equal(one, many)
    np.testing.assert_array_equal(one, 2 * patches)


def test_the_environment_tells_processes_and_only_on_request():
    allocation = Allocation(2, 1, 1)
    assert variables(allocation, Path("/tmp"), "cpu", low_memory=True)[SMALL_BATCHES] == "1"
    assert SMALL_BATCHES not in variables(allocation, Path("/tmp"), "cpu")


@pytest.mark.parametrize("n_cpus", [1, 2, 8])
def test_one_image_at_a_time(n_cpus):
    found = allocate(n_cpus=n_cpus, omp_nthreads=1, cpus=8, memory=None, worker_bytes=10**9, most_workers=1)
    assert found == Allocation(n_cpus, 1, 1)
