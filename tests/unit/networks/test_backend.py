"""The library that computes the networks: which one is taken, and that both give the same."""

import json
import os
import sys
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest

from bids_deepseg.errors import NetworkError, UsageError
from bids_deepseg.networks import backend as module
from bids_deepseg.networks.backend import choose_backend
from bids_deepseg.networks.keras_predictor import OpenVinoNetwork
from tests.helpers.backends import OWN, REBUILT, answers_of, in_new_process

#: Largest difference of a probability between the backends that is allowed; 2e-6 was measured.
TOLERANCE = 1e-5

both_installed = pytest.mark.skipif(
    not (find_spec("openvino") and find_spec("tensorflow")), reason="needs both backends: pip install '.[fast]'"
)
needs_openvino = pytest.mark.skipif(
    not find_spec("openvino"), reason="OpenVINO is not installed: pip install '.[fast]'"
)


@pytest.fixture
def installed(monkeypatch):
    """Return a function that says what is installed, in a process in which Keras was not imported."""
    monkeypatch.delitem(sys.modules, "keras", raising=False)

    def install(*names, keras="3.15.1"):
        monkeypatch.setattr(module, "find_spec", lambda name: name if name in names else None)
        monkeypatch.setattr(module, "version", lambda _name: keras)

    return install


@pytest.mark.parametrize(
    ("demanded", "variable", "names", "expected"),
    [
        ("auto", "", "tensorflow openvino", "openvino"),
        ("auto", "", "tensorflow", "tensorflow"),
        ("auto", "", "openvino", "openvino"),
        ("auto", "tensorflow", "tensorflow openvino", "tensorflow"),
        ("auto", "openvino", "tensorflow openvino", "openvino"),
        ("tensorflow", "openvino", "tensorflow openvino", "tensorflow"),
        ("openvino", "tensorflow", "tensorflow openvino", "openvino"),
        ("tensorflow", "jax", "tensorflow", "tensorflow"),
    ],
)
def test_the_option_goes_before_the_variable_and_this_before_what_is_installed(
    installed, demanded, variable, names, expected
):
    installed(*names.split())
    assert choose_backend(demanded, environ={"KERAS_BACKEND": variable}) == expected


@pytest.mark.parametrize(
    ("demanded", "variable", "names", "error", "match"),
    [
        ("openvino", "", "tensorflow", UsageError, r"OpenVINO is not installed.*bids_deepseg\[fast\]"),
        ("tensorflow", "", "openvino", UsageError, "TensorFlow is not installed"),
        ("auto", "tensorflow", "openvino", UsageError, "TensorFlow is not installed"),
        ("auto", "openvino", "tensorflow", UsageError, "OpenVINO is not installed"),
        ("auto", "jax", "tensorflow openvino", UsageError, "'jax' by the environment variable KERAS_BACKEND"),
        ("auto", "", "", NetworkError, "TensorFlow is not installed. OpenVINO is not installed"),
    ],
)
def test_what_cannot_be_had_is_an_error_that_says_what_to_do(installed, demanded, variable, names, error, match):
    installed(*names.split())
    with pytest.raises(error, match=match):
        choose_backend(demanded, environ={"KERAS_BACKEND": variable})


def test_auto_does_not_take_openvino_with_a_keras_that_is_too_old(installed):
    installed("tensorflow", "openvino", keras="3.10.0")
    assert choose_backend(environ={}) == "tensorflow"
    with pytest.raises(UsageError, match=r"Keras 3\.\d+ or newer is needed; 3\.10\.0 is installed"):
        choose_backend("openvino", environ={})


def test_the_gpu_belongs_to_tensorflow(installed):
    installed("tensorflow", "openvino")
    assert choose_backend(device="gpu", environ={}) == "tensorflow"
    with pytest.raises(UsageError, match="runs on the processor only"):
        choose_backend("openvino", device="gpu", environ={})
    with pytest.raises(UsageError, match="runs on the processor only"):
        choose_backend(device="gpu", environ={"KERAS_BACKEND": "openvino"})


def test_a_process_in_which_keras_runs_keeps_its_backend(installed, monkeypatch):
    installed("tensorflow", "openvino")
    running = SimpleNamespace(config=SimpleNamespace(backend=lambda: "tensorflow"))
    monkeypatch.setitem(sys.modules, "keras", running)
    assert choose_backend(environ={"KERAS_BACKEND": "openvino"}) == "tensorflow"
    assert module.start_keras() is running
    with pytest.raises(UsageError, match="runs on tensorflow in this process already"):
        choose_backend("openvino", environ={})
    monkeypatch.setattr(running.config, "backend", lambda: "torch")
    with pytest.raises(UsageError, match="'torch' in this process"):
        choose_backend(environ={})


def test_a_library_that_cannot_be_loaded_is_an_error_and_the_environment_stays(installed, monkeypatch):
    installed("tensorflow", "openvino")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setitem(sys.modules, "keras", None)
    with pytest.raises(NetworkError, match=r"openvino is installed, but cannot be loaded.*--backend tensorflow"):
        module.start_keras("openvino")
    assert "KERAS_BACKEND" not in os.environ
    assert sys.modules.get("openvino_telemetry", ...) is not None


@pytest.mark.parametrize("answer", [np.zeros((0, 8, 8, 1)), np.full((2, 8, 8, 1), np.nan), np.zeros((1, 8, 8, 1))])
def test_an_answer_that_openvino_did_not_compute_is_never_taken_for_one(answer):
    """With ``ulimit -v`` it returned empty arrays, and said nothing."""
    network = OpenVinoNetwork(SimpleNamespace(infer=lambda _inputs, **_more: [answer.astype(np.float32)]))
    with pytest.raises(MemoryError, match="OpenVINO gave"):
        network.predict_on_batch(np.zeros((2, 8, 8, 1), np.float32))


# ---- with the libraries themselves ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("answers")
    return {name: answers_of(name, folder) for name in module.BACKENDS}


@pytest.mark.slow
@both_installed
@pytest.mark.parametrize("name", [*OWN, *REBUILT])
def test_both_backends_give_the_same_probabilities(answers, name):
    found, expected = answers["openvino"][name], answers["tensorflow"][name]
    assert found.dtype == expected.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=TOLERANCE)
    # Nothing would be compared if all were next to zero.
    assert np.ptp(expected) > 1e-2


@pytest.mark.slow
@both_installed
def test_both_backends_give_the_same_probabilities_with_published_networks(shared_data, tmp_path):
    folder = shared_data / "weights"
    if not folder.is_dir():
        pytest.skip(f"no published networks: {folder} is absent")
    found, expected = (answers_of(name, tmp_path, folder) for name in ("openvino", "tensorflow"))
    assert found.keys() == expected.keys() != set()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=0, atol=TOLERANCE, err_msg=name)


#: Prints what a process with OpenVINO has loaded, and how the network is computed.
_LOOK = """
import json, os, sys
from pathlib import Path
from bids_deepseg.networks.backend import start_keras
from bids_deepseg.networks.predictor import load_own
network = load_own("grey").network
start_keras("openvino")
model = network.request.get_compiled_model()
names = ("INFERENCE_PRECISION_HINT", "INFERENCE_NUM_THREADS", "ENABLE_CPU_PINNING", "NUM_STREAMS")
print(json.dumps({
    "loaded": sorted({"tensorflow", "openvino_telemetry", "matplotlib", "pandas", "scipy.stats"} & set(sys.modules)),
    "variable": os.environ["KERAS_BACKEND"],
    **{name: str(getattr(value := model.get_property(name), "to_string", value.__str__)()) for name in names},
    "home": sorted(str(path.relative_to(Path.home())) for path in Path.home().rglob("*") if path.is_file()),
}))
"""


@pytest.mark.slow
@needs_openvino
def test_openvino_computes_in_float32_on_the_threads_of_an_image_loads_little_and_tells_nobody(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    for name in ("KERAS_HOME", "MPLCONFIGDIR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / name))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    # Its makers are told nothing on machines of this kind; on others they would be.
    monkeypatch.delenv("CI", raising=False)
    (tmp_path / "home").mkdir()
    found = json.loads(in_new_process("openvino", _LOOK))
    assert found == {
        "loaded": [],
        "variable": "openvino",
        "INFERENCE_PRECISION_HINT": "f32",
        "INFERENCE_NUM_THREADS": "1",
        "ENABLE_CPU_PINNING": "False",
        "NUM_STREAMS": "1",
        "home": [],
    }


@pytest.mark.slow
@needs_openvino
def test_threads_may_share_a_network_on_openvino():
    code = (
        "import numpy as np\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from bids_deepseg.networks.predictor import load_own\n"
        "network = load_own('grey')\n"
        "images = np.random.default_rng(0).normal(size=(6, 9, *network.patch_shape)).astype(np.float32)\n"
        "alone = [network.predict(patches) for patches in images]\n"
        "with ThreadPoolExecutor(4) as pool:\n"
        "    together = list(pool.map(network.predict, [*images, *images, *images]))\n"
        "print(all(np.array_equal(a, b) for a, b in zip([*alone, *alone, *alone], together)))\n"
        "print(load_own('grey') is network)\n"
    )
    assert in_new_process("openvino", code).split() == ["True", "True"]
