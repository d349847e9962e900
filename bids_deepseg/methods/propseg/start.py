"""Find where to begin: from circles in a few slices, or from a given centerline [5.3]."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from bids_deepseg.methods.propseg.field import Field
from bids_deepseg.methods.propseg.hough import Circles, find_circles
from bids_deepseg.methods.propseg.mesh import Array, cylinder
from bids_deepseg.methods.propseg.parameters import PropsegParameters

#: Slices on which circles are looked for, and their distance.
N_SLICES, SLICE_DISTANCE_MM = 5, 4.0

#: Where the search begins, as parts of the length of the image, from the middle outwards. (The reference method moves
#: its start by 2.5 % only after a failure; here the best of several is taken.)
START_FRACTIONS = (0.5, 0.35, 0.65, 0.2, 0.8)

#: Chains of circles that are tried at each place.
N_CHAINS = 3

#: Bands of the first tube.
N_BANDS = 5

#: An image wider than this is cut to the part around its plane of symmetry.
WIDE_MM, KEPT_MM = 60.0, 50.0

#: Largest in-plane step of a chain per mm along the third axis, and largest relative change of its radius.
_MAX_SLOPE, _MAX_RADIUS_CHANGE = np.sqrt(2.0), 0.5
#: Price of the in-plane step of a chain (votes per (mm/mm)²): a steep chain must have clearly more votes.
_SLOPE_PRICE = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """A place to begin.

    Attributes
    ----------
    centre : (3,) array
        Middle of the first tube in mm.
    direction : (3,) array
        Its axis, a unit vector that points upwards.
    radii : (float, float)
        Half axes in mm.
    """

    centre: Array
    direction: Array
    radii: tuple[float, float]

    def tube(self, parameters: PropsegParameters, n_points: int) -> Array:
        """Return the first tube, (N_BANDS + 1, n_points, 3)."""
        along = parameters.band_mm * (np.arange(N_BANDS + 1) - N_BANDS / 2)
        centres = self.centre + along[:, None] * self.direction
        return cylinder(centres, np.broadcast_to(self.direction, centres.shape), self.radii, n_points)


def symmetry_span(field: Field) -> tuple[float, float]:
    """Return the part of the first axis in mm that is searched: all, or 50 mm around the plane of symmetry.

    The plane is the one whose two sides, 40 voxels each, are most alike when mirrored. Likeness is the correlation:
    both sides are of one image, so that the mutual information of the reference method has nothing to add.
    """
    n, zoom = field.data.shape[0], float(field.zooms[0])
    if n * zoom <= WIDE_MM:
        return 0.0, (n - 1) * zoom
    thin = field.data[:, ::4, :: max(1, round(4 / field.zooms[2]))].reshape(n, -1).astype(np.float64)
    width = min(40, n // 4)
    likeness = [_correlation(thin[i - width : i], thin[i + 1 : i + 1 + width][::-1]) for i in range(width, n - width)]
    middle = (width + int(np.argmax(likeness))) * zoom
    return max(0.0, middle - KEPT_MM / 2), min((n - 1) * zoom, middle + KEPT_MM / 2)


def _correlation(a: Array, b: Array) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(np.sqrt((a * a).sum() * (b * b).sum()), 1e-12))


def starts_in_image(field: Field, parameters: PropsegParameters) -> Iterator[Start]:
    """Yield places to begin: for each part of the image the best chains of circles through neighbouring slices."""
    span = symmetry_span(field)
    length = (field.data.shape[2] - 1) * float(field.zooms[2])
    reach = min(length, (N_SLICES - 1) * SLICE_DISTANCE_MM)
    seen: set[float] = set()
    for fraction in START_FRACTIONS:
        middle = float(np.clip(fraction * length, reach / 2, length - reach / 2))
        if middle in seen:
            continue
        seen.add(middle)
        heights = middle + np.linspace(-reach / 2, reach / 2, N_SLICES if reach > 0 else 1)
        circles = [find_circles(field, z, radius_mm=parameters.radius_mm, span_mm=span) for z in heights]
        yield from _chains(circles, heights)


def _chains(circles: list[Circles], heights: Array) -> Iterator[Start]:
    """Join circles of successive slices to chains and yield those with the most votes (dynamic programming)."""
    if any(len(c.scores) == 0 for c in circles):
        return
    total, back = circles[0].scores, []
    for below, above, gap in zip(circles[:-1], circles[1:], np.diff(heights), strict=True):
        slope = np.linalg.norm(above.centres_mm[:, None] - below.centres_mm[None], axis=2) / gap
        change = np.abs(above.radii_mm[:, None] / below.radii_mm[None] - 1)
        allowed = (slope <= _MAX_SLOPE) & (change <= _MAX_RADIUS_CHANGE)
        reached = np.where(allowed, total[None] - _SLOPE_PRICE * slope**2, -np.inf)
        back.append(reached.argmax(axis=1))
        total = reached.max(axis=1) + above.scores
    yielded: list[Array] = []
    for end in np.argsort(-total, kind="stable"):
        if len(yielded) == N_CHAINS or not np.isfinite(total[end]):
            return
        chain = [int(end)]
        for step in reversed(back):
            chain.append(int(step[chain[-1]]))
        start = _start_from([(c, index) for c, index in zip(circles, reversed(chain), strict=True)], heights)
        if all(np.linalg.norm(start.centre - other) > 3 for other in yielded):
            yielded.append(start.centre)
            yield start


def _start_from(chain: list[tuple[Circles, int]], heights: Array) -> Start:
    """Fit a line through the circles of a chain, and take the medians of their half axes."""
    centres = np.array([circles.centres_mm[index] for circles, index in chain])
    first = np.array([circles.radii_mm[index] for circles, index in chain])
    second = np.array([circles.radii_mm[index] / circles.stretches[index] for circles, index in chain])
    z = heights - heights.mean()
    slope = (z @ centres) / max(float(z @ z), 1e-9)
    direction = np.array([*slope, 1.0])
    centre = np.array([*centres.mean(axis=0), heights.mean()])
    return Start(centre, direction / np.linalg.norm(direction), (float(np.median(first)), float(np.median(second))))
