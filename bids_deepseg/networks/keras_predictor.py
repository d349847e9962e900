"""Run a Keras network on patches, in batches of bounded memory, with TensorFlow or with OpenVINO.

Keras would let OpenVINO compute in bfloat16 where the processor can (probabilities then differ by 0.01), on all
processors of the machine, and bound to some of them, which two processes on one machine must not be.
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import as_file
from threading import Lock
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import NetworkError
from bids_deepseg.networks.backend import OPENVINO, native_output_silenced, start_keras
from bids_deepseg.networks.batches import cut_stacks, join_stacks, predict_in_batches
from bids_deepseg.networks.predictor import Network
from bids_deepseg.networks.published.specs import PublishedSpec
from bids_deepseg.networks.specs import ModelSpec, check_weights

logger = logging.getLogger(__name__)

#: Pixels in one batch: 16 patches of 64 x 64. Larger batches are no quicker (0.87 ms a patch, and 0.83 ms in batches of
#: 56), and the last batch of an image is filled up: for an image of five thick slices, most would be filling.
_BATCH_PIXELS = 2**16


_Spec = TypeVar("_Spec", ModelSpec, PublishedSpec)

#: What it says when the system gives no memory, or no further thread.
_LACKS_MEMORY = ("alloc", "failed to map segment", "Resource temporarily unavailable")

#: Tells the threads for one image to every library of a process.
_THREADS = "OMP_NUM_THREADS"


@dataclass(frozen=True, slots=True, eq=False)
class LoadedNetwork(Generic[_Spec]):
    """A network with its weights, which states what its description says.

    Attributes
    ----------
    spec : ModelSpec or PublishedSpec
        Description of the network.
    network : keras.Model
        float32 ``(N, *patch_shape, 1)`` to float32 of the same shape in [0, 1], channels last.
    """

    spec: _Spec
    network: Network

    @property
    def patch_shape(self) -> Any:
        """Voxels of a patch along each axis: two numbers, three for a 3D network, which no type tells apart."""
        return self.spec.patch_shape

    @property
    def zoom_mm(self) -> float:
        """In-plane pixel size of a patch in mm."""
        return self.spec.zoom_mm

    @property
    def threshold(self) -> float:
        """Probability from which a pixel counts as cord."""
        return self.spec.threshold


class KerasPredictor(LoadedNetwork[ModelSpec]):
    """A network of the package, ready to run; a :class:`bids_deepseg.networks.predictor.Predictor`."""

    __slots__ = ()

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
    return _compile_network(keras, network) if keras.config.backend() == OPENVINO else network


@dataclass(frozen=True, slots=True, eq=False)
class OpenVinoNetwork:
    """A network that OpenVINO compiled; a :class:`bids_deepseg.networks.predictor.Network`.

    Attributes
    ----------
    request : openvino.InferRequest
        Computes; it keeps the memory of the feature maps.
    turn : lock
        Held while the request is at work, which can do one batch at a time; threads may share a network.
    """

    request: Any
    turn: Lock = field(default_factory=Lock)

    def predict_on_batch(self, x: NDArray[np.float32], /) -> NDArray[np.float32]:
        """Map a batch ``(N, ..., 1)`` to answers of the same shape.

        Raises
        ------
        MemoryError
            If there is no answer: short of memory, OpenVINO raises nothing and returns an empty one.
        """
        with self.turn:
            answer: NDArray[np.float32] = self.request.infer([x], share_inputs=True)[0]
        if answer.shape != x.shape or not np.isfinite(answer).all():
            raise MemoryError(f"OpenVINO gave {answer.shape} for a batch of {x.shape}")
        return answer


def _compile_network(keras: Any, network: Any) -> OpenVinoNetwork:
    """Compile a network that Keras built with its backend ``openvino``."""
    import openvino  # noqa: PLC0415 - only after Keras, which keeps it from reporting its import
    from openvino import opset16  # noqa: PLC0415

    shape = [-1 if size is None else int(size) for size in network.input_shape]
    entry = opset16.parameter(shape, np.float32)
    # Keras' own class around a node of OpenVINO's graph: calling a network with it adds the layers to the graph.
    node = type(keras.ops.convert_to_tensor(np.float32(0)))
    answer = network(node(entry.output(0)), training=False)
    graph = openvino.Model([opset16.result(answer.output)], [entry])
    try:
        compiled = openvino.Core().compile_model(graph, "CPU", _settings(os.environ))
        return OpenVinoNetwork(compiled.create_infer_request())
    except RuntimeError as error:
        # OpenVINO has one class for all that goes wrong.
        if any(words in str(error) for words in _LACKS_MEMORY):
            raise MemoryError("OpenVINO could not prepare a network") from error
        last = str(error).strip().rpartition("\n")[2]
        raise NetworkError(f"OpenVINO cannot compute the network: {last}. Give --backend tensorflow.") from error


def _settings(environ: Mapping[str, str]) -> dict[str, Any]:
    """Return the properties of the compiled network."""
    settings: dict[str, Any] = {
        "INFERENCE_PRECISION_HINT": "f32",
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "ENABLE_CPU_PINNING": False,
    }
    threads = environ.get(_THREADS, "")
    if threads.isdigit() and int(threads) > 0:
        settings["INFERENCE_NUM_THREADS"] = int(threads)
    return settings
