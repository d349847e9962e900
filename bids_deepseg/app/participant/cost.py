"""Expect what the segmentation of an image takes, from its header.

The time grows with the slices, with the area that the detection network scans at 1 mm and with the voxels; the memory
with the voxels, or with that area where the pixels of the image are larger. The constants below are the only ones. They
were fitted by hand to seven phantoms of ``benchmarks/cost.py`` on OpenVINO, of 12 to 320 slices and 0.1 to 16 million
voxels, and to three real images on both backends, on one thread of a server processor (x86-64 with AVX-512). Memory is
within 7 % of the measurements. Time is at most 5 % above what is expected; small images take less than half of it.

``--method propseg`` has no constants of its own: on the eight phantoms and OpenVINO it took 39 to 83 % of the time that
is expected here, and 78 to 92 % of the memory.

The memory for large pixels was measured without networks, on two phantoms of 14 and 144 million pixels of 1 mm. A
doubtful result takes more: other methods are tried, which took 150 MB more in one image. Another processor may take
half or twice as long.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bids_deepseg.bids.nifti.reading import ImageSize

#: Seconds of one processor an image, a slice, a million pixels of 1 mm, and a million voxels.
_IMAGE_S, _SLICE_S, _MPIXEL_S, _MVOXEL_S = 0.3, 0.008, 0.3, 0.4

#: Memory of a million voxels in MB.
_MVOXEL_MB = 28.0

#: Memory for the image of a worker when a run is divided: enough for 16 million voxels.
_WORKER_IMAGE_MB = 460.0

#: Memory of a million pixels of 1 mm: of the path through all of them, of their heat, and of those of the slices that
#: are scanned together beyond what the base holds. They count where pixels of the image are larger than 1 mm.
_PATH_MB, _HEAT_MB, _SCAN_MB = 17.0, 4.0, 59.0
_BASE_SCAN_MPIXEL, _SLICES_AT_ONCE = 1.5, 16

#: Share of the time that is left when a second thread works on an image; 0.82 to 1.0 was measured on two processors
#: that did other work as well.
_TWO_THREADS = 0.85


@dataclass(frozen=True, slots=True)
class Cost:
    """What an image is expected to take.

    Attributes
    ----------
    seconds : float
        Time, the start of the process not included.
    megabytes : float
        Peak memory of the process that segments it.
    """

    seconds: float
    megabytes: float


#: Until the first image begins, by the library that computes the networks: seconds of one processor for libraries,
#: networks and their graphs, and the memory of the process in MB.
_BASES = {"tensorflow": Cost(6.5, 730.0), "openvino": Cost(3.4, 365.0)}


def worker_bytes(backend: str) -> int:
    """Return the memory of which a run gives each image at the same time its share, whatever its size."""
    return int(1e6 * (base_of(backend).megabytes + _WORKER_IMAGE_MB))


def base_of(backend: str) -> Cost:
    """Return what a process takes before its first image; for an unknown backend, that of TensorFlow."""
    return _BASES.get(backend, _BASES["tensorflow"])


def expect_cost(size: ImageSize, backend: str, *, n_threads: int = 1) -> Cost:
    """Expect time and memory of one image.

    Parameters
    ----------
    size : ImageSize
        From its header.
    backend : str
        Library that computes the networks.
    n_threads : int, optional
        Threads for one image.
    """
    mpixels, mvoxels = size.n_slices * size.slice_mm2 / 1e6, size.n_voxels / 1e6
    seconds = _IMAGE_S + _SLICE_S * size.n_slices + _MPIXEL_S * mpixels + _MVOXEL_S * mvoxels
    scanned = max(0.0, min(size.n_slices, _SLICES_AT_ONCE) * size.slice_mm2 / 1e6 - _BASE_SCAN_MPIXEL)
    detection = max(_PATH_MB * mpixels, _HEAT_MB * mpixels + _SCAN_MB * scanned)
    megabytes = base_of(backend).megabytes + max(_MVOXEL_MB * mvoxels, detection)
    return Cost(seconds * (_TWO_THREADS if n_threads > 1 else 1.0), megabytes)


def expect_total(costs: Iterable[Cost], *, backend: str, n_workers: int) -> Cost:
    """Expect time and memory of all images of a run; ``n_workers`` of them at the same time."""
    every = list(costs)
    if not every:
        return Cost(0.0, 0.0)
    largest = sorted((cost.megabytes for cost in every), reverse=True)[:n_workers]
    n_workers = min(n_workers, len(every))
    seconds = max(sum(cost.seconds for cost in every) / n_workers, *(cost.seconds for cost in every))
    return Cost(base_of(backend).seconds + seconds, sum(largest))
