"""Plan the grey-matter networks, whose files hold weights only.

The architecture is that of Perone et al. [1]_: two plain and two dilated convolutions, five parallel branches with
dilations up to 24, the mean of each feature map as a sixth, and a join. The names of the layers are those of the files;
each convolution has a rectifier and is followed by batch normalisation.

References
----------
.. [1] Perone CS, Calabrese E, Cohen-Adad J. Spinal cord gray matter segmentation using deep dilated convolutions.
   Scientific Reports 8:5966 (2018).
"""

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
