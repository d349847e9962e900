"""Run a Keras network on patches, in batches of bounded memory."""

import logging
from dataclasses import dataclass
from importlib.resources import as_file
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import NetworkError
from bids_deepseg.networks.backend import OPENVINO, native_output_silenced, start_keras
from bids_deepseg.networks.batches import cut_stacks, join_stacks, predict_in_batches
from bids_deepseg.networks.openvino_network import compile_network
from bids_deepseg.networks.predictor import Network
from bids_deepseg.networks.specs import ModelSpec, check_weights

logger = logging.getLogger(__name__)

#: Pixels in one batch: 16 patches of 64 x 64. Larger batches are no quicker (0.87 ms a patch, and 0.83 ms in batches of
#: 56), and the last batch of an image is filled up: for an image of five thick slices, most would be filling.
_BATCH_PIXELS = 2**16


@dataclass(frozen=True, slots=True, eq=False)
class KerasPredictor:
    """A network of the package, ready to run.

    Attributes
    ----------
    spec : ModelSpec
        Description of the network.
    network : keras.Model
        The network with its weights.
    """

    spec: ModelSpec
    network: Network

    @property
    def patch_shape(self) -> tuple[int, int]:
        """Pixels of a patch along i and j."""
        return self.spec.patch_shape

    @property
    def zoom_mm(self) -> float:
        """In-plane pixel size of a patch in mm."""
        return self.spec.zoom_mm

    @property
    def threshold(self) -> float:
        """Probability from which a pixel counts as cord."""
        return self.spec.threshold

    def predict(self, patches: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map standardised patches (N, H, W) to probabilities (N, H, W).

        To a network that sees stacks of slices the patches are consecutive slices, from inferior to superior.
        """
        n_slices = self.spec.architecture["arguments"].get("n_slices", 1)
        if n_slices == 1:
            return predict_in_batches(self.network, patches, most_voxels=_BATCH_PIXELS)
        stacks, kept = cut_stacks(patches, n_slices)
        predicted = predict_in_batches(self.network, stacks, most_voxels=_BATCH_PIXELS)
        return join_stacks(predicted, kept)


def load_predictor(spec: ModelSpec) -> KerasPredictor:
    """Build the network of ``spec`` and give it its weights.

    Raises
    ------
    NetworkError
        If the weights are missing, changed, or do not fit the architecture, or if Keras cannot be started.
    """
    check_weights(spec)
    keras = start_keras()
    try:
        with native_output_silenced(), as_file(spec.weights) as path:
            from bids_deepseg.networks import architectures  # noqa: PLC0415 - loads Keras, slow

            network = architectures.build_network(
                spec.architecture, spec.patch_shape, channels_first=keras.config.backend() == OPENVINO
            )
            network.load_weights(path)
    except (ValueError, OSError, KeyError) as error:
        raise NetworkError(
            f"The weights of the network {spec.name!r} do not fit its architecture: {error}. Install the package again."
        ) from error
    logger.debug("Loaded network %s, %d weights", spec.name, network.count_params())
    return KerasPredictor(spec, made_ready(keras, network))


def made_ready(keras: Any, network: Any) -> Network:
    """Return a network of Keras in the form in which its backend computes it best."""
    return compile_network(keras, network) if keras.config.backend() == OPENVINO else network
