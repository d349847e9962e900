"""Read the linear detectors of the cord: our own, and the published ones of OptiC.

Our own are JSON files of the package, one per contrast, that hold their weights and how they came about. The published
ones are OpenCV FileStorage files (YAML); of these only the few lines that a detector consists of are understood, and
anything else is refused. Nothing is unpickled and no object is built from a file's tags.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import NetworkError
from bids_deepseg.methods.optic.hog import BLOCK_PX, CELL_PX, N_BINS, N_FEATURES, WINDOW_PX

#: Contrasts that have a detector.
CONTRASTS = ("t1", "t2", "t2s", "dwi")

#: A published detector has about 11 kB; anything much larger is something else.
_LARGEST_FILE = 200_000

#: The only HOG that :mod:`bids_deepseg.methods.optic.hog` computes, in the words of the published files.
_EXPECTED_HOG: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "winSize": (WINDOW_PX, WINDOW_PX),
        "blockSize": (BLOCK_PX, BLOCK_PX),
        "blockStride": (BLOCK_PX, BLOCK_PX),
        "cellSize": (CELL_PX, CELL_PX),
        "nbins": (N_BINS,),
        "derivAperture": (1,),
        "winSigma": (2,),
        "histogramNormType": (0,),
        "L2HysThreshold": (0.2,),
        "gammaCorrection": (1,),
        "signedGradient": (1,),
        "ps0": (1,),
        "ps1": (1,),
    }
)
_ENTRY = re.compile(r"^ *(\w+): *(\[[^\]]*\]|[^\s\[\]]+) *$", re.MULTILINE)


@dataclass(frozen=True, slots=True, eq=False)
class SvmModel:
    """A linear support vector machine on the HOG descriptor.

    Attributes
    ----------
    weights : (576,) float64 array
        Weights of the descriptor's values; read-only.
    bias : float
        Constant added to the sum.
    contrast : str
        Contrast that it was trained for: t1, t2, t2s or dwi.
    sha256 : str
        Checksum of the file that it was read from, 64 hex digits.

    Raises
    ------
    NetworkError
        If numbers are missing or not finite, or the contrast is unknown.
    """

    weights: NDArray[np.float64]
    bias: float
    contrast: str
    sha256: str

    def __post_init__(self) -> None:
        weights = np.array(self.weights, np.float64)
        if weights.shape != (N_FEATURES,):
            raise NetworkError(f"The SVM model has weights of shape {weights.shape}. {N_FEATURES} are expected.")
        if not np.isfinite(weights).all() or not math.isfinite(self.bias):
            raise NetworkError("The SVM model has weights that are NaN or infinite. Take an undamaged file.")
        if self.contrast not in CONTRASTS:
            raise NetworkError(f"The SVM model has the contrast {self.contrast!r}. Expected: {', '.join(CONTRASTS)}.")
        if not re.fullmatch("[0-9a-f]{64}", self.sha256):
            raise NetworkError(
                f"The SVM model has the checksum {self.sha256!r}, which is not a sha256 of 64 hex digits."
            )
        weights.flags.writeable = False
        object.__setattr__(self, "weights", weights)


def read_own_model(contrast: str, folder: Traversable | None = None) -> SvmModel:
    """Read the package's own model of a contrast.

    Parameters
    ----------
    contrast : str
        t1, t2, t2s or dwi.
    folder : Traversable, optional
        Folder of ``<contrast>.json``; that of the package by default.

    Raises
    ------
    NetworkError
        If there is none, or it is damaged.
    """
    if contrast not in CONTRASTS:
        raise NetworkError(f"There is no SVM model for the contrast {contrast!r}. Choose {', '.join(CONTRASTS)}.")
    folder = folder or files("bids_deepseg.methods.optic") / "models"
    try:
        content = (folder / f"{contrast}.json").read_bytes()
        card = json.loads(content)
        weights, bias = np.array(card["weights"], np.float64), float(card["bias"])
        found, expected, stated = weights_sha256(weights, bias), str(card["weights_sha256"]), str(card["contrast"])
    except (OSError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise NetworkError(
            f"The SVM model of the contrast {contrast!r} cannot be read: {error!r}. Install the package again."
        ) from error
    if found != expected or stated != contrast:
        raise NetworkError(
            f"The SVM model of the contrast {contrast!r} was changed: it states {stated!r} and the sha256 {expected}, "
            f"its weights have {found}. Install the package again."
        )
    return SvmModel(weights, bias, contrast, hashlib.sha256(content).hexdigest())


def weights_sha256(weights: NDArray[np.float64], bias: float) -> str:
    """Return the checksum of a model's 577 numbers as little-endian float64."""
    return hashlib.sha256(np.append(weights, bias).astype("<f8").tobytes()).hexdigest()


def published_place(folder: Path, contrast: str) -> Path:
    """Return where the published detector of a contrast is, or would be: in the folder or in its folder ``optic``."""
    name = f"{contrast}_model.yml"
    places = (folder / name, folder / "optic" / name)
    return next((path for path in places if path.is_file()), places[0])


def read_published_model(path: Path, *, contrast: str | None = None) -> SvmModel:
    """Read one of OptiC's published models.

    Parameters
    ----------
    path : Path
        YAML file as OpenCV writes it, for example ``t2_model.yml``.
    contrast : str, optional
        Contrast of the model, which the file does not state; by default the part of its name before ``_``.

    Raises
    ------
    NetworkError
        If the file cannot be read, or does not hold a detector of exactly the kind that OptiC uses.
    """
    contrast = contrast or path.name.split("_")[0]
    content, entries = _entries_of(path)
    if contrast not in CONTRASTS:
        raise NetworkError(
            f"{path.name} is the model of an unknown contrast {contrast!r}. Expected is one of {', '.join(CONTRASTS)}. "
            "Name the file <contrast>_model.yml or state the contrast."
        )
    for name, expected in _EXPECTED_HOG.items():
        found = entries.get(name)
        if found is None or len(found) != len(expected) or not np.allclose(found, expected, rtol=0, atol=1e-9):
            raise NetworkError(
                f"{path.name} states {name} = {_shown(found)}. {_shown(expected)} is expected, as in OptiC's models. "
                "Take the published model of the contrast."
            )
    values = entries.get("SVMDetector", ())
    if len(values) != N_FEATURES + 1:
        raise NetworkError(
            f"{path.name} holds {len(values)} numbers in SVMDetector. {N_FEATURES} weights and 1 constant are "
            "expected. Take the published model of the contrast."
        )
    return SvmModel(np.array(values[:-1]), values[-1], contrast, hashlib.sha256(content).hexdigest())


def _entries_of(path: Path) -> tuple[bytes, dict[str, tuple[float, ...]]]:
    """Return a file's content and its entries ``name: number`` and ``name: [numbers]``."""
    advice = "Expected is a model of OptiC as OpenCV writes it, such as t2_model.yml. Check the path."
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
        text = content.decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise NetworkError(f"The SVM model {path.name} cannot be read: {error}. {advice}") from error
    if len(content) > _LARGEST_FILE:
        raise NetworkError(f"The SVM model {path.name} is larger than {_LARGEST_FILE} bytes. {advice}")
    _, marker, body = text.replace("\r\n", "\n").partition("\nHOG: !!opencv-object-detector-hog\n")
    if not text.startswith("%YAML:1.0") or not marker:
        raise NetworkError(f"{path.name} is no HOG detector: it starts with {text[:30]!r}. {advice}")
    entries: dict[str, tuple[float, ...]] = {}
    for match in _ENTRY.finditer(body):
        name, value = match.groups()
        if name in entries:
            raise NetworkError(f"{path.name} states {name} twice. {advice}")
        try:
            entries[name] = tuple(float(number) for number in value.strip("[] ").split(","))
        except ValueError as error:
            raise NetworkError(f"{path.name} has a {name} that is not a number: {error}. {advice}") from error
    return content, entries


def _shown(values: tuple[float, ...] | None) -> str:
    """Return numbers as they are in a message."""
    return "nothing" if values is None else " x ".join(f"{value:g}" for value in values[:4])
