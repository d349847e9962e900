"""Build the networks of this package from a few numbers.

A network is a function from a standardised patch ``(N, H, W, 1)`` to a map ``(N, H, W, 1)`` with values in [0, 1].
Keras is imported inside the functions, and only its backend-independent layers are used. Inside, channels may come
first, which OpenVINO computes in three fifths of the time; TensorFlow cannot do so on processors. Weights, input and
output are the same either way.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any


def build_network(
    architecture: Mapping[str, Any], patch_shape: tuple[int, int], *, channels_first: bool = False
) -> Any:
    """Build the network that a description names.

    Parameters
    ----------
    architecture : mapping
        ``function``, ``build_unet`` or ``build_stack_unet``, and its ``arguments``.
    patch_shape : (int, int)
        Height and width of the input in pixels.
    channels_first : bool, optional
        As in :func:`build_unet`.

    Raises
    ------
    ValueError
        If the function is not one of this module's.
    """
    builders: dict[str, Callable[..., Any]] = {"build_unet": build_unet, "build_stack_unet": build_stack_unet}
    if architecture["function"] not in builders:
        raise ValueError(f"unknown architecture {architecture['function']!r}, expected {' or '.join(builders)}")
    build = builders[architecture["function"]]
    return build(patch_shape, channels_first=channels_first, **architecture["arguments"])


def build_unet(
    patch_shape: tuple[int, int],
    *,
    base_filters: int = 16,
    depth: int = 4,
    dropout: float = 0.0,
    channels_first: bool = False,
) -> Any:
    """Build a U-Net whose skips are projected and added instead of concatenated.

    The network is fully convolutional: its weights work for every input size that is a multiple of ``2**depth``
    pixels. One convolution at full resolution, where they cost most, and two at every other level; adding the skips
    [1]_ halves the time of a step on a CPU against concatenating them [2]_.

    Parameters
    ----------
    patch_shape : (int, int)
        Height and width of the input in pixels, multiples of ``2**depth``.
    base_filters : int, optional
        Feature maps at full resolution; doubled at each level.
    depth : int, optional
        Number of times that the resolution is halved.
    dropout : float, optional
        Fraction of the deepest feature maps that is dropped in training.
    channels_first : bool, optional
        Whether feature maps are ``(N, C, H, W)`` inside.

    Returns
    -------
    keras.Model
        float32 ``(N, H, W, 1)`` to float32 ``(N, H, W, 1)`` in [0, 1].

    References
    ----------
    .. [1] Chaurasia A, Culurciello E. LinkNet. VCIP 2017.
    .. [2] Ronneberger O, Fischer P, Brox T. U-Net. MICCAI 2015.
    """
    import keras  # noqa: PLC0415 - importing this package must not load a network library

    inputs = keras.Input((*patch_shape, 1), name="patch")
    _check_shape(patch_shape, depth)
    layers = _Layers(channels_first)
    # A single channel may stand anywhere: nothing is moved.
    features = keras.ops.reshape(inputs, (-1, 1, *patch_shape)) if channels_first else inputs
    outputs = _unet_layers(layers, features, base_filters, depth, dropout=dropout)
    if channels_first:
        outputs = keras.ops.reshape(outputs, (-1, *patch_shape, 1))
    return keras.Model(inputs, outputs, name="unet")


@dataclass(frozen=True, slots=True)
class _Layers:
    """The layers of Keras of which the networks are made, for one order of the axes."""

    channels_first: bool

    @property
    def axis(self) -> int:
        """Axis of the channels of feature maps (N, H, W, C) or (N, C, H, W)."""
        return 1 if self.channels_first else -1

    @property
    def _order(self) -> str:
        return "channels_first" if self.channels_first else "channels_last"

    def convolution(self, filters: int, size: int, **more: Any) -> Any:
        """Return a convolution that keeps the size."""
        from keras import layers  # noqa: PLC0415 - importing this package must not load a network library

        return layers.Conv2D(filters, size, padding="same", data_format=self._order, **more)

    def normalisation(self, **more: Any) -> Any:
        """Return a normalisation of each channel."""
        from keras import layers  # noqa: PLC0415 - as above

        return layers.BatchNormalization(axis=self.axis, **more)

    def halving(self, **more: Any) -> Any:
        """Return a layer that halves height and width."""
        from keras import layers  # noqa: PLC0415 - as above

        return layers.MaxPooling2D(2, data_format=self._order, **more)

    def doubling(self, **more: Any) -> Any:
        """Return a layer that doubles height and width."""
        from keras import layers  # noqa: PLC0415 - as above

        return layers.UpSampling2D(2, data_format=self._order, **more)

    def dropout(self, fraction: float, **more: Any) -> Any:
        """Return a layer that drops whole feature maps in training."""
        from keras import layers  # noqa: PLC0415 - as above

        return layers.SpatialDropout2D(fraction, data_format=self._order, **more)


def _check_shape(patch_shape: tuple[int, int], depth: int) -> None:
    """Refuse a patch that cannot be halved as often as the network does."""
    step = 2**depth
    if any(size % step or size <= 0 for size in patch_shape):
        raise ValueError(
            f"The patch is {patch_shape[0]}x{patch_shape[1]} pixels. Multiples of {step} are expected at depth {depth}."
        )


def _unet_layers(
    layers: _Layers,
    inputs: Any,
    base_filters: int,
    depth: int,
    *,
    dropout: float = 0.0,
    exchange: Callable[..., Any] | None = None,
) -> Any:
    """Connect the layers of the U-Net; ``exchange(features, name=...)`` follows each resolution, if given."""
    from keras.layers import Add  # noqa: PLC0415 - importing this package must not load a network library

    share = exchange or (lambda features, *, name: features)  # noqa: ARG005 - the same call for both networks
    features = _convolve(layers, inputs, base_filters, name="down0_conv0", norm=False)
    skips = []
    for level in range(1, depth + 1):
        skips.append(features)
        features = layers.halving(name=f"down{level}_pool")(features)
        for index in range(2):
            filters = base_filters * 2**level
            features = _convolve(layers, features, filters, name=f"down{level}_conv{index}")
        features = share(features, name=f"down{level}_exchange")
    if dropout > 0:
        features = layers.dropout(dropout, name="dropout")(features)
    for level in reversed(range(depth)):
        filters = base_filters * 2**level
        features = layers.convolution(filters, 1, name=f"up{level}_project")(features)
        features = layers.doubling(name=f"up{level}_enlarge")(features)
        skip = layers.convolution(filters, 1, name=f"up{level}_skip")(skips[level])
        features = Add(name=f"up{level}_add")([features, skip])
        for index in range(2 if level else 1):
            features = _convolve(layers, features, filters, name=f"up{level}_conv{index}", norm=level > 0)
        features = share(features, name=f"up{level}_exchange")
    return layers.convolution(1, 1, activation="sigmoid", dtype="float32", name="map")(features)


def build_stack_unet(
    patch_shape: tuple[int, int],
    *,
    n_slices: int,
    base_filters: int = 16,
    depth: int = 4,
    channels_first: bool = False,
) -> Any:
    """Build the U-Net of :func:`build_unet` for stacks of slices, which exchange features with their neighbours.

    Every slice goes through the same two-dimensional convolutions; at each resolution a 1 x 1 convolution of the
    features of both neighbours is added to a slice's own. It starts at zero, so that the network starts as the
    two-dimensional one (as networks for videos are grown out of those for pictures [1]_), and it costs a fifth of
    what three-dimensional convolutions cost. The slices at the ends of the stack are their own neighbours.

    Parameters
    ----------
    patch_shape : (int, int)
        Height and width of the input in pixels, multiples of ``2**depth``.
    n_slices : int
        Slices in a stack; the weights do not depend on it.
    base_filters, depth, channels_first : optional
        As in :func:`build_unet`.

    Returns
    -------
    keras.Model
        float32 ``(N, D, H, W, 1)`` to float32 ``(N, D, H, W, 1)`` in [0, 1].

    References
    ----------
    .. [1] Carreira J, Zisserman A. Quo vadis, action recognition? CVPR 2017.
    """
    import keras  # noqa: PLC0415 - importing this package must not load a network library

    inputs = keras.Input((n_slices, *patch_shape, 1), name="patch")
    _check_shape(patch_shape, depth)
    layers = _Layers(channels_first)
    flat = keras.ops.reshape(inputs, (-1, 1, *patch_shape) if channels_first else (-1, *patch_shape, 1))
    outputs = _unet_layers(layers, flat, base_filters, depth, exchange=partial(_exchange, layers, n_slices=n_slices))
    return keras.Model(inputs, keras.ops.reshape(outputs, (-1, n_slices, *patch_shape, 1)), name="stack_unet")


def _exchange(layers: _Layers, features: Any, *, n_slices: int, name: str) -> Any:
    """Add to each slice's features (N * D, ...) a 1 x 1 convolution of those of its neighbours."""
    import keras  # noqa: PLC0415 - importing this package must not load a network library

    shape = list(features.shape[1:])
    channel = layers.axis - 1 if layers.channels_first else layers.axis
    filters = shape[channel]
    stack = keras.ops.reshape(features, (-1, n_slices, *shape))
    below = keras.ops.concatenate([stack[:, :1], stack[:, :-1]], axis=1)
    above = keras.ops.concatenate([stack[:, 1:], stack[:, -1:]], axis=1)
    shape[channel] = 2 * filters
    both = keras.ops.concatenate([below, above], axis=2 if layers.channels_first else -1)
    both = keras.ops.reshape(both, (-1, *shape))
    mixed = layers.convolution(filters, 1, kernel_initializer="zeros", name=name)(both)
    return keras.layers.Add(name=f"{name}_add")([features, mixed])


def _convolve(layers: _Layers, features: Any, filters: int, *, name: str, norm: bool = True) -> Any:
    """Apply a 3x3 convolution, batch normalisation (or a bias) and a rectifier."""
    from keras.layers import Activation  # noqa: PLC0415 - importing this package must not load a network library

    features = layers.convolution(filters, 3, use_bias=not norm, name=name)(features)
    if norm:
        features = layers.normalisation(name=f"{name}_norm")(features)
    return Activation("relu", name=f"{name}_relu")(features)
