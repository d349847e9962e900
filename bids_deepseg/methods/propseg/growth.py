"""Find the course of the cord without detector or centerline: circles in a few slices, and a tube that grows from them.

The tube is the mesh of the published method; here it only leads to the cord, whose border :mod:`.outline` finds.
"""

from collections.abc import Iterable

import numpy as np

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.geometry.grid import AXIS_IS
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.propseg.deformation import deform, measure_rings, trade_off
from bids_deepseg.methods.propseg.field import Field, prepare_field
from bids_deepseg.methods.propseg.mesh import Array, ring_areas, ring_centres, turned
from bids_deepseg.methods.propseg.parameters import MIN_LENGTH_MM, ContrastKind, PropsegParameters, contrast_kind
from bids_deepseg.methods.propseg.propagation import propagate
from bids_deepseg.methods.propseg.start import Start, starts_in_image

#: Rounds of the deformation of the first tube, and displacement that ends them (spec of the reference method, 5.4).
_START_ROUNDS, _START_ENOUGH_MM = 8, 0.05

#: Mean agreement of the rays of the first tube and of the whole one: 0.95 and more in cords, 0.6 in white noise.
_MIN_MEAN_AGREEMENT = 0.8

#: Least part of its length that a first tube rises along the third axis; a tube that lies across is no cord.
_UPRIGHT = 0.6

#: Starts that are propagated before the search is given up.
_MAX_TRIES = 4

#: Length of a tube, as part of the image's, from which no other start is tried.
_LONG_ENOUGH = 0.5


def grow_tube(canonical: Volume, sign: int, parameters: PropsegParameters) -> Array:
    """Grow a tube from the best circles in both directions.

    Parameters
    ----------
    canonical : Volume
        float32 image on canonical axes.
    sign : int
        +1 where the fluid is brighter than the cord, -1 where it is darker.
    parameters : PropsegParameters
        What steers the growth.

    Returns
    -------
    (R, M, 3) array
        The tube (:mod:`.mesh`), from inferior to superior.

    Raises
    ------
    CordNotFoundError
        If no start grows to a tube of at least 20 mm (or the whole image, if that is shorter).
    """
    kind = contrast_kind(bright_fluid=sign > 0)
    field = prepare_field(canonical, sign=kind.sign)
    ranked = _first_tubes(field, starts_in_image(field, parameters), kind, parameters)
    points = _best_tube(field, ranked, kind, parameters)
    agreement = float(np.nanmean(measure_rings(field, points).agreement))
    if agreement < _MIN_MEAN_AGREEMENT:
        raise CordNotFoundError(
            f"PropSeg found no cord: only {agreement:.0%} of the rays of its tube see the contrast of cord and fluid, "
            f"{_MIN_MEAN_AGREEMENT:.0%} are expected. Check that the contrast is the image's."
        )
    return points


def _length_mm(points: Array) -> float:
    """Return the length of the line through the centres of the rings."""
    return float(np.linalg.norm(np.diff(ring_centres(points), axis=0), axis=1).sum())


def _first_tubes(
    field: Field, starts: Iterable[Start], kind: ContrastKind, parameters: PropsegParameters
) -> list[tuple[float, Array]]:
    """Deform a first tube at each start and rank them by contrast and agreement; tubes of no cord's size are left."""
    ranked = []
    price = trade_off(kind.start_contrast, parameters)
    for start in starts:
        tube = deform(
            field,
            start.tube(parameters, kind.ring_points),
            parameters,
            price=price,
            rounds=_START_ROUNDS,
            enough_mm=_START_ENOUGH_MM,
        )
        seen, area = measure_rings(field, tube), ring_areas(tube).mean()
        if not np.isfinite(seen.contrast).any() or not parameters.min_area_mm2 <= area <= parameters.max_area_mm2:
            continue
        contrast, agreement = float(np.nanmean(seen.contrast)), float(np.nanmean(seen.agreement))
        upright = abs(np.diff(ring_centres(tube)[[0, -1]], axis=0)[0, AXIS_IS]) >= _UPRIGHT * _length_mm(tube)
        if upright and contrast > parameters.min_contrast and agreement >= _MIN_MEAN_AGREEMENT:
            ranked.append((contrast * agreement, tube))
    return sorted(ranked, key=lambda pair: -pair[0])


def _best_tube(
    field: Field, ranked: list[tuple[float, Array]], kind: ContrastKind, parameters: PropsegParameters
) -> Array:
    """Grow the best first tubes in both directions and return the longest; the first that is long enough ends it."""
    length = field.data.shape[2] * float(field.zooms[2])
    grown: list[Array] = []
    for _, first in ranked[:_MAX_TRIES]:
        up = propagate(field, first, kind, parameters)
        down = propagate(field, turned(up.points), kind, parameters)
        grown.append(turned(down.points))
        if _length_mm(grown[-1]) >= _LONG_ENOUGH * length:
            break
    best = max(grown, key=_length_mm, default=None)
    needed = min(MIN_LENGTH_MM, length)
    if best is None or _length_mm(best) < needed:
        found = "no place looks like one" if best is None else f"the longest tube has {_length_mm(best):.0f} mm"
        raise CordNotFoundError(
            f"PropSeg found no cord: {found}, at least {needed:.0f} mm are expected. Check that the contrast (bright "
            "or dark fluid) is the image's, or give a centerline."
        )
    return best
