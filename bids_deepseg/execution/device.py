"""Choose where the networks run."""

import logging
import subprocess
import sys
from typing import Literal

from bids_deepseg.errors import UsageError

logger = logging.getLogger(__name__)

#: Asked in a process of its own: TensorFlow reads the settings of its threads when it is loaded, and they come later.
_QUESTION = "import tensorflow; print(len(tensorflow.config.list_physical_devices('GPU')))"


def choose_device(demanded: str) -> Literal["cpu", "gpu"]:
    """Return the device of a run.

    Parameters
    ----------
    demanded : {"cpu", "gpu", "auto"}
        ``auto`` takes a GPU if there is one.

    Raises
    ------
    UsageError
        If a GPU is demanded and TensorFlow sees none.
    """
    if demanded == "cpu":
        return "cpu"
    if count_gpus():
        return "gpu"
    if demanded == "gpu":
        raise UsageError(
            "--device gpu was given, but TensorFlow sees no GPU. Give --device cpu or auto, or install a TensorFlow "
            "with GPU support and make the GPU visible (in containers: --gpus all, or --nv)."
        )
    return "cpu"


def log_device(demanded: str, device: str) -> None:
    """Say what ``auto`` has become."""
    if demanded == "auto":
        logger.info("The networks run on the %s.", "GPU" if device == "gpu" else "processor: TensorFlow sees no GPU")


def count_gpus() -> int:
    """Return the number of GPUs that TensorFlow sees, 0 if it cannot be asked."""
    done = subprocess.run([sys.executable, "-c", _QUESTION], capture_output=True, text=True, check=False)
    last = done.stdout.strip().rpartition("\n")[2]
    return int(last) if done.returncode == 0 and last.isdigit() else 0
