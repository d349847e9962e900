"""List the other methods that are tried, in the order of the reference's manual.

The manual's list (spec of the reference method): the 3D kernel, another way to the centerline, another network,
PropSeg, a network made for the case. A method that is not at hand (its weights or settings are absent) is left out.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypedDict

from bids_deepseg.geometry.volume import Volume
from bids_deepseg.rescue.images import denoised, evened

#: Name of the attempt whose network sees stacks of slices.
STACKS = "3D kernel"

#: Weight of the slope, ten times that of the default: a path that leaves the cord for something hotter costs more.
_STRAIGHTER = 1.0

#: The networks were trained with cords of 4 to 16 mm; with this factor they see cords up to about 25 mm.
_WIDE_VIEW = 1.6


class Changes(TypedDict, total=False):
    """Settings of the method that differ from those of the run; see the settings themselves."""

    method: str
    centerline: str
    kernel: str
    smoothness: float
    ensemble: bool
    view: float


@dataclass(frozen=True, slots=True)
class Attempt:
    """Another way to segment an image.

    Attributes
    ----------
    name : str
        What is reported to the user.
    settings : Changes
        Settings of the method that differ from those of the run; never changed.
    prepare : callable or None
        What is done to the image first.
    for_doubts : bool
        Whether it is tried on a doubtful result (verdict ``warn``), too. Others are tried only where the best result so
        far fails or there is none: no doubtful result got better by them (``docs/rescue.md``).
    last_resort : bool
        Whether it is tried only where all before it failed: the network can judge its masks less well than its own.
    is_detection_kept : bool
        Whether the detection network is asked the same, so that what it answered to the first method can be used.
    is_comparable : bool
        Whether its network sees the patches of the first method, so that its findings can be compared with those.
    sees_slices_alone : bool
        Whether a few slices of the image show what all would: its networks see one slice at a time.
    """

    name: str
    settings: Changes = field(default_factory=Changes)
    prepare: Callable[[Volume], Volume] | None = None
    for_doubts: bool = False
    last_resort: bool = False
    is_detection_kept: bool = False
    is_comparable: bool = False
    sees_slices_alone: bool = True


def all_attempts() -> tuple[Attempt, ...]:
    """Return all attempts, in the order in which they are tried."""
    return (
        Attempt(
            STACKS,
            {"kernel": "3d"},
            for_doubts=True,
            is_detection_kept=True,
            is_comparable=True,
            sees_slices_alone=False,
        ),
        Attempt("centerline by HOG and SVM", {"centerline": "svm"}, for_doubts=True),
        Attempt("straighter centerline", {"smoothness": _STRAIGHTER}, is_detection_kept=True, sees_slices_alone=False),
        Attempt("ensemble over changed patches", {"ensemble": True}),
        # Shows, too, that a doubtful mask is the muscle of a thigh.
        Attempt("view of a large cord", {"view": _WIDE_VIEW}, for_doubts=True),
        Attempt("view of a small cord", {"view": 1 / _WIDE_VIEW}),
        Attempt("image without shading", prepare=evened),
        Attempt("image without noise", prepare=denoised),
        Attempt("PropSeg", {"method": "propseg", "centerline": "svm"}, last_resort=True, sees_slices_alone=False),
    )
