"""Find the course along which the tube is laid: by gradients and OptiC, from a centerline, or from circles.

By gradients, several linear detectors see the image at once, as in :mod:`bids_deepseg.methods.optic.centerline`: HOG,
SVM and OptiC on pixels of 1 mm. But the gradients are described once for all detectors, of slices about 3 mm apart, and
the path runs through the detectors' pixels: the tube looks for the border from there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.geometry.grid import AXIS_IS, Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.optic.centerline import DEFAULT_SVM_SMOOTHNESS, to_detector_pixels, to_eight_bit
from bids_deepseg.methods.optic.hog import block_descriptors, score_blocks
from bids_deepseg.methods.optic.model import SvmModel
from bids_deepseg.methods.propseg.growth import grow_tube
from bids_deepseg.methods.propseg.mesh import ring_centres
from bids_deepseg.methods.propseg.parameters import PropsegParameters
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.optic import least_cost_path


def _trace_cords(canonical: Volume, detectors: Mapping[str, SvmModel], *, most_slices: int) -> dict[str, Centerline]:
    """Return the path of the best scores of each detector, interpolated to all slices; the scores are its heat."""
    slices = _scanned(canonical.grid, most_slices)
    # Of the slices that are seen only: the whole of a head takes hundreds of MB in double precision.
    eight_bit = to_eight_bit(canonical.data[..., slices])
    scores: dict[str, list[NDArray[np.float32]]] = {name: [] for name in detectors}
    for m in range(len(slices)):
        pixels = to_detector_pixels(eight_bit[..., m], canonical.grid.zooms[:2])
        blocks = block_descriptors(pixels)
        for name, detector in detectors.items():
            scores[name].append(score_blocks(blocks, pixels.shape, detector.weights, detector.bias))
    return {name: _path(np.stack(each, axis=2), slices, canonical.grid) for name, each in scores.items()}


def _scanned(canonical: Grid, most: int) -> NDArray[np.intp]:
    """Return the slices that are scanned; the same ones counted from below and from above."""
    n_slices = canonical.shape[AXIS_IS]
    n_scanned = 1 + int(np.ceil((n_slices - 1) * canonical.zooms[AXIS_IS] / _SCANNED_MM))
    return np.unique(np.rint(np.linspace(0, n_slices - 1, min(n_slices, n_scanned, most))).astype(int))


def _path(scores: NDArray[np.float32], slices: NDArray[np.intp], canonical: Grid) -> Centerline:
    """Trace the path through scores (I, J, S) on pixels of 1 mm, and interpolate it to all slices."""
    zooms = np.array(canonical.zooms)
    pixel = np.array(canonical.shape[:2]) / scores.shape[:2]
    gap_mm = float(zooms[AXIS_IS]) * (float(np.diff(slices).mean()) if len(slices) > 1 else 1.0)
    weights = DEFAULT_SVM_SMOOTHNESS * (pixel * zooms[:2] / gap_mm) ** 2
    # Differences of scores decide, and a sum over many slices is taken: double precision.
    path, cost = least_cost_path(-scores.astype(np.float64), (float(weights[0]), float(weights[1])))
    heat = scores[path[:, 0], path[:, 1], np.arange(len(path))].astype(np.float64)
    every = np.arange(canonical.shape[AXIS_IS])
    columns = [np.interp(every, slices, values) for values in (*(path * pixel).T, heat)]
    return Centerline(np.column_stack(columns[:2]), every, canonical, columns[2], cost)


#: Distance of the slices that the detectors see: the cord's course bends little over some millimetres.
_SCANNED_MM = 3.0

Array = NDArray[np.float64]

#: Sign of the fluid in the images of which a detector was learned: +1 brighter than the cord, -1 darker.
_LEARNED_SIGNS: Mapping[str, int] = MappingProxyType({"t1": -1, "t2": 1, "t2s": 1, "dwi": -1})
#: Sign that a contrast's name lets expect (spec of the reference method, 5.1). A diffusion series may be either, by its
#: weighting.
NAMED_SIGNS: Mapping[str, int] = MappingProxyType({"t1": -1, "t2": 1, "t2s": 1, "dwi": 0})

#: Stretch of the cord by which a detector is judged.
_STRETCH_MM = 30.0
#: Mean score there from which the named contrast's detector is believed without asking the others.
_SURE = 1.0
#: Slices of a long image that the named contrast's detector sees, and that are seen where several are compared.
_MOST_SLICES, _FEWER_SLICES = 64, 32
#: Gaussian along the axes in mm, for images in which no detector is sure.
_DENOISED_MM = (1.0, 1.0, 3.0)
#: What a contrast's name says of the fluid, where the detectors are not compared: half of what they can say.
_NAMED = 0.5
#: Contrasts whose name tells the brightness of the fluid well enough. Under ``t2s`` go images of magnetisation transfer
#: as well, where it depends on the flip angle.
_TELLING = ("t1", "t2")
#: By how much another contrast's detector must be surer.
_SURER = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """Where the cord is expected.

    Attributes
    ----------
    centerline : Centerline
        One point per slice.
    scores : (N,) array or None
        How sure a detector is of a cord at each point (1 and more: sure; -1: sure that there is none), for a course
        that goes on where there is no cord; None for one that has a beginning and an end.
    bright_fluid : float
        How much speaks for a fluid that is brighter than the cord: from 1 over 0 (unknown) to -1, for a darker one.
    """

    centerline: Centerline
    scores: Array | None = None
    bright_fluid: float = 0.0


def course_by_gradients(canonical: Volume, detectors: Mapping[str, SvmModel], contrast: str | None) -> Course:
    """Trace the cord with HOG, SVM and OptiC; the detector of another contrast takes over where it is surer.

    A name says little about the brightness of the fluid: a diffusion series without diffusion weighting looks like a
    T2w image. The detectors tell images apart by what they show.

    Parameters
    ----------
    canonical : Volume
        float32 image on canonical axes.
    detectors : mapping
        Detectors by contrast.
    contrast : str or None
        Named contrast.

    Raises
    ------
    CordNotFoundError
        If the image is constant.
    """
    named = {name: each for name, each in detectors.items() if name == contrast}
    found = _trace_cords(canonical, named, most_slices=_MOST_SLICES)
    bright_fluid = _NAMED * NAMED_SIGNS.get(contrast or "", 0)
    if contrast not in _TELLING or not any(_sureness(line) >= _SURE for line in found.values()):
        others = {name: each for name, each in detectors.items() if name not in named}
        found |= _trace_cords(canonical, others, most_slices=_FEWER_SLICES)
        bright_fluid += _bright_fluid({name: _sureness(line) for name, line in found.items()})
    if not any(_sureness(line) >= _SURE for line in found.values()):
        found = _surer(found, _trace_cords(_denoised(canonical), detectors, most_slices=_FEWER_SLICES))
        bright_fluid = _NAMED * NAMED_SIGNS.get(contrast or "", 0)
        bright_fluid += _bright_fluid({name: _sureness(line) for name, line in found.items()})
    best = max(found, key=lambda name: _sureness(found[name]) + _SURER * (name == contrast))
    return Course(found[best], found[best].heat, float(np.clip(bright_fluid, -1, 1)))


def _surer(one: Mapping[str, Centerline], other: Mapping[str, Centerline]) -> dict[str, Centerline]:
    """Return of each detector the surer one of two courses."""
    return {name: max(one[name], other[name], key=_sureness) for name in other}


def _denoised(canonical: Volume) -> Volume:
    """Smooth an image a little in plane and more along the cord, which noise is not continued along."""
    sigma = np.array(_DENOISED_MM) / canonical.grid.zooms
    return Volume(ndimage.gaussian_filter(canonical.data, sigma, mode="nearest"), canonical.grid)


def _bright_fluid(sureness: Mapping[str, float]) -> float:
    """Return how much surer the detectors of bright fluid are than those of dark fluid, from -1 to 1."""
    bright, dark = (
        max((value for name, value in sureness.items() if _LEARNED_SIGNS[name] == sign), default=-1.0)
        for sign in (1, -1)
    )
    return float(np.clip(bright - dark, -1, 1))


def _sureness(line: Centerline) -> float:
    """Return the mean score of the best stretch: the rest may be brain or the cauda equina."""
    slice_mm = float(line.grid.zooms[AXIS_IS])
    length = min(len(line.heat), max(1, round(_STRETCH_MM / slice_mm)))
    total = np.concatenate([[0.0], np.cumsum(line.heat)])
    return float((total[length:] - total[:-length]).max() / length)


def course_along(
    canonical: Volume, centerline: Centerline, detectors: Mapping[str, SvmModel], contrast: str | None
) -> Course:
    """Take a centerline that has a beginning and an end: of the detection network, or of a person.

    Parameters
    ----------
    centerline : Centerline
        Points on the grid of the image.
    canonical, detectors, contrast
        As for :func:`course_by_gradients`; the detectors tell the brightness of the fluid where the contrast's name
        does not.

    Raises
    ------
    CordNotFoundError
        If the image is constant.
    """
    bright_fluid = _NAMED * NAMED_SIGNS.get(contrast or "", 0)
    if contrast not in _TELLING:
        bright_fluid += _bright_fluid(
            {
                name: _sureness(line)
                for name, line in _trace_cords(canonical, detectors, most_slices=_FEWER_SLICES).items()
            }
        )
    return Course(centerline, None, float(np.clip(bright_fluid, -1, 1)))


def centerline_on(centerline: Centerline, canonical: Grid) -> Centerline:
    """Return a centerline that lies on another grid of the same slices on the grid of the image."""
    points = canonical.world_to_voxel(centerline.xyz)
    return Centerline(points[:, :2].copy(), centerline.k.copy(), canonical, centerline.heat.copy(), centerline.cost)


def course_by_circles(canonical: Volume, contrast: str | None, parameters: PropsegParameters) -> Course:
    """Look for circles in a few slices and let a tube grow from them along the cord; its centres are the course.

    Parameters
    ----------
    canonical : Volume
        float32 image on canonical axes.
    contrast : str or None
        Named contrast; what it lets expect of the fluid is tried first.
    parameters : PropsegParameters
        What steers the growth.

    Raises
    ------
    CordNotFoundError
        If no tube grows.
    """
    expected = _LEARNED_SIGNS.get(contrast or "", 1)
    first_error: CordNotFoundError | None = None
    for sign in (expected, -expected):
        try:
            points = grow_tube(canonical, sign, parameters)
        except CordNotFoundError as error:
            first_error = first_error or error
            continue
        return Course(_through(ring_centres(points), canonical.grid), None, float(sign))
    raise first_error or CordNotFoundError("PropSeg found no cord.")


def _through(centres_mm: Array, canonical: Grid) -> Centerline:
    """Return the centerline through the centres of rings, in the slices that they reach."""
    zooms = np.array(canonical.zooms)
    order = np.argsort(centres_mm[:, AXIS_IS], kind="stable")
    ijk = centres_mm[order] / zooms
    low = max(0, int(np.ceil(ijk[0, AXIS_IS] - 0.5)))
    high = min(canonical.shape[AXIS_IS] - 1, int(np.floor(ijk[-1, AXIS_IS] + 0.5)))
    every = np.arange(low, max(low, high) + 1)
    ij = np.column_stack([np.interp(every, ijk[:, AXIS_IS], ijk[:, axis]) for axis in (0, 1)])
    return Centerline(ij, every, canonical, np.ones(len(every)), 0.0)
