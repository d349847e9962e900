"""Vote for circles in one axial slice: the cord inside its ring of fluid [5.3]."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.methods.propseg.field import SCALE, Field
from bids_deepseg.methods.propseg.mesh import Array

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


def find_circles(field: Field, z_mm: float, *, radius_mm: float, span_mm: tuple[float, float]) -> Circles:
    """Find cord-like circles in the slice at ``z_mm``.

    Edge pixels vote along their gradient: backwards at the radii of the cord, since the fluid is the bright part, and
    forwards at those of the fluid's outer border. Votes are divided by the radius, as larger circles have more pixels.

    Parameters
    ----------
    field : Field
        The image.
    z_mm : float
        Place of the slice along the third axis.
    radius_mm : float
        Expected radius.
    span_mm : (float, float)
        Part of the first axis that is searched.

    Returns
    -------
    Circles
        At most ``N_CIRCLES``.
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
