"""Segment one image with PropSeg: all steps on one screen."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.geometry.grid import AXIS_IS, Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.propseg.checks import check_tube, doubts_about
from bids_deepseg.methods.propseg.course import Course
from bids_deepseg.methods.propseg.ellipses import EllipseFit, fit_ellipses
from bids_deepseg.methods.propseg.ends import SliceEvidence, cord_span
from bids_deepseg.methods.propseg.mesh import closed_surface
from bids_deepseg.methods.propseg.outline import areas, best_outlines, centroids, draw_rings, ring_points, settle
from bids_deepseg.methods.propseg.parameters import PropsegParameters
from bids_deepseg.methods.propseg.stack import Tube, find_edges, median_along, smooth_along, straighten
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.findings import Finding

Array = NDArray[np.float64]

#: Smoothing of a course along the cord, mm: whole pixels make it jump.
_COURSE_SIGMA_MM = 5.0
#: Median and Gaussian along the cord over the middles and over the half axes of the ellipses, mm.
_MIDDLES_MM, _AXES_MM = (9.0, 3.0), (15.0, 6.0)
#: Gaussian over the way of the centres to those of the outlines, mm, and rounds.
_CENTRES_MM, _ROUNDS = 2.0, 3
#: Worth by which the sign of the fluid that is expected is preferred at most: clear images differ by more.
_EXPECTED_WORTH = 0.2


@dataclass(frozen=True, slots=True, eq=False)
class PropsegResult:
    """The cord as a tube, drawn on the image, and what was measured.

    Attributes
    ----------
    coverage : Volume
        float32 fraction of each voxel inside the tube, on the canonical grid.
    centerline : Centerline
        Centre of the tube in each slice; its heat is the agreement of the ring there.
    vertices : (N, 3) array
        Corners of the closed surface in RAS+ mm.
    triangles : (T, 3) int array
        Corners of its triangles, as indices of the vertices.
    stops : (str, str)
        Why the tube ends at the inferior and at the superior end (:class:`.ends.Span`; ``image-end`` where the image
        ends with it).
    sign : int
        +1 where the fluid is brighter than the cord, -1 where it is darker.
    edge, agreement : (K,) arrays
        Mean bounded gradient across each ring, 1 at most, and share of its rays with the right sign.
    findings : tuple of Finding
        What speaks against the tube.
    """

    coverage: Volume
    centerline: Centerline
    vertices: Array
    triangles: NDArray[np.intp]
    stops: tuple[str, str]
    sign: int
    edge: Array
    agreement: Array
    findings: tuple[Finding, ...]


def segment_propseg(canonical: Volume, course: Course, *, parameters: PropsegParameters | None = None) -> PropsegResult:
    """Segment the cord with a tube along a course.

    Parameters
    ----------
    canonical : Volume
        float32 image on canonical axes.
    course : Course
        Where the cord is expected (:mod:`.course`).
    parameters : PropsegParameters, optional
        Limits.

    Returns
    -------
    PropsegResult
        The coverage can be thresholded at 0.5 by :func:`bids_deepseg.stages.mask.clean_mask`.

    Raises
    ------
    CordNotFoundError
        If no tube of at least 20 mm (or the whole course, if that is shorter) is found.
    """
    parameters = parameters or PropsegParameters()
    line = course.centerline
    _check_contrast(canonical)
    zooms = np.array(canonical.grid.zooms)
    slice_mm = float(zooms[AXIS_IS])
    guess = smooth_along(line.ij * zooms[:2], _COURSE_SIGMA_MM, slice_mm)
    fit, other = _best_sign(canonical, guess, course, parameters)
    tube = _lay_tube(canonical, guess, line.k, fit, parameters)
    evidence = SliceEvidence(tube.edge, areas(tube.radii), course.scores)
    span = cord_span(evidence, slice_mm, parameters)
    if span is None:
        raise CordNotFoundError(
            "PropSeg found no cord: in no slice does a closed border of a cord's size stand out. Check that the image "
            "shows the cord, or give a centerline."
        )
    kept = tube.part(span.first, span.last)
    scores = None if course.scores is None else course.scores[span.first : span.last + 1]
    check_tube(kept, scores, n_slices=len(line.k), slice_mm=slice_mm, parameters=parameters)
    result = _drawn(canonical, kept, fit.sign, span.stops)
    given_mm = line.ij[span.first : span.last + 1] * zooms[:2]
    return replace(result, findings=doubts_about(kept, given_mm, fit, other, is_scored=scores is not None))


def _check_contrast(canonical: Volume) -> None:
    """Refuse an image without any contrast."""
    low, high = float(canonical.data.min()), float(canonical.data.max())
    if not high > low:
        raise CordNotFoundError(f"No cord was found: the image is constant ({low:g}). Check the image.")


def _best_sign(
    canonical: Volume, guess: Array, course: Course, parameters: PropsegParameters
) -> tuple[EllipseFit, EllipseFit]:
    """Fit ellipses for bright and for dark fluid; return the fit that is worth more, and the other one.

    Only slices count in which the detector sees a cord: the others say nothing about its fluid.
    """
    stack = straighten(canonical, guess, course.centerline.k)
    edges = find_edges(stack, sigma_mm=parameters.coarse_sigma_mm, along_mm=parameters.along_sigma_mm)
    counted = np.ones(len(guess), bool)
    if course.scores is not None:
        counted = course.scores >= min(parameters.min_mean_score, float(np.percentile(course.scores, 75)))

    def worth(fit: EllipseFit) -> float:
        return float(np.median(fit.worth[counted])) + _EXPECTED_WORTH * max(0.0, fit.sign * course.bright_fluid)

    first, second = sorted(fit_ellipses(edges), key=worth, reverse=True)
    return first, second


def _lay_tube(
    canonical: Volume, guess: Array, slices: NDArray[np.intp], fit: EllipseFit, parameters: PropsegParameters
) -> Tube:
    """Find the border in all slices of a course: outlines around the ellipses, around their own centres, settled."""
    slice_mm = float(canonical.grid.zooms[AXIS_IS])
    middles = guess + _smoothed(fit.offsets_mm, *_MIDDLES_MM, slice_mm)
    axes = _smoothed(fit.half_axes_mm, *_AXES_MM, slice_mm)
    stack = straighten(canonical, middles, slices)
    coarse = find_edges(stack, sigma_mm=parameters.coarse_sigma_mm, along_mm=parameters.along_sigma_mm)
    centres = np.zeros_like(middles)
    for turn in range(_ROUNDS):
        radii, strength = best_outlines(coarse, fit.sign, centres, axes)
        if turn < _ROUNDS - 1:
            centres = centres + smooth_along(centroids(radii), _CENTRES_MM, slice_mm)
            axes = _smoothed(_resized(axes, areas(radii)), *_MIDDLES_MM, slice_mm)
    fine = find_edges(stack, sigma_mm=parameters.fine_sigma_mm, along_mm=parameters.along_sigma_mm / 2)
    radii = settle(fine, fit.sign, centres, radii)
    inside = _inside(canonical.grid, ring_points(radii, middles + centres))
    edge, agreement = (_mean_where(values, inside) for values in (strength, strength > 0))
    return Tube(slices, middles + centres, radii, edge, agreement)


def _inside(grid: Grid, points_mm: Array) -> NDArray[np.bool_]:
    """Tell which in-plane points lie in the image: a border beyond it is not seen, and says nothing."""
    index = points_mm / np.array(grid.zooms[:2])
    within: NDArray[np.bool_] = ((index >= 0) & (index <= np.array(grid.shape[:2]) - 1)).all(axis=-1)
    return within


def _mean_where(values: NDArray[np.floating] | NDArray[np.bool_], chosen: NDArray[np.bool_]) -> Array:
    """Return the mean of the chosen entries of each row, 0 where fewer than a quarter are chosen."""
    count = chosen.sum(axis=1)
    mean = np.where(chosen, values, 0).sum(axis=1) / np.maximum(count, 1)
    return np.where(count >= chosen.shape[1] / 4, mean, 0.0)


def _smoothed(values: Array, window_mm: float, sigma_mm: float, slice_mm: float) -> Array:
    """Take a median and then a Gaussian along the cord."""
    return smooth_along(median_along(values, window_mm, slice_mm), sigma_mm, slice_mm)


def _resized(half_axes_mm: Array, area_mm2: Array) -> Array:
    """Return ellipses of the same shape with given areas."""
    factor = np.sqrt(np.maximum(area_mm2, 4.0) / (np.pi * half_axes_mm.prod(axis=1)))
    resized: Array = half_axes_mm * factor[:, None]
    return resized


def _drawn(canonical: Volume, tube: Tube, sign: int, stops: tuple[str, str]) -> PropsegResult:
    """Draw a tube on the voxels of an image."""
    grid, zooms = canonical.grid, np.array(canonical.grid.zooms)
    coverage = draw_rings(grid, tube.slices, tube.centres_mm, tube.radii)
    ends = (tube.slices[0] == 0, tube.slices[-1] == grid.shape[AXIS_IS] - 1)
    named = tuple(
        "image-end" if is_end and stop == "course-end" else stop for stop, is_end in zip(stops, ends, strict=True)
    )
    vertices, triangles = _surface(tube, grid)
    middles = (tube.centres_mm + centroids(tube.radii)) / zooms[:2]
    # The middle of a cord that the field of view cuts through may lie outside it.
    middles = np.clip(middles, 0, np.array(grid.shape[:2]) - 1.0)
    return PropsegResult(
        coverage=coverage,
        centerline=Centerline(middles, tube.slices.copy(), grid, tube.agreement.copy(), 0.0),
        vertices=vertices,
        triangles=triangles,
        stops=(named[0], named[1]),
        sign=sign,
        edge=tube.edge,
        agreement=tube.agreement,
        findings=(),
    )


def _surface(tube: Tube, grid: Grid) -> tuple[Array, NDArray[np.intp]]:
    """Return the closed surface through the rings in RAS+ mm; a single ring becomes as thick as its slice."""
    slices = tube.slices.astype(float)
    corners = ring_points(tube.radii, tube.centres_mm)
    if len(slices) == 1:
        slices, corners = slices[[0, 0]] + np.array([-0.5, 0.5]), corners[[0, 0]]
    heights = np.broadcast_to((slices * grid.zooms[AXIS_IS])[:, None, None], (*corners.shape[:2], 1))
    vertices, triangles = closed_surface(np.concatenate([corners, heights], axis=2))
    return grid.voxel_to_world(vertices / np.array(grid.zooms)), triangles
