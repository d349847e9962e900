"""Choose what this machine, or a cluster, gives a run: the device and library of the networks, processors and memory.

Imported when a command is at work: ``--help`` needs none of it.
"""

from bids_deepseg.app.participant.cost import worker_bytes
from bids_deepseg.execution import resources
from bids_deepseg.execution.device import choose_device
from bids_deepseg.networks.backend import OPENVINO, choose_backend, named_backend
from bids_deepseg.options.image import SegmentOptions
from bids_deepseg.options.run import RunOptions


def choose_device_and_backend(options: RunOptions | SegmentOptions) -> tuple[str, str]:
    """Return where the networks run, and what computes them.

    Raises
    ------
    UsageError
        If what was asked for cannot be had, or contradicts itself.
    NetworkError
        If there is nothing that could compute networks.
    """
    if is_on_cluster(options):
        # Of a GPU of other machines nothing can be said: the networks take one that they see, unless it is forbidden.
        device = "cpu" if options.device == "cpu" else "gpu"
        return device, choose_backend(options.backend, device=device)
    # OpenVINO needs no GPU to be looked for.
    is_free = options.device != "auto" or named_backend(options.backend) != OPENVINO
    device = choose_device(options.device) if is_free else "cpu"
    return device, choose_backend(options.backend, device=device)


def is_on_cluster(options: RunOptions | SegmentOptions) -> bool:
    """Return whether images are segmented on other machines."""
    return isinstance(options, RunOptions) and options.dask_scheduler is not None


def allocate(options: RunOptions | SegmentOptions, backend: str) -> resources.Allocation:
    """Divide processors and memory."""
    demanded, most = (options.memory, None) if isinstance(options, RunOptions) else (None, 1)
    if is_on_cluster(options):
        # The memory of this machine is not that of the workers.
        most = 1
    return resources.allocate(
        n_cpus=options.n_cpus,
        omp_nthreads=options.omp_nthreads,
        cpus=resources.available_cpus(),
        memory=resources.usable_memory(demanded, resources.available_memory()),
        most_workers=1 if options.low_memory else most,
        worker_bytes=worker_bytes(backend),
    )
