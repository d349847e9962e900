"""Refine the tube: twice as many rings and points, deformed again, then once more as many to draw it [5.5]."""

import numpy as np
from scipy import ndimage
from scipy.interpolate import CubicSpline

from bids_deepseg.methods.propseg.deformation import minimise
from bids_deepseg.methods.propseg.field import Field
from bids_deepseg.methods.propseg.forces import find_targets
from bids_deepseg.methods.propseg.mesh import Array
from bids_deepseg.methods.propseg.parameters import PropsegParameters

#: Division of each band and of each side of a ring, before and again after the deformation. (The reference deforms
#: the finest mesh; on images of 1 mm this takes four times as long and gives the same Dice.)
DIVISION = 2

#: Rounds with new targets (spec of the reference method, 5.5).
ROUNDS = 3


def subdivide(points: Array, division: int = DIVISION) -> Array:
    """Put ``division - 1`` rings between rings and points between points, on cubic splines.

    Splines through all points keep the cross-section, where straight pieces would cut the corners of the ring.

    Parameters
    ----------
    points : (R, M, 3) array
        Tube.
    division : int
        Pieces of each band and side.

    Returns
    -------
    (division (R - 1) + 1, division M, 3) array
        The same tube with more points.
    """
    n_rings, n_points = points.shape[:2]
    rings = np.arange(division * (n_rings - 1) + 1) / division
    dense = CubicSpline(np.arange(n_rings), points, axis=0, bc_type="natural")(rings)
    closed = np.concatenate([dense, dense[:, :1]], axis=1)
    sides = np.arange(division * n_points) / division
    refined: Array = CubicSpline(np.arange(n_points + 1), closed, axis=1, bc_type="periodic")(sides)
    return refined


def refine(field: Field, points: Array, parameters: PropsegParameters, *, price: float) -> Array:
    """Subdivide the tube and deform it again; each round keeps the shape that the last one left.

    Parameters
    ----------
    field : Field
        The image.
    points : (R, M, 3) array
        Whole tube.
    parameters : PropsegParameters
        Search and weight.
    price : float
        Price of the squared distance of an edge.

    Returns
    -------
    (R', M', 3) array
        The refined tube.
    """
    fine = subdivide(points)
    sigma = parameters.refinement_smoothing_mm * DIVISION / parameters.band_mm
    for _ in range(ROUNDS):
        targets = find_targets(field, fine, price, parameters)
        fine = minimise(fine, fine, targets, weight=parameters.refinement_weight)
        fine = _smooth_along(fine, sigma)
    return subdivide(fine)


def _smooth_along(points: Array, sigma: float) -> Array:
    """Smooth along the rings; the tube goes on point-symmetrically past its ends, so that it does not get shorter."""
    n = min(int(np.ceil(4 * sigma)), len(points) - 1)
    before = 2 * points[:1] - points[n:0:-1]
    after = 2 * points[-1:] - points[-2 : -n - 2 : -1]
    longer = np.concatenate([before, points, after])
    smooth: Array = ndimage.gaussian_filter1d(longer, sigma, axis=0, mode="nearest")
    return smooth[n : n + len(points)]
