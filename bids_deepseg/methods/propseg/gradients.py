"""Trace the cord with several linear detectors at once: HOG, SVM and OptiC on pixels of 1 mm.

As :mod:`bids_deepseg.methods.optic.centerline`, but the gradients are described once for all detectors, of slices about
3 mm apart, and the path runs through the detectors' pixels: the tube looks for the border from there.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from bids_deepseg.geometry.grid import AXIS_IS, Grid
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.methods.optic.centerline import DEFAULT_SVM_SMOOTHNESS, to_detector_pixels, to_eight_bit
from bids_deepseg.methods.optic.hog import block_descriptors, score_blocks
from bids_deepseg.methods.optic.model import SvmModel
from bids_deepseg.stages.centerline import Centerline
from bids_deepseg.stages.optic import least_cost_path

#: Distance of the slices that the detectors see: the cord's course bends little over some millimetres.
_SCANNED_MM = 3.0


def trace_cords(canonical: Volume, detectors: Mapping[str, SvmModel], *, most_slices: int) -> dict[str, Centerline]:
    """Return the path of the best scores of each detector, interpolated to all slices; the scores are its heat.

    Parameters
    ----------
    canonical : Volume
        float32 image on canonical axes.
    detectors : mapping
        Detectors by contrast.
    most_slices : int
        The most that they see of a long image.

    Raises
    ------
    CordNotFoundError
        If all values are equal.
    """
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
