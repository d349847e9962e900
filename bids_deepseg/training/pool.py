"""Feed training from generator processes through a rolling pool in shared memory.

Terms: the *pool* holds the newest samples. Each generator has a *ring* in it, of which it overwrites the oldest samples
in order while the trainer draws batches from all of the pool. A generator waits when each sample would be seen less
often than planned, so that it leaves the processor to the trainer.
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

#: Slots of a ring next to be written that a batch does not draw from, so that no half-written sample is read.
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
    n_generators : int, optional
        Processes that make samples: generator ``g`` of ``n`` makes sample ``g``, ``g + n``, ... after ``first``.
    """

    size: int
    sample_shape: tuple[int, ...]
    reuse: float
    first: int
    n_generators: int = 1

    @property
    def ring_shape(self) -> tuple[int, ...]:
        """Shape of the memory of one generator: slots, patch and target, and the sample's own axes."""
        return (self.size // self.n_generators, 2, *self.sample_shape)


class SamplePool:
    """Draw batches from samples that other processes make; a context manager."""

    def __init__(self, make_stream: Callable[[], Stream], settings: PoolSettings) -> None:
        self._settings = settings
        shape = (settings.n_generators, *settings.ring_shape)
        self._memory = SharedMemory(create=True, size=int(np.prod(shape)) * 4)
        self._rings: Array = np.ndarray(shape, np.float32, self._memory.buf)
        # The pool grows while it is used, so that a continued training does not wait for it to fill.
        start_size = max(settings.size // 4, min(settings.size, _LEAST_START))
        self._start_size = -(-start_size // settings.n_generators)
        context = get_context("spawn")
        # Samples that each generator made, and that each is to make.
        self._made: Any = [context.Value("q", 0) for _ in range(settings.n_generators)]
        self._wanted: Any = context.Value("q", self._start_size)
        self._drawn = 0
        self._processes = [
            context.Process(
                target=_generate,
                args=(make_stream, settings, number, self._memory.name, made, self._wanted),
                daemon=True,
            )
            for number, made in enumerate(self._made)
        ]

    def __enter__(self) -> Self:
        for process in self._processes:
            process.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
            process.join()
        del self._rings
        self._memory.close()
        self._memory.unlink()

    @property
    def n_made(self) -> int:
        """Number of samples made so far."""
        return sum(int(made.value) for made in self._made)

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Array, Array]:
        """Draw a batch: patches and targets, each (n, ..., 1) float32."""
        self._wait_for(min(self._settings.size, 8 * n))
        size = self._rings.shape[1]
        made = np.array([int(value.value) for value in self._made])
        # A generator that has made nothing yet is left out.
        rings = rng.choice(np.flatnonzero(made), n)
        filled = np.minimum(made, size)[rings]
        # The slots that follow the newest one of a full ring are about to be overwritten.
        guard = np.where(made >= size, _GUARD, 0)[rings]
        slots = (np.where(made >= size, made, 0)[rings] + guard + rng.integers(0, filled - 2 * guard)) % size
        self._drawn += n
        per_generator = self._drawn / (self._settings.reuse * self._settings.n_generators)
        self._wanted.value = self._start_size + int(per_generator)
        batch = self._rings[rings, slots]
        return batch[:, 0, ..., None].copy(), batch[:, 1, ..., None].copy()

    def _wait_for(self, n: int) -> None:
        """Wait until the pool holds ``n`` samples."""
        deadline = time.monotonic() + _START_LIMIT_S
        while self.n_made < n:
            if not all(process.is_alive() for process in self._processes):
                raise RuntimeError("A process that makes samples has died. Its error stands above.")
            if time.monotonic() > deadline:
                raise RuntimeError(f"Only {self.n_made} samples were made within {_START_LIMIT_S} s.")
            time.sleep(_WAIT_S)


def _generate(
    make_stream: Callable[[], Stream], settings: PoolSettings, number: int, memory_name: str, made: Any, wanted: Any
) -> None:
    """Fill ring ``number`` until the trainer ends, even if it is killed; the body of a generator process."""
    memory = SharedMemory(name=memory_name)
    rings: Array = np.ndarray((settings.n_generators, *settings.ring_shape), np.float32, memory.buf)
    ring = rings[number]
    stream = make_stream()
    trainer = parent_process()
    while trainer is None or trainer.is_alive():
        if made.value >= wanted.value:
            time.sleep(_WAIT_S)
            continue
        sample = stream.sample(settings.first + number + made.value * settings.n_generators)
        slot = made.value % len(ring)
        ring[slot, 0], ring[slot, 1] = sample.patch, sample.target
        made.value += 1
