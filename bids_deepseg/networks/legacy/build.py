"""Build a Keras network from a plan and give it its weights.

The architecture is that of Perone et al. [1]_: two plain and two dilated convolutions, five parallel branches with
dilations up to 24, the mean of each feature map as a sixth, and a join. The names of the layers are those of the files;
each convolution has a rectifier and is followed by batch normalisation.

References
----------
.. [1] Perone CS, Calabrese E, Cohen-Adad J. Spinal cord gray matter segmentation using deep dilated convolutions.
   Scientific Reports 8:5966 (2018).
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from bids_deepseg.errors import NetworkError
from bids_deepseg.networks.legacy.h5 import LegacyNetwork
from bids_deepseg.networks.legacy.plan import (
    Plan,
    PlannedLayer,
    plan_concatenation,
    plan_convolution,
    plan_input,
    plan_mean,
    plan_normalisation,
)

_EPSILON = 1e-3

#: Pixels along each side, at 0.25 mm.
_SIDE = 200

#: Features of the layer before the output, in both networks.
_JOINED = 64


def build_legacy(legacy: LegacyNetwork) -> Any:
    """Build the network of a file with layers of Keras 3 and copy its weights into it.

    Returns
    -------
    keras.Model
        float32 ``(N, *patch_shape, 1)`` to float32 ``(N, *patch_shape, 1)`` in [0, 1], channels last.

    Raises
    ------
    NetworkError
        If Keras infers other shapes than the plan.
    """
    import keras  # noqa: PLC0415 - importing this package must not load a network library

    outputs: dict[str, Any] = {}
    for planned in legacy.plan.layers:
        if planned.kind == "input":
            outputs[planned.name] = keras.Input(planned.shape, dtype="float32", name=planned.name)
            continue
        sources = [outputs[name] for name in planned.inputs]
        features = sources if len(sources) > 1 else sources[0]
        if planned.kind == "mean":
            features = keras.layers.GlobalAveragePooling2D(
                data_format="channels_last", keepdims=True, name=f"{planned.name}_mean"
            )(features)
        layer = _MAKERS[planned.kind](keras.layers, planned)
        output = outputs[planned.name] = layer(features)
        if tuple(output.shape[1:]) != planned.shape:
            raise NetworkError(f"Layer {planned.name}: Keras makes {output.shape}, planned {planned.shape}.")
        arrays = legacy.weights.get(planned.name, ())
        if [tuple(weight.shape) for weight in layer.weights] != [array.shape for array in arrays]:
            raise NetworkError(f"Layer {planned.name}: Keras expects other weights than the file has.")
        layer.set_weights(list(arrays))
    first, last = legacy.plan.layers[0].name, legacy.plan.layers[-1].name
    network = keras.Model(outputs[first], outputs[last], name="published")
    if network.count_params() != legacy.plan.n_parameters:
        raise NetworkError(f"{network.count_params()} weights were built, {legacy.plan.n_parameters} planned.")
    network.trainable = False
    return network


def _convolution(layers: Any, planned: PlannedLayer) -> Any:
    settings = planned.settings
    make = layers.Conv2D if len(planned.shape) == 3 else layers.Conv3D
    return make(
        planned.shape[-1],
        settings["kernel"],
        padding="same",
        dilation_rate=settings["dilation"],
        activation=settings["activation"],
        data_format="channels_last",
        name=planned.name,
    )


def _transposed(layers: Any, planned: PlannedLayer) -> Any:
    settings = planned.settings
    return layers.Conv2DTranspose(
        planned.shape[-1],
        settings["kernel"],
        strides=settings["kernel"],
        padding="valid",
        activation=settings["activation"],
        data_format="channels_last",
        name=planned.name,
    )


def _normalisation(layers: Any, planned: PlannedLayer) -> Any:
    return layers.BatchNormalization(axis=-1, epsilon=planned.settings["epsilon"], name=planned.name)


def _activation(layers: Any, planned: PlannedLayer) -> Any:
    return layers.Activation(planned.settings["activation"], name=planned.name)


def _pooling(layers: Any, planned: PlannedLayer) -> Any:
    make = layers.MaxPooling2D if len(planned.shape) == 3 else layers.MaxPooling3D
    return make(planned.settings["size"], padding="valid", data_format="channels_last", name=planned.name)


def _upsampling(layers: Any, planned: PlannedLayer) -> Any:
    return layers.UpSampling3D(planned.settings["size"], data_format="channels_last", name=planned.name)


def _concatenation(layers: Any, planned: PlannedLayer) -> Any:
    return layers.Concatenate(axis=-1, name=planned.name)


def _repetition(layers: Any, planned: PlannedLayer) -> Any:
    return layers.UpSampling2D(planned.shape[:-1], data_format="channels_last", name=planned.name)


_MAKERS: Mapping[str, Callable[[Any, PlannedLayer], Any]] = MappingProxyType(
    {
        "convolution": _convolution,
        "transposed": _transposed,
        "normalisation": _normalisation,
        "activation": _activation,
        "pooling": _pooling,
        "upsampling": _upsampling,
        "concatenation": _concatenation,
        "mean": _repetition,
    }
)


def plan_grey_matter(n_features: int) -> Plan:
    """Plan the grey-matter network.

    Parameters
    ----------
    n_features : int
        Feature maps of each convolution: 32 in the network "challenge", 64 in "large".

    Returns
    -------
    Plan
        Network from ``(200, 200, 1)`` to ``(200, 200, 1)``.
    """
    layers = [plan_input("input_1", (_SIDE, _SIDE, 1))]
    n_norms = 0

    def add(layer: PlannedLayer) -> PlannedLayer:
        layers.append(layer)
        return layer

    def normalise(source: PlannedLayer) -> PlannedLayer:
        nonlocal n_norms
        n_norms += 1
        return add(plan_normalisation(f"batch_normalization_{n_norms}", source, epsilon=_EPSILON))

    def unit(name: str, source: PlannedLayer, side: int, rate: int = 1, filters: int = n_features) -> PlannedLayer:
        kernel, dilation = (side, side), (rate, rate)
        return normalise(
            add(plan_convolution(name, source, filters=filters, kernel=kernel, dilation=dilation, activation="relu"))
        )

    plain = unit("conv2d_2", unit("conv2d_1", layers[0], 3), 3)
    dilated = unit("rate2_2", unit("rate2_1", plain, 3, 2), 3, 2)
    # The numbers of the normalisations follow the order in which the branches were made.
    branches = [unit("branch1x1_2", unit("branch1x1_1", dilated, 3), 1)]
    branches += [unit(f"rate{rate}_2", unit(f"rate{rate}_1", dilated, 3, rate), 3, rate) for rate in (6, 12, 18, 24)]
    mean = add(plan_mean("global_average_pooling2d_1", plain))
    joined = normalise(add(plan_concatenation("concatenate_1", [*branches[:4], mean, branches[4]])))
    amort = unit("amort", joined, 1, filters=_JOINED)
    add(plan_convolution("predictions", amort, filters=1, kernel=(1, 1), activation="sigmoid"))
    dropped = (*(f"dropout_{number}" for number in range(1, n_norms + 1)), "repeat_vector_1", "reshape_1")
    return Plan(tuple(layers), dropped)
