"""Lead the propagation along a given centerline [5.3]."""

from dataclasses import dataclass

import numpy as np

from bids_deepseg.methods.propseg.mesh import Array
from bids_deepseg.methods.propseg.start import Start
from bids_deepseg.stages.centerline import Centerline

#: The tube may go past the ends of the centerline by this many slices.
_SLICES_BEYOND = 2


@dataclass(frozen=True, slots=True, eq=False)
class Guide:
    """A centerline in the coordinates of the mesh.

    Attributes
    ----------
    points : (N, 3) array
        Points in mm along the canonical axes, in the direction of travel.
    beyond_mm : float
        How far the tube may go past the last point.
    """

    points: Array
    beyond_mm: float

    def turned(self) -> "Guide":
        """Return the same guide for the opposite direction of travel."""
        return Guide(self.points[::-1], self.beyond_mm)

    def direction_from(self, place: Array, reach_mm: float) -> Array:
        """Return the unit vector from ``place`` to the point of the line that lies ``reach_mm`` ahead of it.

        Aiming at the line, in place of running parallel to it, takes the tube back to it after a deviation.
        """
        ahead = self._travelled(place) + reach_mm + np.array([0.0, 2.0])
        target, further = self._at(ahead)
        vector = target - place
        if np.linalg.norm(vector) < 1e-6:
            vector = further - target
        unit: Array = vector / np.linalg.norm(vector)
        return unit

    def passed(self, place: Array) -> bool:
        """Return whether ``place`` lies past the end of the line by more than is allowed."""
        last = self._at(np.array([self._lengths()[-1], self._lengths()[-1] + 1.0]))
        return bool((place - last[0]) @ (last[1] - last[0]) > self.beyond_mm)

    def _lengths(self) -> Array:
        return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(self.points, axis=0), axis=1))])

    def _travelled(self, place: Array) -> float:
        """Return the length of the line up to the point nearest to ``place``, going on straight past its ends."""
        nearest = int(np.argmin(np.linalg.norm(self.points - place, axis=1)))
        before, after = max(nearest - 1, 0), min(nearest + 1, len(self.points) - 1)
        chord = self.points[after] - self.points[before]
        unit = chord / max(np.linalg.norm(chord), 1e-9)
        return float(self._lengths()[nearest] + (place - self.points[nearest]) @ unit)

    def _at(self, travelled: Array) -> Array:
        """Return the points at given lengths along the line, (S, 3), going on straight past its end."""
        lengths = self._lengths()
        points = np.stack([np.interp(travelled, lengths, self.points[:, axis]) for axis in range(3)], axis=1)
        tail = self.points[-1] - self.points[max(len(self.points) - 6, 0)]
        tail = tail / max(np.linalg.norm(tail), 1e-9)
        beyond: Array = np.maximum(travelled - lengths[-1], 0)[:, None] * tail
        return points + beyond


def guide_along(centerline: Centerline) -> Guide | None:
    """Turn a centerline into a guide that leads upwards, or None if it has one point only."""
    if len(centerline.k) < 2:
        return None
    zooms = np.array(centerline.grid.zooms)
    points = np.column_stack([centerline.ij, centerline.k]) * zooms
    return Guide(points, (_SLICES_BEYOND + 0.5) * float(zooms[2]))


def starts_on(guide: Guide, radius_mm: float) -> list[Start]:
    """Return places to begin on a centerline: its middle, then a third and two thirds of it."""
    starts = []
    for fraction in (0.5, 0.35, 0.65, 0.2, 0.8):
        middle = fraction * (len(guide.points) - 1)
        index = np.arange(len(guide.points))
        low, centre, high = (
            np.array([np.interp(middle + d, index, guide.points[:, axis]) for axis in range(3)])
            for d in (-3.0, 0.0, 3.0)
        )
        vector = high - low
        starts.append(Start(centre, vector / np.linalg.norm(vector), (radius_mm, radius_mm)))
    return starts
