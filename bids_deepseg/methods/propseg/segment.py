"""Segment one image with PropSeg: all steps on one screen."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.geometry.grid import AXIS_IS, Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.propseg.deformation import deform
from bids_deepseg.methods.propseg.field import Field, prepare_field
from bids_deepseg.methods.propseg.forces import measure_rings, trade_off
from bids_deepseg.methods.propseg.guide import Guide, guide_along, starts_on
from bids_deepseg.methods.propseg.mesh import Array, closed_surface, ring_areas, ring_centres, turned
from bids_deepseg.methods.propseg.parameters import ContrastKind, PropsegParameters, contrast_kind
from bids_deepseg.methods.propseg.propagation import propagate
from bids_deepseg.methods.propseg.rasterisation import coverage
from bids_deepseg.methods.propseg.refinement import refine
from bids_deepseg.methods.propseg.start import Start, starts_in_image
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.wording import Measured

#: Rounds of the deformation of the first tube, and displacement that ends them (spec of the reference method, 5.4).
_START_ROUNDS, _START_ENOUGH_MM = 8, 0.05

#: Length of a tube, or the whole image if that is shorter: twice the first tube, so that it must have grown.
MIN_LENGTH_MM = 20.0

#: Mean agreement of the rays of the first tube and of the whole one: 0.95 and more in cords, 0.6 in white noise.
MIN_MEAN_AGREEMENT = 0.8

#: Least part of its length that a first tube rises along the third axis; a tube that lies across is no cord.
_UPRIGHT = 0.6

#: Starts that are propagated before the search is given up.
_MAX_TRIES = 4

#: Length of a tube, as part of the image's, from which no other start is tried.
_LONG_ENOUGH = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class PropsegResult:
    """The cord as a tube, drawn on the image, and what was measured.

    Attributes
    ----------
    coverage : Volume
        float32 fraction of each voxel inside the tube, on the canonical grid.
    centerline : Centerline
        Centre of the tube in each slice; its heat is the agreement of the rings there.
    vertices : (N, 3) array
        Corners of the closed surface in RAS+ mm.
    triangles : (T, 3) int array
        Corners of its triangles, as indices of the vertices.
    stops : (str, str)
        Why the propagation ended at the inferior and at the superior end (:class:`.propagation.Growth`).
    ring_xyz : (R, 3) array
        Centres of the rings in RAS+ mm, from inferior to superior.
    ring_contrast, ring_agreement : (R,) arrays
        Contrast of each ring on the scale from 0 to 1000, and share of its rays with the right sign.
    """

    coverage: Volume
    centerline: Centerline
    vertices: Array
    triangles: np.ndarray[tuple[int, ...], np.dtype[np.intp]]
    stops: tuple[str, str]
    ring_xyz: Array
    ring_contrast: Array
    ring_agreement: Array


@dataclass(frozen=True, slots=True, eq=False)
class _Tube:
    """A grown tube, inferior to superior, with the reasons of both ends."""

    points: Array
    stops: tuple[str, str]

    @property
    def length_mm(self) -> float:
        return _length_mm(self.points)


def _length_mm(points: Array) -> float:
    """Return the length of the line through the centres of the rings."""
    return float(np.linalg.norm(np.diff(ring_centres(points), axis=0), axis=1).sum())


def segment_propseg(
    canonical: Volume,
    *,
    bright_fluid: bool,
    centerline: Centerline | None = None,
    parameters: PropsegParameters | None = None,
) -> PropsegResult:
    """Segment the cord with a tube that grows from one place along the cord.

    Parameters
    ----------
    canonical : Volume
        float32 image on canonical axes.
    bright_fluid : bool
        Whether the fluid is brighter than the cord, as in T2w and T2*w images.
    centerline : Centerline, optional
        Course of the cord on the canonical grid; without it the start is looked for in the image.
    parameters : PropsegParameters, optional
        Defaults are those of the reference method.

    Returns
    -------
    PropsegResult
        The coverage can be thresholded at 0.5 by :func:`bids_deepseg.stages.mask.clean_mask`.

    Raises
    ------
    CordNotFoundError
        If no start grows to a tube of at least 20 mm (or the whole image, if that is shorter).
    """
    parameters = parameters or PropsegParameters()
    kind = contrast_kind(bright_fluid=bright_fluid)
    field = prepare_field(canonical, sign=kind.sign)
    guide = guide_along(centerline) if centerline is not None else None
    starts: Iterable[Start]
    starts = starts_in_image(field, parameters) if guide is None else starts_on(guide, parameters.radius_mm)
    tube = _best_tube(field, _first_tubes(field, starts, kind, parameters), kind, parameters, guide)
    seen = measure_rings(field, tube.points)
    agreement = Measured(float(np.nanmean(seen.agreement)), MIN_MEAN_AGREEMENT)
    if agreement < MIN_MEAN_AGREEMENT:
        raise CordNotFoundError(
            f"PropSeg found no cord: only {agreement:.0%} of the rays of its tube see the contrast of "
            f"cord and fluid, {MIN_MEAN_AGREEMENT:.0%} are expected. Check that the contrast is the image's."
        )
    price = trade_off(float(np.nanmean(seen.contrast)), parameters)
    vertices, triangles = closed_surface(refine(field, tube.points, parameters, price=price))
    drawn = coverage(vertices, triangles, canonical.grid)
    grid = canonical.grid
    zooms = np.array(grid.zooms)
    return PropsegResult(
        coverage=drawn,
        centerline=_centerline_of(drawn, tube.points, seen.agreement),
        vertices=grid.voxel_to_world(vertices / zooms),
        triangles=triangles,
        stops=tube.stops,
        ring_xyz=grid.voxel_to_world(ring_centres(tube.points) / zooms),
        ring_contrast=seen.contrast,
        ring_agreement=seen.agreement,
    )


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
        if upright and contrast > parameters.min_contrast and agreement >= MIN_MEAN_AGREEMENT:
            ranked.append((contrast * agreement, tube))
    return sorted(ranked, key=lambda pair: -pair[0])


def _best_tube(
    field: Field,
    ranked: list[tuple[float, Array]],
    kind: ContrastKind,
    parameters: PropsegParameters,
    guide: Guide | None,
) -> _Tube:
    """Grow the best first tubes in both directions and return the longest; the first that is long enough ends it."""
    length = field.data.shape[2] * float(field.zooms[2])
    grown: list[_Tube] = []
    for _, first in ranked[:_MAX_TRIES]:
        up = propagate(field, first, kind, parameters, guide)
        down = propagate(field, turned(up.points), kind, parameters, guide.turned() if guide else None)
        grown.append(_Tube(turned(down.points), (down.stop, up.stop)))
        if grown[-1].length_mm >= _LONG_ENOUGH * length:
            break
    best = max(grown, key=lambda tube: tube.length_mm, default=None)
    needed = min(MIN_LENGTH_MM, length)
    if best is None or best.length_mm < needed:
        longest = Measured(0.0 if best is None else best.length_mm, round(needed))
        found = "no place looks like one" if best is None else f"the longest tube has {longest:.0f} mm"
        raise CordNotFoundError(
            f"PropSeg found no cord: {found}, at least {needed:.0f} mm are expected. Check that the contrast (bright "
            "or dark fluid) is the image's, or give a centerline."
        )
    return best


def _centerline_of(drawn: Volume, points: Array, agreement: Array) -> Centerline:
    """Return the centre of the drawn tube in each slice, with the agreement of the nearest ring as heat."""
    grid: Grid = drawn.grid
    weight = drawn.data.sum(axis=(0, 1), dtype=np.float64)
    k = np.flatnonzero(weight > 0)
    every = np.arange(k[0], k[-1] + 1)
    i, j = (np.arange(n, dtype=np.float64) for n in grid.shape[:2])
    centre_i = np.einsum("i,ik->k", i, drawn.data.sum(axis=1, dtype=np.float64)[:, k]) / weight[k]
    centre_j = np.einsum("j,jk->k", j, drawn.data.sum(axis=0, dtype=np.float64)[:, k]) / weight[k]
    ij = np.column_stack([np.interp(every, k, centre_i), np.interp(every, k, centre_j)])
    rings = ring_centres(points)[:, AXIS_IS] / grid.zooms[AXIS_IS]
    seen = np.isfinite(agreement)
    order = np.argsort(rings[seen])
    heat = np.interp(every, rings[seen][order], agreement[seen][order])
    return Centerline(ij, every, grid, heat, 0.0)
