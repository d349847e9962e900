"""Feed training from a generator process through a rolling pool in shared memory.

Terms: the *pool* holds the newest samples; the generator overwrites its oldest ones in order while the trainer draws
batches from all of it. The generator waits when each sample would be seen less often than planned, so that it leaves
the processor to the trainer.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from multiprocessing.shared_memory import SharedMemory
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np

from bids_deepseg.training.samples import Sample
from bids_deepseg.training.synthesis.fields import Array

#: Slots next to be written that a batch does not draw from, so that no half-written sample is read.
_GUARD = 4
_WAIT_S = 0.02
#: Samples at the start, at least.
_LEAST_START = 512
_START_LIMIT_S = 300.0


class Stream(Protocol):
    """An endless, reproducible sequence of samples."""

    def sample(self, index: int) -> Sample:
        """Return sample number ``index``."""
        ...


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """Size of the pool.

    Attributes
    ----------
    size : int
        Samples in the pool.
    sample_shape : tuple of int
        Shape of a sample's array.
    reuse : float
        Number of times that a sample is to be seen on average.
    first : int
        Number of the first sample, larger than 0 when a training is continued.
    """

    size: int
    sample_shape: tuple[int, ...]
    reuse: float
    first: int


class SamplePool:
    """Draw batches from samples that another process makes; a context manager."""

    def __init__(self, make_stream: Callable[[], Stream], settings: PoolSettings) -> None:
        self._settings = settings
        shape = (settings.size, 2, *settings.sample_shape)
        n_bytes = int(np.prod(shape)) * 4
        self._memory = SharedMemory(create=True, size=n_bytes)
        self._samples: Array = np.ndarray(shape, np.float32, self._memory.buf)
        context = get_context("spawn")
        # The pool grows while it is used, so that a continued training does not wait for it to fill.
        self._start_size = max(settings.size // 4, min(settings.size, _LEAST_START))
        # Samples made, samples wanted.
        self._made: Any = context.Value("q", 0)
        self._wanted: Any = context.Value("q", self._start_size)
        self._drawn = 0
        self._process = context.Process(
            target=_generate,
            args=(make_stream, settings, self._memory.name, self._made, self._wanted),
            daemon=True,
        )

    def __enter__(self) -> Self:
        self._process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.join()
        del self._samples
        self._memory.close()
        self._memory.unlink()

    @property
    def n_made(self) -> int:
        """Number of samples made so far."""
        return int(self._made.value)

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        """Draw a batch: patches and targets, each (n, ..., 1) float32."""
        self._wait_for(min(self._settings.size, 8 * n))
        made, size = self.n_made, self._settings.size
        if made < size:
            slots = rng.integers(0, made, n)
        else:
            # The slots that follow the newest one are about to be overwritten.
            slots = (made + _GUARD + rng.integers(0, size - 2 * _GUARD, n)) % size
        self._drawn += n
        self._wanted.value = self._start_size + int(self._drawn / self._settings.reuse)
        batch = self._samples[slots]
        return batch[:, 0, ..., None].copy(), batch[:, 1, ..., None].copy()

    def _wait_for(self, n: int) -> None:
        """Wait until the pool holds ``n`` samples."""
        deadline = time.monotonic() + _START_LIMIT_S
        while self.n_made < n:
            if not self._process.is_alive():
                raise RuntimeError("The process that makes samples has died. Its error stands above.")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Only {self.n_made} samples were made within {_START_LIMIT_S} s.")
            time.sleep(_WAIT_S)


def _generate(
    make_stream: Callable[[], Stream], settings: PoolSettings, memory_name: str, made: Any, wanted: Any
) -> None:
    """Fill the pool until the trainer ends, even if it is killed; the body of the generator process."""
    memory = SharedMemory(name=memory_name)
    shape = (settings.size, 2, *settings.sample_shape)
    samples: Array = np.ndarray(shape, np.float32, memory.buf)
    stream = make_stream()
    trainer = parent_process()
    while trainer is None or trainer.is_alive():
        if made.value >= wanted.value:
            time.sleep(_WAIT_S)
            continue
        sample = stream.sample(settings.first + made.value)
        slot = made.value % settings.size
        samples[slot, 0], samples[slot, 1] = sample.patch, sample.target
        made.value += 1
