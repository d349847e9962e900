"""Choose the library that computes the networks, and start Keras on it.

Keras reads the name of its backend once, while it is imported, so a process has one for good. Everything that builds a
network comes through :func:`start_keras` first.
"""

import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import Any

from bids_deepseg.errors import NetworkError, UsageError
from bids_deepseg.networks.importing import sparing

logger = logging.getLogger(__name__)

#: Word for the variable of Keras, else OpenVINO if it is installed, else TensorFlow.
AUTO = "auto"

TENSORFLOW, OPENVINO = "tensorflow", "openvino"

#: Libraries whose results were compared; Keras knows others.
BACKENDS = (TENSORFLOW, OPENVINO)

#: Environment variable of Keras.
VARIABLE = "KERAS_BACKEND"

#: Keras before this version lacks layers of ours on OpenVINO.
_OLDEST_KERAS = (3, 14)

#: Modules that Keras and its backends do without. OpenVINO would tell its makers that it was imported, without asking,
#: and leave files in the home folder for it; matplotlib would index the fonts of the machine. Without pandas, Keras
#: takes no tables, unless pandas was imported before.
_HIDDEN = frozenset({"matplotlib", "openvino_telemetry", "pandas"})

#: Modules of which nothing is used until somebody asks for spectra.
_LATE = frozenset({"scipy.signal"})

#: How each library is installed.
_COMMANDS = {TENSORFLOW: "pip install tensorflow-cpu", OPENVINO: "pip install 'bids_deepseg[fast]'"}


def choose_backend(demanded: str = AUTO, *, device: str = "cpu", environ: Mapping[str, str] | None = None) -> str:
    """Return the library that will compute the networks; nothing is imported.

    Parameters
    ----------
    demanded : {"auto", "tensorflow", "openvino"}, optional
        What the user asked for. ``auto`` is the backend that Keras runs on in this process already; if it was not
        imported yet, that of the variable ``KERAS_BACKEND``; without one, OpenVINO if it is installed; else TensorFlow.
    device : {"cpu", "gpu"}, optional
        Where the networks run; only TensorFlow runs them on a GPU.
    environ : mapping, optional
        Environment variables; those of the process by default.

    Returns
    -------
    {"tensorflow", "openvino"}
        The library.

    Raises
    ------
    UsageError
        If a library is demanded that is not installed, that Keras does not run on here, or that contradicts the device.
    NetworkError
        If neither library is installed.
    """
    running, named = _running(), named_backend(demanded, environ)
    if named and named not in BACKENDS:
        raise UsageError(
            f"Keras is told to run on {named!r}"
            f"{' in this process' if running else f' by the environment variable {VARIABLE}'}, whose results were not "
            f"compared. Expected: {' or '.join(BACKENDS)}. Give --backend, or unset the variable."
        )
    if running and named != running:
        raise UsageError(
            f"The backend {named} was asked for, but Keras runs on {running} in this process already, and cannot "
            "change. Start a new process."
        )
    if device == "gpu":
        if named == OPENVINO:
            raise UsageError("OpenVINO runs on the processor only. For the GPU, give --backend tensorflow.")
        named = TENSORFLOW
    if not named:
        named = OPENVINO if not _lack_of_openvino() else TENSORFLOW
    _check_installed(named, asked=demanded != AUTO)
    return named


def named_backend(demanded: str, environ: Mapping[str, str] | None = None) -> str:
    """Return the backend that an option, Keras as it runs here, or its variable names; empty if none does."""
    variables = os.environ if environ is None else environ
    return demanded if demanded != AUTO else _running() or variables.get(VARIABLE, "")


def start_keras(demanded: str = AUTO) -> Any:
    """Import Keras on a backend, and return it; the environment is left as it was.

    Parameters
    ----------
    demanded : str, optional
        As for :func:`choose_backend`.

    Raises
    ------
    UsageError
        If the backend cannot be had, as for :func:`choose_backend`.
    NetworkError
        If the library is installed and cannot be loaded.
    """
    if _running() and demanded in (AUTO, _running()):
        return sys.modules["keras"]
    backend = choose_backend(demanded)
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = backend
    try:
        with native_output_silenced(), sparing(hidden=_HIDDEN, late=_LATE):
            import keras  # noqa: PLC0415 - slow, and the variable must be set before
    except (ImportError, OSError) as error:
        other = next(name for name in BACKENDS if name != backend)
        raise NetworkError(
            f"The library {backend} is installed, but cannot be loaded: {error}. Install it again, or give "
            f"--backend {other}."
        ) from error
    finally:
        if before is None:
            del os.environ[VARIABLE]
        else:
            os.environ[VARIABLE] = before
    logger.debug("Keras %s runs on %s.", keras.version(), backend)
    return keras


def _running() -> str:
    """Return the backend of Keras in this process, empty if it was not imported."""
    keras: Any = sys.modules.get("keras")
    return str(keras.config.backend()) if hasattr(keras, "config") else ""


def _check_installed(backend: str, *, asked: bool) -> None:
    """Raise if a library is not installed."""
    lacks = {TENSORFLOW: _lack_of_tensorflow(), OPENVINO: _lack_of_openvino()}
    if not lacks[backend]:
        return
    if not asked and all(lacks.values()):
        raise NetworkError(f"The networks need TensorFlow or OpenVINO. {' '.join(lacks.values())} Install one of them.")
    other = next(name for name in BACKENDS if name != backend)
    raise UsageError(f"{lacks[backend]} Install it with {_COMMANDS[backend]}, or give --backend {other}.")


def _lack_of_tensorflow() -> str:
    """Say why TensorFlow cannot be used; empty if it can."""
    return "" if find_spec(TENSORFLOW) else "TensorFlow is not installed."


def _lack_of_openvino() -> str:
    """Say why OpenVINO cannot be used; empty if it can."""
    if not find_spec(OPENVINO):
        return "OpenVINO is not installed."
    try:
        found = version("keras")
    except PackageNotFoundError:
        return "Keras, which OpenVINO needs as well, is not installed."
    if tuple(int(part) for part in found.split(".")[:2]) < _OLDEST_KERAS:
        oldest = ".".join(map(str, _OLDEST_KERAS))
        return f"With OpenVINO, Keras {oldest} or newer is needed; {found} is installed."
    return ""


@contextmanager
def native_output_silenced() -> Iterator[None]:
    """Keep the banner that TensorFlow's libraries write while they load off the user's terminal.

    They write to the file descriptor of the standard error itself, before any of their settings is read.
    """
    sys.stderr.flush()
    terminal = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)
        # It warns of networks that are traced again, which several networks in one process always are.
        logging.getLogger("tensorflow").setLevel(logging.ERROR)
