"""List the other methods that are tried, in the order of the reference's manual.

The manual's list (spec of the reference method): the 3D kernel, another way to the centerline, another network,
PropSeg, a network made for the case. A method that is not at hand (its weights or settings are absent) is left out.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from bids_deepseg.geometry.volume import Volume
from bids_deepseg.rescue.images import denoised, evened

#: Name of the attempt whose network sees stacks of slices.
STACKS = "3D kernel"

#: Weight of the slope, ten times that of the default: a path that leaves the cord for something hotter costs more.
_STRAIGHTER = 1.0

#: The networks were trained with cords of 4 to 16 mm; with this factor they see cords up to about 25 mm.
_WIDE_VIEW = 1.6


@dataclass(frozen=True, slots=True)
class Attempt:
    """Another way to segment an image.

    Attributes
    ----------
    name : str
        What is told to people.
    settings : mapping
        Settings of the method that differ from those of the run.
    prepare : callable or None
        What is done to the image first.
    last_resort : bool
        Whether it is tried only where all before it failed: the network can judge its masks less well than its own.
    """

    name: str
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    prepare: Callable[[Volume], Volume] | None = None
    last_resort: bool = False


def all_attempts() -> tuple[Attempt, ...]:
    """Return all attempts, in the order in which they are tried."""
    return (
        Attempt(STACKS, MappingProxyType({"kernel": "3d"})),
        Attempt("centerline by HOG and SVM", MappingProxyType({"centerline": "svm"})),
        Attempt("straighter centerline", MappingProxyType({"smoothness": _STRAIGHTER})),
        Attempt("ensemble over changed patches", MappingProxyType({"ensemble": True})),
        Attempt("view of a large cord", MappingProxyType({"view": _WIDE_VIEW})),
        Attempt("view of a small cord", MappingProxyType({"view": 1 / _WIDE_VIEW})),
        Attempt("image without shading", prepare=evened),
        Attempt("image without noise", prepare=denoised),
        Attempt("PropSeg", MappingProxyType({"method": "propseg", "centerline": "svm"}), last_resort=True),
    )
