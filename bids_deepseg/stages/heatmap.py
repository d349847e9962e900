"""Find where the cord is: a heatmap over every slice of the image.

A slice of any size is covered by overlapping tiles of the network's patch size; where tiles overlap, their outputs are
averaged with weights that fall towards the tile's border, where the network sees least context.

Most of an image shows no cord. In long images with thin slices, a few slices are scanned as a whole, and those between
them only in the tiles that hold what these show: there the heat is the same as that of a whole scan.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from bids_deepseg.errors import CordNotFoundError
from bids_deepseg.geometry.grid import AXIS_IS, Grid
from bids_deepseg.geometry.resample import in_plane_grid, resample_onto
from bids_deepseg.geometry.volume import Volume
from bids_deepseg.geometry.window import Window, crop, tile_starts
from bids_deepseg.networks.predictor import Predictor
from bids_deepseg.stages.findings import Measured
from bids_deepseg.stages.intensity import Standardise, standardise_patches

#: Heat from which a slice counts as evidence of a cord: half of the value at a cord's centre in the training target.
DETECTION_THRESHOLD = 0.5

#: Distance of the slices that are scanned in long images with thinner slices, and the least number of them.
_SCAN_EVERY_MM = 2.0
_LEAST_SCANNED = 16

#: Distance of the slices that are scanned as a whole.
_WHOLE_EVERY_MM = 8.0

#: Heat that is followed from them into the slices between, and how far a cord may have moved aside until there.
_FOLLOWED_HEAT = 0.1
_FOLLOWED_MM = 8.0

#: Slices whose tiles are held in memory together.
_SLICES_AT_ONCE = 16


@dataclass(frozen=True, slots=True, eq=False)
class Heatmap:
    """Detection map of the cord.

    Attributes
    ----------
    volume : Volume
        float32 values in [0, 1] on canonical axes at the detector's in-plane pixel size; 1 at the cord's centre.

    Raises
    ------
    CordNotFoundError
        If no slice reaches the detection threshold.
    """

    volume: Volume

    def __post_init__(self) -> None:
        if not self.detected.any():
            largest = Measured(self.volume.data.max(), DETECTION_THRESHOLD)
            raise CordNotFoundError(
                f"No cord was found: the largest heat is {largest:.2f}, at least {DETECTION_THRESHOLD} is expected in "
                "a slice with cord. Check that the field of view holds the spinal cord and that the orientation in the "
                "header is right."
            )

    @property
    def detected(self) -> NDArray[np.bool_]:
        """Slices (K,) with evidence of a cord."""
        detected: NDArray[np.bool_] = self.volume.data.max((0, 1)) >= DETECTION_THRESHOLD
        return detected


def detect_cord(canonical: Volume, detector: Predictor, *, standardise: Standardise = standardise_patches) -> Heatmap:
    """Scan all slices with the detection network.

    Parameters
    ----------
    canonical : Volume
        Image on canonical axes, any pixel size and number of slices.
    detector : Predictor
        Detection network.
    standardise : callable, optional
        Brings patches to the intensities that the network expects.

    Returns
    -------
    Heatmap
        One value per pixel of the detector's size.

    Raises
    ------
    CordNotFoundError
        If no slice shows a cord.
    """
    grid = in_plane_grid(canonical.grid, detector.zoom_mm)
    n_slices = grid.shape[AXIS_IS]
    levels = scanned_slices(n_slices, grid.zooms[AXIS_IS])
    whole = _whole_slices(levels, grid.zooms[AXIS_IS])
    heat = _scan_slices(canonical, whole, detector, standardise)
    between = np.setdiff1d(levels, whole)
    if len(between):
        near = _near_heat(heat, np.searchsorted(whole, between), grid.zooms)
        seen = _scan_slices(canonical, between, detector, standardise, wanted=near)
        heat, places = _fill_between(heat, whole, levels), np.searchsorted(levels, between)
        heat[..., places] = np.where(np.isnan(seen), heat[..., places], seen)
    return Heatmap(Volume(_fill_between(heat, levels, np.arange(n_slices)), grid))


def scanned_slices(n_slices: int, distance_mm: float) -> NDArray[np.intp]:
    """Return the slices that are scanned: all, or some of a long image with thin slices.

    The centre of a cord moves little over 2 mm, and the network's time is most of the time of an image.
    """
    step = max(1, int(_SCAN_EVERY_MM / distance_mm + 1e-3))
    if n_slices < _LEAST_SCANNED * step:
        return np.arange(n_slices)
    return np.unique(np.append(np.arange(0, n_slices, step), n_slices - 1))


def _whole_slices(levels: NDArray[np.intp], distance_mm: float) -> NDArray[np.intp]:
    """Return those of the scanned slices that are scanned as a whole: all of few."""
    if len(levels) < 2 * _LEAST_SCANNED:
        return levels
    step = max(1, int(_WHOLE_EVERY_MM / ((levels[1] - levels[0]) * distance_mm)))
    return np.unique(np.append(levels[::step], levels[-1]))


def _fill_between(
    scanned: NDArray[np.float32], levels: NDArray[np.intp], wanted: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Interpolate the heat (I, J, S) of some slices linearly to the wanted ones (I, J, W), which are more."""
    if len(levels) == len(wanted):
        return scanned
    position = np.interp(wanted, levels, np.arange(len(levels)))
    below = np.minimum(position.astype(int), len(levels) - 2)
    above = (position - below).astype(np.float32)
    return np.asarray(scanned[..., below] * (1 - above) + scanned[..., below + 1] * above, np.float32)


def _near_heat(
    heat: NDArray[np.float32], above: NDArray[np.intp], zooms: tuple[float, float, float]
) -> NDArray[np.bool_]:
    """Return the pixels (I, J, S) of slices that are close to heat in the scanned slices around them.

    ``above`` holds, for each of the slices, the number of the next scanned slice of ``heat`` above it.
    """
    size = [2 * round(_FOLLOWED_MM / zoom) + 1 for zoom in zooms[:2]]
    shown = ndimage.maximum_filter(heat, (*size, 1)) >= _FOLLOWED_HEAT
    return np.asarray(shown[..., above - 1] | shown[..., above])


def _scan_slices(
    canonical: Volume,
    levels: NDArray[np.intp],
    detector: Predictor,
    standardise: Standardise,
    *,
    wanted: NDArray[np.bool_] | None = None,
) -> NDArray[np.float32]:
    """Return the heat (I, J, S) of some slices; NaN where ``wanted`` asks for nothing."""
    scanned = []
    for first in range(0, len(levels), _SLICES_AT_ONCE):
        some = slice(first, first + _SLICES_AT_ONCE)
        # Resampled is within the slices only, so that those between do not matter.
        chosen = np.ascontiguousarray(canonical.data[..., levels[some]])
        slices = Volume(chosen, Grid(chosen.shape, canonical.grid.affine))
        image = resample_onto(slices, in_plane_grid(slices.grid, detector.zoom_mm))
        scanned.append(_scan(image.data, detector, standardise, None if wanted is None else wanted[..., some]))
    return np.concatenate(scanned, axis=2)


def _scan(
    data: NDArray[np.float32], detector: Predictor, standardise: Standardise, wanted: NDArray[np.bool_] | None
) -> NDArray[np.float32]:
    """Predict the overlapping tiles of some slices (I, J, K) that hold a wanted pixel, and blend them."""
    windows = _tile(data.shape, detector.patch_shape)
    if wanted is not None:
        windows = [window for window in windows if wanted[(*window.overlap(data.shape)[1], window.k)].any()]
    total, weights = np.zeros(data.shape, np.float32), np.zeros(data.shape, np.float32)
    if windows:
        values, valid = (np.stack(parts) for parts in zip(*(crop(data, window) for window in windows), strict=True))
        predicted = detector.predict(standardise(values, valid))
        weight = _blend_weight(detector.patch_shape)
        for tile, window in zip(predicted, windows, strict=True):
            inner, outer = window.overlap(data.shape)
            total[(*outer, window.k)] += (tile * weight)[inner]
            weights[(*outer, window.k)] += weight[inner]
    return np.divide(total, weights, out=np.full(data.shape, np.nan, np.float32), where=weights > 0)


def _tile(shape: tuple[int, ...], patch_shape: tuple[int, int]) -> list[Window]:
    """Cover slices of ``shape`` (I, J, K) by windows that overlap by at least a third."""
    starts = [tile_starts(n, size, size * 2 // 3) for n, size in zip(shape[:2], patch_shape, strict=True)]
    return [Window((i, j), patch_shape, k) for k in range(shape[2]) for i in starts[0] for j in starts[1]]


def _blend_weight(patch_shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return Hann weights over a patch, positive everywhere."""
    i, j = (np.hanning(n + 2)[1:-1] for n in patch_shape)
    return np.outer(i, j).astype(np.float32)
