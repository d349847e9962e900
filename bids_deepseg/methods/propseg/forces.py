"""Measure the contrast across the surface, and find where the image pulls it to."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.methods.propseg.field import Field
from bids_deepseg.methods.propseg.mesh import Array, ring_centres, triangle_frames
from bids_deepseg.methods.propseg.parameters import PropsegParameters

#: Largest price of the farthest place that is searched, as part of the contrast.
MAX_PRICE_OF_REACH = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class RingContrast:
    """What the rays of each ring see.

    Attributes
    ----------
    contrast : (R,) array
        Fluid minus cord on the scale from 0 to 1000, mean of the rays; NaN for a ring beyond the image.
    agreement : (R,) array
        Share of the rays on which the fluid is the brighter one; NaN likewise.
    rise : (R,) array
        Brightness behind the border minus that inside, mean of the rays, with its sign; NaN likewise.
    """

    contrast: Array
    agreement: Array
    rise: Array


@dataclass(frozen=True, slots=True, eq=False)
class Targets:
    """Where the image pulls each triangle to.

    Attributes
    ----------
    points : (T, 3) array
        Target points.
    directions : (T, 3) array
        Unit vectors along which the distance to the target counts.
    weights : (T,) array
        Strength of the edge there, 0 where there is none.
    """

    points: Array
    directions: Array
    weights: Array


def measure_rings(field: Field, points: Array) -> RingContrast:
    """Measure contrast, rise and agreement of each ring of a tube (R, M, 3).

    Contrast [5.4]: along each ray from the ring's centre, sampled every millimetre up to 2.5 radii, split at the
    largest rise; the largest value outside minus the smallest inside. Rise (added): the mean close behind the border,
    where the fluid is even if it is thin, minus the mean up to 0.7 radii; in noise, which has contrast, it is small.
    Agreement (added): whether that is positive.
    """
    centres = ring_centres(points)[:, None]
    rays = points - centres
    lengths = np.linalg.norm(rays, axis=2)
    units = rays / np.maximum(lengths, 1e-9)[..., None]
    reach = np.arange(int(np.ceil(2.5 * lengths.max())) + 1, dtype=float)
    samples = centres[:, :, None] + units[:, :, None] * reach[:, None]
    values = field.values(samples)
    allowed = reach <= np.maximum(2.5 * lengths, 2.0)[..., None]
    contrast = _largest_step(values, allowed)
    inner = field.values(centres[:, :, None] + rays[:, :, None] * np.array([0.1, 0.3, 0.5, 0.7])[:, None])
    outer = field.values(centres[:, :, None] + rays[:, :, None] * np.array([1.05, 1.2, 1.35])[:, None])
    rise = outer.mean(axis=-1) - inner.mean(axis=-1)
    seen = field.inside(points)
    return RingContrast(
        _mean_where(contrast, seen), _mean_where((rise > 0).astype(float), seen), _mean_where(rise, seen)
    )


def _largest_step(values: Array, allowed: NDArray[np.bool_]) -> Array:
    """Split profiles (..., S) at their largest rise; return the maximum behind it minus the minimum before it."""
    rises = np.where(allowed[..., 1:], np.diff(values, axis=-1), -np.inf)
    before = np.arange(values.shape[-1]) <= rises.argmax(axis=-1)[..., None]
    inside = np.where(before, values, np.inf).min(axis=-1)
    outside = np.where(~before & allowed, values, -np.inf).max(axis=-1)
    steps: Array = np.abs(outside - inside)
    return steps


def _mean_where(values: Array, chosen: NDArray[np.bool_]) -> Array:
    """Return the mean of the chosen entries of each row, NaN where there is none."""
    count = chosen.sum(axis=1)
    mean = np.where(chosen, values, 0).sum(axis=1) / np.maximum(count, 1)
    return np.where(count > 0, mean, np.nan)


def trade_off(contrast: float, parameters: PropsegParameters) -> float:
    """Return the price of the squared distance of an edge, from the contrast (scale 0 to 1000) [5.4].

    The price of the farthest place that is searched is kept below a part of the contrast (added): with the formula
    alone no edge at 3 mm is worth its price from a contrast of 400 on, and a tube that holds half of the cord stays so.
    """
    if parameters.trade_off is not None:
        return parameters.trade_off
    reach = parameters.search_steps * parameters.search_step_mm
    most = MAX_PRICE_OF_REACH * contrast / reach**2
    return min(most, max(0.0, 1e-4 * contrast**2 + 0.02 * contrast - 1.6242))


def find_targets(field: Field, points: Array, price: float, parameters: PropsegParameters) -> Targets:
    """Search along the normal of each triangle for the edge that pulls it most [5.4].

    The edge with the largest rise minus ``price`` times squared distance wins; it pulls along the gradient there, with
    its rise as weight. Beyond the image nothing pulls.
    """
    centres, normals = triangle_frames(points)
    n_steps = parameters.search_steps
    offsets = parameters.search_step_mm * np.arange(-n_steps, n_steps + 1)
    places = centres[:, None] + offsets[:, None] * normals[:, None]
    slopes = field.slopes(places, np.broadcast_to(normals[:, None], places.shape))
    best = (slopes - price * offsets**2).argmax(axis=1)
    every = np.arange(len(centres))
    chosen = places[every, best]
    weights = np.maximum(slopes[every, best], 0) * field.inside(chosen)
    gradients = field.gradients(chosen)
    length = np.linalg.norm(gradients, axis=1, keepdims=True)
    directions = np.where(length > 1e-9, gradients / np.maximum(length, 1e-9), normals)
    return Targets(chosen, directions, weights)
