"""Describe a network as a list of layers with known shapes, before any of it is built.

A plan holds numbers only. Every size in it was inferred here and is bounded, so that a description from an unknown
file can neither ask for more memory than stated nor name a function to be called. All shapes are channels last and
without the batch.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from bids_deepseg.errors import NetworkError

#: Largest sizes in a plan; the published networks stay below a third of each.
MAX_LAYERS = 400
MAX_FILTERS = 2048
MAX_KERNEL = 7
MAX_DILATION = 64
MAX_SIDE = 1024
#: Values of all feature maps together: 4 GiB of float32, if none were freed.
MAX_FEATURES = 2**30
MAX_PARAMETERS = 2**25

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")

#: Activations that may be applied.
ACTIVATIONS = ("linear", "relu", "sigmoid")


@dataclass(frozen=True, slots=True)
class PlannedLayer:
    """One layer of a network.

    Attributes
    ----------
    name : str
        Name in the file.
    kind : str
        Operation, a key of the table in :mod:`bids_deepseg.networks.legacy.build`.
    inputs : tuple of str
        Names of the layers whose outputs it takes.
    shape : tuple of int
        Shape of its output, channels last, without the batch.
    weights : tuple of (str, tuple of int)
        Role and shape of each array, in the order of the file and of Keras.
    settings : mapping
        Numbers and words of the operation.
    """

    name: str
    kind: str
    inputs: tuple[str, ...]
    shape: tuple[int, ...]
    weights: tuple[tuple[str, tuple[int, ...]], ...] = ()
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        check_name(self.name)
        if not all(1 <= side <= MAX_SIDE for side in self.shape[:-1]) or not 1 <= self.shape[-1] <= 2 * MAX_FILTERS:
            raise NetworkError(
                f"Layer {self.name}: the output shape {str(self.shape)[:80]} is not within 1 to {MAX_SIDE}."
            )


@dataclass(frozen=True, slots=True)
class Plan:
    """A network with one input and one output.

    Attributes
    ----------
    layers : tuple of PlannedLayer
        The input first, each layer after those it takes, the output last.
    dropped : tuple of str
        Layers of the file that do nothing when a network is applied.
    channels_first : bool
        Whether the file's network takes (channels, ...); the plan is channels last all the same.
    """

    layers: tuple[PlannedLayer, ...]
    dropped: tuple[str, ...] = ()
    channels_first: bool = False

    def __post_init__(self) -> None:
        names = [layer.name for layer in self.layers] + list(self.dropped)
        if len(names) > MAX_LAYERS or len(set(names)) != len(names):
            raise NetworkError(f"{len(names)} layers, some of the same name or more than {MAX_LAYERS}.")
        if [layer.kind for layer in self.layers].count("input") != 1 or self.layers[0].kind != "input":
            raise NetworkError("A network with one input is expected.")
        used = {name for layer in self.layers for name in layer.inputs}
        loose = [layer.name for layer in self.layers[:-1] if layer.name not in used]
        if loose or self.layers[-1].name in used:
            raise NetworkError(f"A network with one output is expected; nothing takes the layers {loose}.")
        last = self.layers[-1]
        if last.shape != (*self.layers[0].shape[:-1], 1) or last.settings.get("activation") != "sigmoid":
            raise NetworkError(f"One map in [0, 1] of the size of the input is expected, not {last.shape}.")
        if sum(math.prod(layer.shape) for layer in self.layers) > MAX_FEATURES or self.n_parameters > MAX_PARAMETERS:
            raise NetworkError(f"The network is too large: {self.n_parameters} parameters.")

    @property
    def patch_shape(self) -> tuple[int, ...]:
        """Voxels of a patch along each axis."""
        return self.layers[0].shape[:-1]

    @property
    def n_parameters(self) -> int:
        """Numbers in the weights, those of batch normalisation included."""
        return sum(math.prod(shape) for layer in self.layers for _, shape in layer.weights)


def check_name(name: str) -> None:
    """Make sure that a name is short and harmless on a terminal.

    Raises
    ------
    NetworkError
        If it has other characters than letters, digits and _.
    """
    if not _NAME.fullmatch(name):
        raise NetworkError(f"The layer name {name[:80]!r} is odd: letters, digits and _ are expected.")


def plan_input(name: str, shape: Sequence[int]) -> PlannedLayer:
    """Plan the input of a network; ``shape`` is channels last."""
    if len(shape) not in {3, 4}:
        raise NetworkError(f"Layer {name}: an input with 2 or 3 axes and channels is expected, not {tuple(shape)}.")
    return PlannedLayer(name, "input", (), tuple(shape))


def plan_convolution(
    name: str,
    source: PlannedLayer,
    *,
    filters: int,
    kernel: Sequence[int],
    dilation: Sequence[int] | None = None,
    activation: str = "linear",
) -> PlannedLayer:
    """Plan a convolution of stride 1 that keeps the size, with bias."""
    rank = len(source.shape) - 1
    dilation = tuple(dilation or (1,) * rank)
    _check_sizes(name, "filters", (filters,), 1, MAX_FILTERS)
    _check_sizes(name, "kernel", kernel, rank, MAX_KERNEL)
    _check_sizes(name, "dilation", dilation, rank, MAX_DILATION)
    return PlannedLayer(
        name,
        "convolution",
        (source.name,),
        (*source.shape[:-1], filters),
        (("kernel", (*kernel, source.shape[-1], filters)), ("bias", (filters,))),
        MappingProxyType({"kernel": tuple(kernel), "dilation": dilation, "activation": _activation(name, activation)}),
    )


def plan_transposed(
    name: str, source: PlannedLayer, *, filters: int, kernel: Sequence[int], activation: str = "linear"
) -> PlannedLayer:
    """Plan a transposed convolution whose stride is its kernel, in 2D, with bias."""
    _check_sizes(name, "filters", (filters,), 1, MAX_FILTERS)
    _check_sizes(name, "kernel", kernel, 2, MAX_KERNEL)
    _check_rank(name, source, 2)
    shape = tuple(side * step for side, step in zip(source.shape[:-1], kernel, strict=True))
    return PlannedLayer(
        name,
        "transposed",
        (source.name,),
        (*shape, filters),
        (("kernel", (*kernel, filters, source.shape[-1])), ("bias", (filters,))),
        MappingProxyType({"kernel": tuple(kernel), "activation": _activation(name, activation)}),
    )


def plan_normalisation(name: str, source: PlannedLayer, *, epsilon: float) -> PlannedLayer:
    """Plan batch normalisation over the channels, with scale and offset."""
    if not 0 < epsilon < 1:
        raise NetworkError(f"Layer {name}: epsilon is {epsilon}, between 0 and 1 is expected.")
    roles = ("gamma", "beta", "moving_mean", "moving_variance")
    weights = tuple((role, (source.shape[-1],)) for role in roles)
    settings = MappingProxyType({"epsilon": epsilon})
    return PlannedLayer(name, "normalisation", (source.name,), source.shape, weights, settings)


def plan_activation(name: str, source: PlannedLayer, *, activation: str) -> PlannedLayer:
    """Plan an activation."""
    settings = MappingProxyType({"activation": _activation(name, activation)})
    return PlannedLayer(name, "activation", (source.name,), source.shape, (), settings)


def plan_pooling(name: str, source: PlannedLayer, *, size: Sequence[int]) -> PlannedLayer:
    """Plan the largest value of blocks that do not overlap."""
    _check_sizes(name, "size", size, len(source.shape) - 1, MAX_KERNEL)
    shape = tuple(side // step for side, step in zip(source.shape[:-1], size, strict=True))
    settings = MappingProxyType({"size": tuple(size)})
    return PlannedLayer(name, "pooling", (source.name,), (*shape, source.shape[-1]), (), settings)


def plan_upsampling(name: str, source: PlannedLayer, *, size: Sequence[int]) -> PlannedLayer:
    """Plan the repetition of each value in a block, in 3D."""
    _check_rank(name, source, 3)
    _check_sizes(name, "size", size, 3, MAX_KERNEL)
    shape = tuple(side * step for side, step in zip(source.shape[:-1], size, strict=True))
    settings = MappingProxyType({"size": tuple(size)})
    return PlannedLayer(name, "upsampling", (source.name,), (*shape, source.shape[-1]), (), settings)


def plan_concatenation(name: str, sources: Sequence[PlannedLayer]) -> PlannedLayer:
    """Plan feature maps of the same size put together."""
    if len(sources) < 2 or len({source.shape[:-1] for source in sources}) != 1:
        raise NetworkError(f"Layer {name}: two or more inputs of one size are expected.")
    channels = sum(source.shape[-1] for source in sources)
    return PlannedLayer(
        name, "concatenation", tuple(source.name for source in sources), (*sources[0].shape[:-1], channels)
    )


def plan_mean(name: str, source: PlannedLayer) -> PlannedLayer:
    """Plan the mean of each feature map, repeated over its size, in 2D."""
    _check_rank(name, source, 2)
    return PlannedLayer(name, "mean", (source.name,), source.shape)


def _activation(name: str, activation: str) -> str:
    """Return the activation if it is on the list."""
    if activation not in ACTIVATIONS:
        raise NetworkError(f"Layer {name}: activation {activation[:80]!r} is not on the list {', '.join(ACTIVATIONS)}.")
    return activation


def _check_rank(name: str, source: PlannedLayer, rank: int) -> None:
    """Make sure that a layer gets images with ``rank`` axes."""
    if len(source.shape) != rank + 1:
        raise NetworkError(f"Layer {name}: it takes {rank}D maps and got the shape {source.shape}.")


def _check_sizes(name: str, what: str, sizes: Sequence[int], count: int, largest: int) -> None:
    """Make sure that there are ``count`` sizes between 1 and ``largest``."""
    if len(sizes) != count or not all(1 <= size <= largest for size in sizes):
        raise NetworkError(
            f"Layer {name}: {what} is {str(tuple(sizes))[:80]}; {count} from 1 to {largest} are expected."
        )
