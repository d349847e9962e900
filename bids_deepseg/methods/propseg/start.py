"""Find where to begin: from circles in a few slices, or from a given centerline [5.3].

Edges vote for circles: the cord inside its ring of fluid.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.methods.propseg.field import SCALE, Field
from bids_deepseg.methods.propseg.mesh import Array, cylinder
from bids_deepseg.methods.propseg.parameters import PropsegParameters


@dataclass(frozen=True, slots=True, eq=False)
class Circles:
    """The best circles of a slice, best first.

    Attributes
    ----------
    centres_mm : (C, 2) array
        Centres along the first two axes.
    radii_mm : (C,) array
        Radius of the cord along the first axis.
    stretches : (C,) array
        Ratio of the first to the second half axis.
    scores : (C,) array
        Votes, larger is better.
    """

    centres_mm: Array
    radii_mm: Array
    stretches: Array
    scores: Array


def _find_circles(field: Field, z_mm: float, *, radius_mm: float, span_mm: tuple[float, float]) -> Circles:
    """Find cord-like circles in the slice at ``z_mm``.

    Edge pixels vote along their gradient: backwards at the radii of the cord, since the fluid is the bright part, and
    forwards at those of the fluid's outer border. Votes are divided by the radius, as larger circles have more pixels.
    """
    found: list[Array] = []
    for stretch in STRETCHES:
        image, origin, steps = _slice(field, z_mm, stretch, span_mm)
        score, radius = _vote(image, radius_mm)
        peaks = (score == ndimage.maximum_filter(score, size=5)) & (score > 0)
        i, j = np.nonzero(peaks)
        best = np.argsort(-score[i, j])[:N_CIRCLES]
        centre = origin + np.stack([i, j], axis=1)[best] * steps
        found.extend(
            np.array([*c, radius[a, b], stretch, score[a, b]]) for c, a, b in zip(centre, i[best], j[best], strict=True)
        )
    table = np.array(found).reshape(-1, 5)
    table = table[np.argsort(-table[:, 4], kind="stable")[: 2 * N_CIRCLES]]
    return Circles(table[:, :2], table[:, 2], table[:, 3], table[:, 4])


def _slice(field: Field, z_mm: float, stretch: float, span_mm: tuple[float, float]) -> tuple[Array, Array, Array]:
    """Sample a slice with the second axis stretched; return it, its first pixel and its pixel sizes in mm."""
    steps = np.array([_PIXEL_MM, _PIXEL_MM / stretch])
    length = (field.data.shape[1] - 1) * field.zooms[1]
    x = np.arange(span_mm[0], span_mm[1] + 1e-6, steps[0])
    y = np.arange(0, length + 1e-6, steps[1])
    points = np.stack(np.broadcast_arrays(x[:, None], y[None], z_mm), axis=-1)
    return field.values(points), np.array([span_mm[0], 0.0]), steps


def _vote(image: Array, radius_mm: float) -> tuple[Array, Array]:
    """Return for each pixel the votes for its best circle, and the radius of that circle in mm."""
    smooth = _GRADIENT_SIGMA_MM / _PIXEL_MM
    gradient = np.stack([ndimage.gaussian_filter(image, smooth, order=order) for order in ((1, 0), (0, 1))])
    size = np.linalg.norm(gradient, axis=0) / _PIXEL_MM
    i, j = np.nonzero(size > SCALE / 200)
    direction = gradient[:, i, j] / (size[i, j] * _PIXEL_MM)
    weight = np.minimum(size[i, j] / _FULL_SLOPE, 1.0)
    place = np.stack([i, j]).astype(float)
    cord_radii = radius_mm + _CORD_OFFSETS_MM
    cord = np.stack([_accumulate(image.shape, place - direction * r / _PIXEL_MM, weight, r) for r in cord_radii])
    fluid_radii = radius_mm + _FLUID_OFFSETS_MM
    fluid = np.stack([_accumulate(image.shape, place + direction * r / _PIXEL_MM, weight, r) for r in fluid_radii])
    # The cord need not lie in the middle of the fluid.
    outer = ndimage.maximum_filter(fluid.max(axis=0), size=5)
    return cord.max(axis=0) + _FLUID_WEIGHT * outer, cord_radii[cord.argmax(axis=0)]


def _accumulate(shape: tuple[int, ...], places: Array, weights: Array, radius_mm: float) -> NDArray[np.float64]:
    """Add up votes at places (2, N) in pixels; a full circle of weight 1 gives about 1 in its blurred centre."""
    i, j = np.rint(places).astype(int)
    valid = (i >= 0) & (i < shape[0]) & (j >= 0) & (j < shape[1])
    index = i[valid] * shape[1] + j[valid]
    votes = np.bincount(index, weights[valid], minlength=shape[0] * shape[1]).reshape(shape)
    blurred: NDArray[np.float64] = ndimage.gaussian_filter(votes, _BLUR_SIGMA_MM / _PIXEL_MM, mode="constant")
    return blurred / (2 * np.pi * radius_mm / _PIXEL_MM)


#: Factors by which the second axis (posterior-anterior) is stretched, so that an elliptic cord becomes a circle.
STRETCHES = (1.0, 1.25, 1.5, 1.75, 2.0)

#: Circles kept in each slice.
N_CIRCLES = 20

_PIXEL_MM = 1.0
#: Radii of the cord and of the fluid around it, relative to the radius that is looked for.
_CORD_OFFSETS_MM = np.arange(-2.0, 2.5, 0.5)
_FLUID_OFFSETS_MM = np.arange(3.0, 10.0, 1.0)
#: Weight of the outer circle: the fluid is not closed everywhere, and hardly seen in t1-like images.
_FLUID_WEIGHT = 0.5
_GRADIENT_SIGMA_MM = 1.0
_BLUR_SIGMA_MM = 1.2
#: Slope (per mm) from which all edges count the same, so that fat at the skin does not outvote the cord.
_FULL_SLOPE = 120.0

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


def _symmetry_span(field: Field) -> tuple[float, float]:
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
    span = _symmetry_span(field)
    length = (field.data.shape[2] - 1) * float(field.zooms[2])
    reach = min(length, (N_SLICES - 1) * SLICE_DISTANCE_MM)
    seen: set[float] = set()
    for fraction in START_FRACTIONS:
        middle = float(np.clip(fraction * length, reach / 2, length - reach / 2))
        if middle in seen:
            continue
        seen.add(middle)
        heights = middle + np.linspace(-reach / 2, reach / 2, N_SLICES if reach > 0 else 1)
        circles = [_find_circles(field, z, radius_mm=parameters.radius_mm, span_mm=span) for z in heights]
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
