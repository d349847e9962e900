"""Break a mask in a known way."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.judge.evidence import distance_mm

Mask = NDArray[np.bool_]
Zooms = tuple[float, float, float]


def shifted(mask: Mask, zooms: Zooms, step_mm: float, axis: int) -> Mask:
    """Move the whole mask in plane."""
    moved = np.roll(mask, round(step_mm / zooms[axis]), axis)
    edge = [slice(None)] * 3
    n = round(step_mm / zooms[axis])
    edge[axis] = slice(0, n) if n > 0 else slice(n, None)
    if n:
        moved[tuple(edge)] = False
    return moved


def grown(mask: Mask, zooms: Zooms, by_mm: float) -> Mask:
    """Move the border outwards, or inwards by a negative distance."""
    out = np.zeros_like(mask)
    for k in np.flatnonzero(mask.any((0, 1))):
        out[..., k] = distance_mm(mask[..., k], zooms) < by_mm
    return out


def _blob(mask: Mask, zooms: Zooms, centre: NDArray[np.float64], radius_mm: float) -> Mask:
    """Return the pixels of a slice's shape within a radius."""
    i, j = (np.arange(n) for n in mask.shape[:2])
    square = ((i - centre[0]) * zooms[0])[:, None] ** 2 + ((j - centre[1]) * zooms[1])[None] ** 2
    return np.asarray(square <= radius_mm**2)


def leaked(mask: Mask, zooms: Zooms, radius_mm: float, share: float) -> Mask:
    """Add a disc at the front border, in a share of the slices."""
    out = mask.copy()
    present = np.flatnonzero(mask.any((0, 1)))
    for k in present[: max(1, round(share * len(present)))]:
        i, j = np.nonzero(mask[..., k])
        out[..., k] |= _blob(mask, zooms, np.array([i.mean(), j.max()]), radius_mm)
    return out


def truncated(mask: Mask, share: float) -> Mask:
    """Leave out the upper part of the slices."""
    out = mask.copy()
    present = np.flatnonzero(mask.any((0, 1)))
    out[..., present[len(present) - round(share * len(present)) :]] = False
    return out


def halved(mask: Mask) -> Mask:
    """Leave out the left half of each slice."""
    out = mask.copy()
    for k in np.flatnonzero(mask.any((0, 1))):
        middle = round(np.nonzero(mask[..., k])[0].mean())
        out[middle:, :, k] = False
    return out


def with_brain(mask: Mask, zooms: Zooms, radius_mm: float) -> Mask:
    """Widen the upper third towards a brain stem."""
    out = mask.copy()
    present = np.flatnonzero(mask.any((0, 1)))
    upper = present[-max(1, len(present) // 3) :]
    for n, k in enumerate(upper, start=1):
        i, j = np.nonzero(mask[..., k])
        out[..., k] |= _blob(mask, zooms, np.array([i.mean(), j.mean()]), 4 + (radius_mm - 4) * n / len(upper))
    return out


def swapped(mask: Mask, zooms: Zooms, step_mm: float, share: float) -> Mask:
    """Put the mask of a share of the slices elsewhere."""
    out = mask.copy()
    present = np.flatnonzero(mask.any((0, 1)))
    chosen = present[: max(1, round(share * len(present)))]
    out[..., chosen] = shifted(mask, zooms, step_mm, 1)[..., chosen]
    return out


def with_holes(mask: Mask, zooms: Zooms, radius_mm: float) -> Mask:
    """Cut the middle out of each slice."""
    out = mask.copy()
    for k in np.flatnonzero(mask.any((0, 1))):
        i, j = np.nonzero(mask[..., k])
        out[..., k] &= ~_blob(mask, zooms, np.array([i.mean(), j.mean()]), radius_mm)
    return out


def thinned(mask: Mask, every: int) -> Mask:
    """Leave out runs of slices."""
    out = mask.copy()
    present = np.flatnonzero(mask.any((0, 1)))
    out[..., present[np.arange(len(present)) // max(1, len(present) // 8) % every == 1]] = False
    return out


#: All ways to break a mask, by name; each gets the mask and the voxel size.
BREAKS: Mapping[str, Callable[[Mask, Zooms], Mask]] = MappingProxyType(
    {
        "shifted 1 mm": lambda m, z: shifted(m, z, 1.0, 0),
        "shifted 2 mm": lambda m, z: shifted(m, z, 2.0, 0),
        "shifted 3 mm": lambda m, z: shifted(m, z, -3.0, 1),
        "shifted 8 mm": lambda m, z: shifted(m, z, 8.0, 1),
        "eroded 1 mm": lambda m, z: grown(m, z, -1.0),
        "eroded 2 mm": lambda m, z: grown(m, z, -2.0),
        "dilated 1 mm": lambda m, z: grown(m, z, 1.0),
        "dilated 2 mm": lambda m, z: grown(m, z, 2.0),
        "leaked": lambda m, z: leaked(m, z, 6.0, 0.5),
        "leaked a lot": lambda m, z: leaked(m, z, 9.0, 1.0),
        "truncated by a third": lambda m, _: truncated(m, 0.34),
        "truncated by half": lambda m, _: truncated(m, 0.5),
        "halved": lambda m, _: halved(m),
        "brain": lambda m, z: with_brain(m, z, 16.0),
        "swapped": lambda m, z: swapped(m, z, -14.0, 0.4),
        "swapped everywhere": lambda m, z: swapped(m, z, -14.0, 1.0),
        "holes": lambda m, z: with_holes(m, z, 3.0),
        "runs lost": lambda m, _: thinned(m, 3),
    }
)
