"""Find the cord near to a course as a stack of ellipses, and whether its fluid is bright or dark.

Each ellipse of a small set is laid on every place near to the course, and scored by the mean of the bounded gradients
across it: near to 1 where all of its border is a strong edge of one sign, near to 0 in noise. The best path through
the slices is exact (:mod:`bids_deepseg.stages.optic`). It is found for both signs; the larger worth tells the sign.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.methods.propseg.stack import PIXEL_MM, Edges
from bids_deepseg.stages.optic import least_cost_path

Array = NDArray[np.float64]

#: Half axes along left-right in mm, and ratios of the other half axis to it: human cords are round to flat.
_WIDTHS_MM, _RATIOS = (3.0, 4.0, 5.0, 6.0, 7.0, 8.0), (0.6, 0.8, 1.0)
#: Range of the cross-sections in mm²: from the conus to the widest cord.
_AREAS_MM2 = (12.0, 130.0)
#: Points on an ellipse.
_N_POINTS = 24
#: Distance from the course that is searched, and its steps.
_REACH_MM, _STEP_MM = 6.0, 1.0

#: Price of the squared distance from the course per mm²: 0.2 at 4 mm, more than most courses are wrong by.
_DISTANCE_PRICE = 0.012
#: Areas that cost nothing, and the price of a factor of 1.5 below and of 1.2 above them: the cord tapers to the conus,
#: but hardly any is wider, and the whole canal is.
_USUAL_AREAS_MM2, _AREA_FACTORS, _AREA_PRICE = (60.0, 80.0), (1.5, 1.2), 0.03
#: Weight of the squared slope of the path.
_SMOOTHNESS = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class EllipseFit:
    """The best ellipses for one sign.

    Attributes
    ----------
    sign : int
        +1 where the fluid is brighter than the cord, -1 where it is darker.
    offsets_mm : (K, 2) array
        Their middles, relative to the course.
    half_axes_mm : (K, 2) array
        Along left-right and posterior-anterior.
    worth : (K,) array
        Score less the prices of distance and area.
    """

    sign: int
    offsets_mm: Array
    half_axes_mm: Array
    worth: Array


def fit_ellipses(edges: Edges) -> tuple[EllipseFit, EllipseFit]:
    """Find the best path of ellipses for bright and for dark fluid.

    Parameters
    ----------
    edges : Edges
        Gradients of the squares around the course.

    Returns
    -------
    (EllipseFit, EllipseFit)
        For the signs +1 and -1.
    """
    gradients = edges.bounded()
    offsets = np.arange(-_REACH_MM, _REACH_MM + _STEP_MM / 2, _STEP_MM)
    shapes = _shapes()
    shape = (2, len(gradients), len(offsets), len(offsets))
    best, chosen = np.full(shape, -np.inf), np.zeros(shape, np.intp)
    for number, half_axes in enumerate(shapes):
        score = _scores(gradients, half_axes, offsets)
        price = _area_price(float(np.pi * half_axes.prod()))
        for values, numbers, sign in zip(best, chosen, (1, -1), strict=True):
            better = sign * score - price > values
            values[better] = (sign * score - price)[better]
            numbers[better] = number
    best -= _DISTANCE_PRICE * (offsets[:, None] ** 2 + offsets[None] ** 2)
    weight = _SMOOTHNESS * (_STEP_MM / edges.slice_mm) ** 2
    fits = []
    for values, numbers, sign in zip(best, chosen, (1, -1), strict=True):
        path, _ = least_cost_path(-np.moveaxis(values, 0, 2), (weight, weight))
        place = (np.arange(len(path)), path[:, 0], path[:, 1])
        fits.append(EllipseFit(sign, offsets[path], shapes[numbers[place]], values[place]))
    return fits[0], fits[1]


def _shapes() -> Array:
    """Return the half axes (S, 2) of the ellipses that are tried."""
    shapes = np.array([(a, a * ratio) for a in _WIDTHS_MM for ratio in _RATIOS])
    area = np.pi * shapes.prod(axis=1)
    chosen: Array = shapes[(area >= _AREAS_MM2[0]) & (area <= _AREAS_MM2[1])]
    return chosen


def _area_price(area_mm2: float) -> float:
    """Return the price of an area."""
    below = max(0.0, np.log(_USUAL_AREAS_MM2[0] / area_mm2) / np.log(_AREA_FACTORS[0]))
    above = max(0.0, np.log(area_mm2 / _USUAL_AREAS_MM2[1]) / np.log(_AREA_FACTORS[1]))
    return float(_AREA_PRICE * (below**2 + above**2))


def _scores(gradients: NDArray[np.float32], half_axes: Array, offsets: Array) -> Array:
    """Return the mean outward gradient on an ellipse at each place, (K, D, D), points weighted by their length."""
    angle = 2 * np.pi * (np.arange(_N_POINTS) + 0.5) / _N_POINTS
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    points, normals = unit * half_axes, unit / half_axes
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    lengths = np.linalg.norm(unit[:, ::-1] * half_axes, axis=1)
    middle = gradients.shape[1] // 2
    total = np.zeros((len(gradients), len(offsets), len(offsets)))
    for point, normal, length in zip(points, normals, lengths / lengths.sum(), strict=True):
        i, j = (np.rint((offsets + p) / PIXEL_MM).astype(int) + middle for p in point)
        there = gradients[:, i][:, :, j]
        total += length * (there @ normal.astype(np.float32))
    return total
