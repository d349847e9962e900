"""Let the tube grow along the cord, step by step, until something says that the cord has ended [5.5]."""

from dataclasses import dataclass

import numpy as np

from bids_deepseg.methods.propseg.deformation import RingContrast, deform, measure_rings, trade_off
from bids_deepseg.methods.propseg.field import Field
from bids_deepseg.methods.propseg.mesh import (
    Array,
    ring_areas,
    ring_centres,
    ring_directions,
    rotation_between,
    triangle_frames,
)
from bids_deepseg.methods.propseg.parameters import ContrastKind, PropsegParameters

#: Rings of the tube that a new band is attached to; the first of them stays where it is.
_N_CONTEXT = 4
#: Rings whose contrast sets the price of distance: those of the last three steps.
_N_RECENT = 9
#: Rounds of the deformation of a step, and displacement that ends them (spec of the reference method, 5.4).
_ROUNDS, _ENOUGH_MM = 3, 0.4
#: Rings whose centres give the present direction.
_N_STRAIGHT = 7
#: Directions that are tried, as slopes against the present direction per mm of the step.
_SLOPES_PER_MM = np.linspace(-0.06, 0.06, 9)
#: Price of a squared slope, as part of the mean edge; the cord bends slowly.
_BEND_PRICE = 3.0
#: A single ring has lost the cord below this part of the contrast so far, if less than 65 % of its rays agree, and
#: below a quarter in any case: a step may begin inside the cord and end behind it.
_LOST_PART, _LOST_AGREEMENT, _LOST_ALONE = 0.6, 0.65, 0.25
#: A single ring has lost the cord below this part of the mean rise so far: in the three T2w volumes of the training
#: data no ring within the image has less than 0.44 of the median before it, the first one behind the end of a phantom's
#: cord has 0.3 and less.
_LOST_RISE = 0.35
#: A band is judged by its rings if at least this part of its points lies in the image.
_JUDGED_PART = 0.7
#: Part of the points or triangles of a band that lie the wrong way round when it overlaps itself.
_TURNED_PART = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """A tube and why it stopped growing.

    Attributes
    ----------
    points : (R, M, 3) array
        The tube with its new rings at the end.
    stop : str
        ``image-end``, ``contrast``, ``agreement``, ``deformation``, ``area``, ``collapse``, ``overlap`` or ``steps``.
    """

    points: Array
    stop: str


def propagate(field: Field, points: Array, kind: ContrastKind, parameters: PropsegParameters) -> Growth:
    """Grow a tube at its last ring as far as the cord goes.

    A step that fails is tried again with a single band, so that the tube ends close to where the cord does.

    Parameters
    ----------
    field : Field
        The image.
    points : (R, M, 3) array
        Deformed first tube.
    kind : ContrastKind
        Starting contrast.
    parameters : PropsegParameters
        Steps and limits.

    Returns
    -------
    Growth
        The grown tube.
    """
    n_bands = round(parameters.step_mm / parameters.band_mm)
    for _ in range(parameters.max_steps):
        if not field.inside(points[-1]).any():
            return Growth(points, "image-end")
        stop = None
        for n_new in dict.fromkeys((n_bands, 1)):
            grown, stop = _advance(field, points, n_new, kind, parameters)
            if stop is None:
                points = grown
                break
        if stop is not None:
            return Growth(points, stop)
    return Growth(points, "steps")


def _advance(
    field: Field,
    points: Array,
    n_new: int,
    kind: ContrastKind,
    parameters: PropsegParameters,
) -> tuple[Array, str | None]:
    """Attach ``n_new`` bands, deform them, and say what speaks against them."""
    recent = measure_rings(field, points[-_N_RECENT:])
    contrast = float(np.nanmean(recent.contrast)) if np.isfinite(recent.contrast).any() else kind.start_contrast
    band = _predict(field, points, n_new, parameters)
    context = points[-_N_CONTEXT:]
    joined = deform(
        field,
        np.concatenate([context, band]),
        parameters,
        price=trade_off(contrast, parameters),
        n_fixed=min(2, len(context) - 1),
        rounds=_ROUNDS,
        enough_mm=_ENOUGH_MM,
    )
    grown = np.concatenate([points[: -len(context)], joined])
    return grown, _objection(field, grown, band, parameters, recent)


def _predict(field: Field, points: Array, n_new: int, parameters: PropsegParameters) -> Array:
    """Place copies of the last rings' mean shape in the best direction, (n_new, M, 3)."""
    last = points[-_N_CONTEXT:]
    centres = ring_centres(last)
    present = _direction(ring_centres(points[-_N_STRAIGHT:]))
    shape = (last - centres[:, None]).mean(axis=0)
    own = ring_directions(shape[None])[0]
    distances = parameters.band_mm * np.arange(1, n_new + 1)
    if not field.inside(last[-1]).all():
        # At the border the image pulls one side only: straight on.
        candidates = [present]
    else:
        slopes = _SLOPES_PER_MM * distances[-1]
        side = np.cross(present, [0.0, 1.0, 0.0] if abs(present[1]) < 0.9 else [1.0, 0.0, 0.0])
        side = side / np.linalg.norm(side)
        other = np.cross(present, side)
        candidates = [present + a * side + b * other for a in slopes for b in slopes]
        candidates = [c / np.linalg.norm(c) for c in candidates]
    bands = np.stack(
        [centres[-1] + distances[:, None, None] * d + shape @ rotation_between(own, d).T for d in candidates]
    )
    bend = 1 - (np.array(candidates) @ present) ** 2
    best: Array = bands[int(np.argmax(_edge_strengths(field, bands) * (1 - _BEND_PRICE * bend)))]
    return best


def _direction(centres: Array) -> Array:
    """Return the unit vector of the straight line through points (R, 3) in their order."""
    place = np.arange(len(centres)) - (len(centres) - 1) / 2
    slope: Array = place @ centres
    return slope / np.linalg.norm(slope)


def _edge_strengths(field: Field, bands: Array) -> Array:
    """Return the mean slope across the wall of each band (B, R, M, 3), rays outwards from the ring's centre."""
    rays = bands - bands.mean(axis=2, keepdims=True)
    rays = rays / np.maximum(np.linalg.norm(rays, axis=3, keepdims=True), 1e-9)
    slopes = field.slopes(bands, rays) * field.inside(bands)
    strength: Array = slopes.mean(axis=(1, 2))
    return np.maximum(strength, 0)


def _objection(
    field: Field, grown: Array, band: Array, parameters: PropsegParameters, recent: RingContrast
) -> str | None:
    """Name the first rule that the new rings break, None if they keep all [5.5]; ``recent`` are the rings before."""
    new = grown[-len(band) :]
    seen = measure_rings(field, new)
    areas = ring_areas(grown)
    area, before = areas[-len(band) :].mean(), areas[: -len(band)][-_N_CONTEXT:].mean()
    judged = bool(field.inside(new).mean() >= _JUDGED_PART)
    limit = parameters.max_area_mm2
    broken = {
        "deformation": np.linalg.norm(new - band, axis=2).mean() >= parameters.max_deformation_mm,
        "contrast": judged and (np.nanmean(seen.contrast) <= parameters.min_contrast or _has_lost_ring(seen, recent)),
        "agreement": judged and np.nanmean(seen.agreement) < parameters.min_agreement,
        "area": area >= 1.2 * limit or (area >= limit and area - before >= limit / 7),
        "collapse": area < parameters.min_area_mm2,
        "overlap": _overlaps(grown[-len(band) - 2 :]),
    }
    return next((name for name, is_broken in broken.items() if is_broken), None)


def _has_lost_ring(seen: RingContrast, recent: RingContrast) -> bool:
    """Return whether one of the rings sees hardly any of the contrast that the tube had so far."""
    if not np.isfinite(recent.contrast).any():
        return False
    contrast, rise = np.nanmean(recent.contrast), np.nanmean(recent.rise)
    weak = (seen.contrast < _LOST_PART * contrast) & (seen.agreement < _LOST_AGREEMENT)
    return bool((weak | (seen.contrast < _LOST_ALONE * contrast) | (seen.rise < _LOST_RISE * rise)).any())


def _overlaps(points: Array) -> bool:
    """Return whether a ring crosses the plane of the one before it, or the wall is turned inside out."""
    centres, directions = ring_centres(points), ring_directions(points)
    steps = points[1:] - centres[:-1, None]
    if (np.einsum("rmj,rj->rm", steps, directions[:-1]) <= 0).mean() > _TURNED_PART:
        return True
    middles, normals = triangle_frames(points)
    n_rings, n_points = points.shape[:2]
    ring = np.tile(np.repeat(np.arange(n_rings - 1), n_points), 2)
    outwards = middles - (centres[:-1] + centres[1:])[ring] / 2
    return bool((np.einsum("tj,tj->t", outwards, normals) <= 0).mean() > _TURNED_PART)
