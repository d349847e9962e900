"""Turn the JSON description of a Keras 2 network into a plan, layer by layer, by a list of known layers.

A layer or a setting that is not on the list is refused. Dropout does nothing when a network is applied and is left out;
so is a Lambda layer, once it is proved to be the identity. Networks that take their channels first become channels
last: the kernels have the same layout in both, so only the axes of the feature maps move.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from bids_deepseg.errors import NetworkError
from bids_deepseg.networks.legacy import plan as plans
from bids_deepseg.networks.legacy.json_config import (
    Settings,
    expect_list,
    expect_mapping,
    expect_text,
    parse_json,
)
from bids_deepseg.networks.legacy.lambdas import check_identity
from bids_deepseg.networks.legacy.plan import Plan, PlannedLayer

_FORMATS = ("channels_last", "channels_first")


@dataclass(frozen=True, slots=True)
class _Entry:
    """One layer of the JSON, with the planned layers that it takes."""

    kind: str
    name: str
    settings: Settings
    sources: tuple[PlannedLayer, ...]
    channels_first: bool

    @property
    def source(self) -> PlannedLayer:
        """The only layer that it takes."""
        if len(self.sources) != 1:
            raise NetworkError(f"Layer {self.name}: it takes {len(self.sources)} layers, one is expected.")
        return self.sources[0]

    @property
    def rank(self) -> int:
        """Axes of its input, the batch and the channels included."""
        return len(self.sources[0].shape) + 1


def plan_of_json(text: str) -> Plan:
    """Plan the network that a JSON text describes.

    Parameters
    ----------
    text : str
        Attribute ``model_config`` of a Keras 2 file.

    Returns
    -------
    Plan
        The network, channels last.

    Raises
    ------
    NetworkError
        If the text is not a description of a network, or one with a layer or a setting that is not on the list.
    """
    model = expect_mapping(parse_json(text), "The description of the network")
    if model.get("class_name") != "Model":
        raise NetworkError(f"The network is a {str(model.get('class_name'))[:80]!r}; a 'Model' of Keras 2 is expected.")
    config = expect_mapping(model.get("config"), "The configuration of the network")
    entries = expect_list(config.get("layers"), "The list of layers")
    if not 0 < len(entries) <= plans.MAX_LAYERS:
        raise NetworkError(f"The network has {len(entries)} layers; 1 to {plans.MAX_LAYERS} are expected.")
    channels_first = _channels_first(entries)
    known: dict[str, PlannedLayer] = {}
    layers: list[PlannedLayer] = []
    dropped: list[str] = []
    for item in entries:
        entry = _read_entry(item, known, channels_first=channels_first)
        layer = _plan_layer(entry)
        if entry.name in known:
            raise NetworkError(f"Two layers have the name {entry.name[:80]!r}.")
        known[entry.name] = layer
        if layer in entry.sources:
            dropped.append(entry.name)
        else:
            layers.append(layer)
    for key, layer in (("input_layers", layers[0]), ("output_layers", layers[-1])):
        ends = expect_list(config.get(key), f"The list {key}", 1)
        if known.get(_reference(ends[0], 3, key)) is not layer:
            raise NetworkError(f"The {key} {str(ends)[:80]} are not the first and the last layer of the list.")
    return Plan(tuple(layers), tuple(dropped), channels_first)


def _channels_first(entries: list[Any]) -> bool:
    """Find out on which side the channels are; all layers must agree."""
    found = set()
    for item in entries:
        settings = expect_mapping(expect_mapping(item, "A layer").get("config"), "The configuration of a layer")
        if "data_format" in settings:
            found.add(expect_text(settings["data_format"], "data_format"))
    if len(found) != 1 or not found <= set(_FORMATS):
        raise NetworkError(
            f"The layers have the data formats {str(sorted(found))[:80]}; one of {_FORMATS} is expected."
        )
    return found == {"channels_first"}


def _read_entry(item: Any, known: Mapping[str, PlannedLayer], *, channels_first: bool) -> _Entry:
    """Read the parts that all layers have, and find the layers that it takes."""
    left = sorted(set(item) ^ {"class_name", "config", "inbound_nodes", "name"})
    if left:
        raise NetworkError(f"A layer has or lacks the entries {str(left)[:200]}.")
    name = expect_text(item["name"], "The name of a layer")
    plans.check_name(name)
    config = dict(item["config"])
    if config.get("name") != name:
        raise NetworkError(f"Layer {name[:80]}: its two names differ.")
    nodes = expect_list(item["inbound_nodes"], f"Layer {name}: inbound_nodes")
    if len(nodes) > 1:
        raise NetworkError(f"Layer {name[:80]}: it is used {len(nodes)} times; shared layers are not expected.")
    sources = []
    for reference in expect_list(nodes[0], f"Layer {name}: inbound_nodes") if nodes else []:
        source = _reference(reference, 4, f"Layer {name}: inbound_nodes")
        if source not in known:
            raise NetworkError(f"Layer {name}: it takes {source[:80]!r}, which no earlier layer is called.")
        sources.append(known[source])
    kind = expect_text(item["class_name"], f"Layer {name}: class_name")
    return _Entry(kind, name, Settings(name, config), tuple(sources), channels_first)


def _reference(value: Any, length: int, what: str) -> str:
    """Return the name in a reference to the only output of the only use of a layer."""
    name, *others = expect_list(value, what, length)
    if others != [0, 0, {}][: length - 1]:
        raise NetworkError(f"{what}: {str(value)[:80]} is not the plain use of a layer.")
    return expect_text(name, what)


def _plan_layer(entry: _Entry) -> PlannedLayer:
    """Plan one layer with the function for its class; one that does nothing is that which it takes."""
    planner = _PLANNERS.get(entry.kind)
    if planner is None:
        raise NetworkError(
            f"Layer {entry.name}: the class {entry.kind[:80]!r} is not on the list of layers that are loaded: "
            f"{', '.join(_PLANNERS)}. Use the file as it was published."
        )
    layer = planner(entry)
    entry.settings.finish()
    return layer


def _input(entry: _Entry) -> PlannedLayer:
    settings = entry.settings
    what = f"Layer {entry.name}: batch_input_shape"
    shape = expect_list(settings.take("batch_input_shape"), what)
    settings.only("sparse", False)  # noqa: FBT003 - a value to compare with
    if entry.sources or not shape or shape[0] is not None or not all(type(side) is int for side in shape[1:]):
        raise NetworkError(f"{what} is {str(shape)[:80]}; [null, ...] with whole numbers is expected.")
    sides = shape[1:]
    return plans.plan_input(entry.name, [*sides[1:], *sides[:1]] if entry.channels_first else sides)


def _convolution(rank: int) -> Callable[[_Entry], PlannedLayer]:
    def plan(entry: _Entry) -> PlannedLayer:
        settings = entry.settings
        _check_axes(entry, rank)
        kernel = settings.wholes("kernel_size")
        settings.only("strides", [1] * rank)
        settings.only("use_bias", True)  # noqa: FBT003 - a value to compare with
        if settings.text("padding") != "same" and kernel != (1,) * rank:
            raise NetworkError(f"Layer {entry.name}: only padding 'same' can be loaded.")
        return plans.plan_convolution(
            entry.name,
            entry.source,
            filters=settings.whole("filters"),
            kernel=kernel,
            dilation=settings.wholes("dilation_rate"),
            activation=settings.text("activation"),
        )

    return plan


def _transposed(entry: _Entry) -> PlannedLayer:
    settings = entry.settings
    _check_axes(entry, 2)
    kernel = settings.wholes("kernel_size")
    settings.only("strides", list(kernel))
    settings.only("use_bias", True)  # noqa: FBT003 - a value to compare with
    # With a stride as long as the kernel both paddings are the same.
    if settings.text("padding") not in {"valid", "same"}:
        raise NetworkError(f"Layer {entry.name}: padding 'valid' or 'same' is expected.")
    return plans.plan_transposed(
        entry.name,
        entry.source,
        filters=settings.whole("filters"),
        kernel=kernel,
        activation=settings.text("activation"),
    )


def _normalisation(entry: _Entry) -> PlannedLayer:
    settings = entry.settings
    _check_channel_axis(entry)
    settings.only("scale", True)  # noqa: FBT003 - a value to compare with
    settings.only("center", True)  # noqa: FBT003 - a value to compare with
    return plans.plan_normalisation(entry.name, entry.source, epsilon=settings.fraction("epsilon"))


def _activation(entry: _Entry) -> PlannedLayer:
    return plans.plan_activation(entry.name, entry.source, activation=entry.settings.text("activation"))


def _pooling(rank: int) -> Callable[[_Entry], PlannedLayer]:
    def plan(entry: _Entry) -> PlannedLayer:
        _check_axes(entry, rank)
        size = entry.settings.wholes("pool_size")
        entry.settings.only("strides", list(size))
        entry.settings.only("padding", "valid")
        return plans.plan_pooling(entry.name, entry.source, size=size)

    return plan


def _upsampling(entry: _Entry) -> PlannedLayer:
    _check_axes(entry, 3)
    return plans.plan_upsampling(entry.name, entry.source, size=entry.settings.wholes("size"))


def _concatenation(entry: _Entry) -> PlannedLayer:
    if not entry.sources:
        raise NetworkError(f"Layer {entry.name}: it takes nothing.")
    _check_channel_axis(entry)
    return plans.plan_concatenation(entry.name, entry.sources)


def _dropout(entry: _Entry) -> PlannedLayer:
    for key in ("rate", "noise_shape", "seed"):
        entry.settings.rest.pop(key, None)
    return entry.source


def _lambda(entry: _Entry) -> PlannedLayer:
    check_identity(entry.settings.rest)
    entry.settings.rest.clear()
    return entry.source


def _check_axes(entry: _Entry, rank: int) -> None:
    """Make sure that a layer with its own data format gets maps of its rank."""
    entry.settings.take("data_format")
    if len(entry.source.shape) != rank + 1:
        raise NetworkError(f"Layer {entry.name}: a {entry.kind} cannot take the shape {entry.source.shape}.")


def _check_channel_axis(entry: _Entry) -> None:
    """Make sure that the axis of a layer is that of the channels."""
    axis = entry.settings.whole("axis")
    if not entry.sources or axis % entry.rank != (1 if entry.channels_first else entry.rank - 1):
        raise NetworkError(f"Layer {entry.name}: axis {axis} is not that of the channels.")


_PLANNERS: Mapping[str, Callable[[_Entry], PlannedLayer]] = MappingProxyType(
    {
        "InputLayer": _input,
        "Conv2D": _convolution(2),
        "Conv3D": _convolution(3),
        "Conv2DTranspose": _transposed,
        "BatchNormalization": _normalisation,
        "Activation": _activation,
        "MaxPooling2D": _pooling(2),
        "MaxPooling3D": _pooling(3),
        "UpSampling3D": _upsampling,
        "Concatenate": _concatenation,
        "Dropout": _dropout,
        "Lambda": _lambda,
    }
)
