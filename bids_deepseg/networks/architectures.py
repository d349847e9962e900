"""Build the networks of this package from a few numbers.

A network is a function from a standardised patch ``(N, H, W, 1)`` to a map ``(N, H, W, 1)`` with values in [0, 1].
Keras is imported inside the functions, and only its backend-independent layers are used.
"""

from typing import Any


def build_unet(
    patch_shape: tuple[int, int],
    *,
    base_filters: int = 16,
    depth: int = 4,
    dropout: float = 0.0,
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

    step = 2**depth
    if any(size % step or size <= 0 for size in patch_shape):
        raise ValueError(
            f"The patch is {patch_shape[0]}x{patch_shape[1]} pixels. Multiples of {step} are expected at depth {depth}."
        )
    layers = keras.layers
    inputs = keras.Input((*patch_shape, 1), name="patch")
    features = _convolve(layers, inputs, base_filters, name="down0_conv0", norm=False)
    skips = []
    for level in range(1, depth + 1):
        skips.append(features)
        features = layers.MaxPooling2D(2, name=f"down{level}_pool")(features)
        for index in range(2):
            filters = base_filters * 2**level
            features = _convolve(layers, features, filters, name=f"down{level}_conv{index}")
    if dropout > 0:
        features = layers.SpatialDropout2D(dropout, name="dropout")(features)
    for level in reversed(range(depth)):
        filters = base_filters * 2**level
        features = layers.Conv2D(filters, 1, name=f"up{level}_project")(features)
        features = layers.UpSampling2D(2, name=f"up{level}_enlarge")(features)
        skip = layers.Conv2D(filters, 1, name=f"up{level}_skip")(skips[level])
        features = layers.Add(name=f"up{level}_add")([features, skip])
        for index in range(2 if level else 1):
            features = _convolve(layers, features, filters, name=f"up{level}_conv{index}", norm=level > 0)
    outputs = layers.Conv2D(1, 1, activation="sigmoid", dtype="float32", name="map")(features)
    return keras.Model(inputs, outputs, name="unet")


def _convolve(layers: Any, features: Any, filters: int, *, name: str, norm: bool = True) -> Any:
    """Apply a 3x3 convolution, batch normalisation (or a bias) and a rectifier."""
    features = layers.Conv2D(filters, 3, padding="same", use_bias=not norm, name=name)(features)
    if norm:
        features = layers.BatchNormalization(name=f"{name}_norm")(features)
    return layers.Activation("relu", name=f"{name}_relu")(features)
