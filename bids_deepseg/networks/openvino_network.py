"""Hand a Keras network to OpenVINO, with settings that Keras does not pass on.

Keras would let OpenVINO compute in bfloat16 where the processor can (probabilities then differ by 0.01), on all
processors of the machine, and bound to some of them, which two processes on one machine must not be.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import NetworkError

#: What it says when the system gives no memory, or no further thread.
_LACKS_MEMORY = ("alloc", "failed to map segment", "Resource temporarily unavailable")

#: Tells the threads for one image to every library of a process.
_THREADS = "OMP_NUM_THREADS"


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


def compile_network(keras: Any, network: Any) -> OpenVinoNetwork:
    """Compile a network that Keras built with its backend ``openvino``.

    Parameters
    ----------
    keras : module
        Keras on that backend.
    network : keras.Model
        float32 ``(N, ..., 1)`` to float32 of the same shape, with its weights.

    Returns
    -------
    OpenVinoNetwork
        Computes in float32, batches of any size.

    Raises
    ------
    MemoryError
        If there is too little memory.
    NetworkError
        If OpenVINO cannot compute the network.
    """
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
