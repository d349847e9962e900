"""Note which slices are to be looked at and why, and find those that each reason of the verdict is about."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.geometry.grid import AXIS_IS, AXIS_PA, AXIS_RL
from bids_deepseg.judge.slices import slices_to_look_at
from bids_deepseg.report.cord import CordImage
from bids_deepseg.report.measures import Measures
from bids_deepseg.stages.findings import Finding

#: Words of :func:`bids_deepseg.judge.slices.slices_to_look_at` that mark the slices of a reason.
_WORDS: Mapping[str, tuple[str, ...]] = {
    "gap": ("no mask",),
    "area-range": ("small area", "large area"),
    "area-jump": ("area jumps",),
    "probability-low": ("network unsure",),
    "slices-unsure": ("network unsure",),
}

#: Upper end of the cord that is compared with what lies below it, see ``judge.shape.growth_upward``.
_UPPER_END_MM = 10.0

#: What a slice is marked with, by the reason that it is the place of, where the words above say nothing of it.
_MARKS: Mapping[str, str] = {
    "coverage": "cord found, no mask",
    "coverage-low": "cord found, no mask",
    "several-objects": "several objects",
    "holes": "hole in the mask",
    "field-border": "mask at the border of the image",
    "above-foramen-magnum": "large for its level",
    "centre-jump": "centre jumps",
}


@dataclass(frozen=True, slots=True)
class Notes:
    """Slices to look at.

    Attributes
    ----------
    words : mapping of int to str
        Why to look at a slice, by its native number.
    places : tuple of tuple of int
        For each reason, the slices that it is about, counted from superior; none for one about the mask as a whole.
    """

    words: Mapping[int, str]
    places: tuple[tuple[int, ...], ...]


def take_notes(cord: CordImage, measures: Measures, reasons: Sequence[Finding]) -> Notes:
    """Note which slices are to be looked at.

    Parameters
    ----------
    cord : CordImage
        Image and results on canonical axes.
    measures : mapping of str to (K,) array
        Measures per canonical slice.
    reasons : sequence of Finding
        Reasons of the verdict.
    """
    if cord.mask is None:
        return Notes({}, ((),) * len(reasons))
    order = np.argsort(cord.numbers)
    native = {name: values[order] for name, values in measures.items()} | {"slice": np.sort(cord.numbers)}
    flags = slices_to_look_at(native, cord.zooms[AXIS_IS])
    words = {number: text.split(", ") for number, text in flags.items()}
    places = []
    for reason in reasons:
        marked = _places_of(reason.code, cord, cord.mask, flags)
        places.append(tuple(np.flatnonzero(marked[::-1]).tolist()))
        mark = _MARKS.get(reason.code, "")
        for number in cord.numbers[np.flatnonzero(marked)].tolist() if mark else ():
            if mark not in words.setdefault(number, []) and words[number] != ["no mask"]:
                words[number].append(mark)
    return Notes({number: ", ".join(texts) for number, texts in words.items()}, tuple(places))


def _places_of(code: str, cord: CordImage, mask: NDArray[np.bool_], flags: Mapping[int, str]) -> NDArray[np.bool_]:
    """Return the canonical slices (K,) that a reason is about."""
    if code in _WORDS:
        noted = (flags.get(int(number), "").split(", ") for number in cord.numbers)
        return np.array([bool(set(words) & set(_WORDS[code])) for words in noted], bool)
    find = _FINDERS.get(code)
    return np.zeros(len(cord.numbers), bool) if find is None else find(cord, mask)


def _uncovered(cord: CordImage, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell where the centerline runs and no mask is."""
    return np.asarray(cord.found & ~mask.any((0, 1)))


def _several(_cord: CordImage, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which slices have several objects that do not touch, not even by a corner."""
    return np.array([ndimage.label(mask[..., k], np.ones((3, 3)))[1] > 1 for k in range(mask.shape[2])], bool)


def _holes(_cord: CordImage, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell in which slices the mask has a hole."""
    filled = (ndimage.binary_fill_holes(mask[..., k]).sum() for k in range(mask.shape[2]))
    return np.array([n > inside for n, inside in zip(filled, mask.sum((0, 1)), strict=True)], bool)


def _at_border(_cord: CordImage, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell in which slices the mask touches the border of the image in plane."""
    return np.asarray(mask[[0, -1]].any((0, 1)) | mask[:, [0, -1]].any((0, 1)))


def _upper_end(cord: CordImage, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which slices are the upper end of the mask."""
    present = np.flatnonzero(mask.any((0, 1)))
    marked = np.zeros(mask.shape[2], bool)
    if len(present):
        lowest = present[-1] - int(_UPPER_END_MM / cord.zooms[AXIS_IS])
        marked[present[present >= lowest]] = True
    return marked


def _jumping(cord: CordImage, mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell the slice whose centre lies farthest from the line through those of its neighbours."""
    marked = np.zeros(mask.shape[2], bool)
    present = np.isfinite(cord.centres[:, 0])
    inner = np.flatnonzero(present[1:-1] & present[2:] & present[:-2]) + 1
    if not len(inner):
        return marked
    centres = cord.centres * (cord.zooms[AXIS_RL], cord.zooms[AXIS_PA])
    bends = [np.linalg.norm(centres[k] - (centres[k + 1] + centres[k - 1]) / 2) for k in inner]
    marked[inner[int(np.argmax(bends))]] = True
    return marked


_FINDERS: Mapping[str, Callable[[CordImage, NDArray[np.bool_]], NDArray[np.bool_]]] = {
    "coverage": _uncovered,
    "coverage-low": _uncovered,
    "several-objects": _several,
    "holes": _holes,
    "field-border": _at_border,
    "above-foramen-magnum": _upper_end,
    "centre-jump": _jumping,
}
