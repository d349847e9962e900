"""Describe the networks of the package without loading any network library.

The description of each network is the file ``weights/<name>.json``, which the export of a training writes beside the
weights.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from types import MappingProxyType
from typing import Any

from bids_deepseg.errors import NetworkError

#: The only mapping from BIDS suffix to contrast.
_CONTRASTS = MappingProxyType(
    {
        "T1w": "t1",
        "UNIT1": "t1",
        "T2w": "t2",
        "PDw": "t2",
        "T2starw": "t2s",
        "T2star": "t2s",
        "MEGRE": "t2s",
        "MTS": "t2s",
        "dwi": "dwi",
        "bold": "t2s",
        "cbv": "t2s",
        "epi": "t2s",
    }
)


def contrast_of_suffix(suffix: str) -> str | None:
    """Return the contrast (t1, t2, t2s, dwi) of a BIDS suffix, None for a suffix that is not segmented."""
    return _CONTRASTS.get(suffix)


@dataclass(frozen=True, slots=True)
class KnownModel:
    """What is recorded of a model that is not a network of this package.

    Attributes
    ----------
    name : str
        Name of the model.
    contrast : str
        Contrast that it was trained for, ``any`` for a contrast-agnostic one.
    threshold : float
        Value from which a pixel counts as cord.
    sha256 : str
        Checksum that tells it from all others, 64 hex digits.
    """

    name: str
    contrast: str
    threshold: float
    sha256: str


@dataclass(frozen=True, slots=True, eq=False)
class ModelSpec:
    """What must be known of a network to run it.

    Attributes
    ----------
    name : str
        Name of the network, which is also that of its files.
    contrast : str
        Contrast that it was trained for, ``any`` for a contrast-agnostic network.
    patch_shape : tuple of int
        Pixels of a patch along i and j.
    zoom_mm : float
        In-plane pixel size of a patch.
    threshold : float
        Probability from which a pixel counts as cord, in (0, 1).
    architecture : mapping
        ``function`` (name in :mod:`bids_deepseg.networks.architectures`) and its ``arguments``.
    weights : Traversable
        File of the weights.
    sha256 : str
        Checksum of that file, 64 hex digits.
    odds_exponent : float
        Power of the odds that calibrates its answers (:func:`bids_deepseg.stages.probability.sharpen`).
    """

    name: str
    contrast: str
    patch_shape: tuple[int, int]
    zoom_mm: float
    threshold: float
    architecture: Mapping[str, Any]
    weights: Traversable
    sha256: str
    odds_exponent: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1:
            raise NetworkError(f"Network {self.name}: the threshold is {self.threshold}, expected between 0 and 1.")
        if not self.odds_exponent > 0:
            raise NetworkError(f"Network {self.name}: the power is {self.odds_exponent}, expected is more than 0.")
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            raise NetworkError(f"Network {self.name}: {self.sha256!r} is not a sha256 of 64 hex digits.")


#: A model in the sidecars and in the cache key: its name, contrast, threshold and checksum.
ModelIdentity = KnownModel | ModelSpec


def read_spec(name: str, folder: Traversable | None = None) -> ModelSpec:
    """Read the description of one network.

    Parameters
    ----------
    name : str
        Name of the network, for example ``segmentation``.
    folder : Traversable, optional
        Folder of weights and descriptions; that of the package by default.

    Raises
    ------
    NetworkError
        If the description is missing or cannot be read.
    """
    folder = folder or files("bids_deepseg.networks") / "weights"
    try:
        card = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        height, width = card["patch_shape"]
        return ModelSpec(
            name=card["name"],
            contrast=card["contrast"],
            patch_shape=(int(height), int(width)),
            zoom_mm=float(card["zoom_mm"]),
            threshold=float(card["threshold"]),
            architecture=MappingProxyType(card["architecture"]),
            weights=folder / card["weights"],
            sha256=card["sha256"],
            odds_exponent=float(card.get("odds_exponent", 1.0)),
        )
    except (OSError, KeyError, ValueError) as error:
        raise NetworkError(
            f"The description of the network {name!r} cannot be read: {error!r}. Install the package again."
        ) from error


def checked_spec(name: str) -> ModelSpec:
    """Read the description of one of the package's networks, and compare its weights with their checksum.

    Raises
    ------
    NetworkError
        If one of them is missing or changed.
    """
    spec = read_spec(name)
    check_weights(spec)
    return spec


def check_weights(spec: ModelSpec) -> None:
    """Compare a weights file with its checksum.

    Raises
    ------
    NetworkError
        If the file is missing or is not the one that was exported.
    """
    try:
        content = spec.weights.read_bytes()
    except OSError as error:
        raise NetworkError(
            f"The weights of the network {spec.name!r} are missing: {error}. Install the package again."
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != spec.sha256:
        raise NetworkError(
            f"The weights of the network {spec.name!r} were changed: sha256 {found}, expected {spec.sha256}. "
            "Install the package again."
        )
