"""Work on a whole drawing: fill slices between drawn ones, and smooth.

Masks are uint8 arrays with the axes of the page, so that slices are along the third axis.
"""

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.uint8]

#: Width of the Gaussian that smooths a mask: less than a third of the radius of a thin cord.
SMOOTHING_MM = 0.75

#: Voxels around a mask that smoothing may reach.
_MARGIN = 4


def interpolate(mask: Mask, zooms: tuple[float, float, float]) -> Mask:
    """Fill the empty slices between slices with a mask.

    Between two shapes, their centres move along a line, and the distance to their borders changes evenly (shape-based
    interpolation, Raya and Udupa, IEEE Trans Med Imaging 1990, 9: 32-42). Slices with a mask stay as they are, and so
    do those beyond the outermost ones.

    Parameters
    ----------
    mask : (I, J, K) uint8 array
        0 and 1.
    zooms : tuple of float
        Voxel sizes in mm.

    Returns
    -------
    (I, J, K) uint8 array
        A new mask.
    """
    filled = mask.copy()
    drawn = np.flatnonzero(mask.any((0, 1)))
    for low, high in pairwise(drawn.tolist()):
        if high - low > 1:
            _fill(filled, low, high, zooms[:2])
    return filled


def _fill(mask: Mask, low: int, high: int, zooms: tuple[float, ...]) -> None:
    """Fill the slices between two, in place."""
    ends = [_distance(mask[:, :, k], zooms) for k in (low, high)]
    centres = [np.array(ndimage.center_of_mass(mask[:, :, k])) for k in (low, high)]
    for k in range(low + 1, high):
        part = (k - low) / (high - low)
        centre = (1 - part) * centres[0] + part * centres[1]
        moved = [
            ndimage.shift(distance, centre - own, order=1, mode="nearest")
            for distance, own in zip(ends, centres, strict=True)
        ]
        mask[:, :, k] = (1 - part) * moved[0] + part * moved[1] > 0


def _distance(shape: NDArray[np.uint8], zooms: tuple[float, ...]) -> NDArray[np.float64]:
    """Return the distance to the border in mm, positive inside."""
    inside = np.pad(shape.astype(bool), 1)
    distance = ndimage.distance_transform_edt(inside, zooms) - ndimage.distance_transform_edt(~inside, zooms)
    return np.asarray(distance[1:-1, 1:-1], np.float64)


def smooth(mask: Mask, zooms: tuple[float, float, float]) -> Mask:
    """Smooth the border of a mask by a Gaussian of :data:`SMOOTHING_MM`; parameters as for :func:`interpolate`.

    The ends stay: no slice gets a mask that had none, and none loses its mask.
    """
    present = np.asarray(mask.any((0, 1)))
    if not present.any():
        return mask.copy()
    box = tuple(slice(max(found.start - _MARGIN, 0), found.stop + _MARGIN) for found in ndimage.find_objects(mask)[0])
    part = mask[box].astype(np.float32)
    sigma = [SMOOTHING_MM / zoom for zoom in zooms]
    # Slices beyond the ends repeat the last one, so that the ends are not rounded off.
    inner = present[box[2]]
    first, last = np.flatnonzero(inner)[[0, -1]]
    part[:, :, :first], part[:, :, last + 1 :] = part[:, :, [first]], part[:, :, [last]]
    smoothed = (ndimage.gaussian_filter(part, sigma, mode="nearest") >= 0.5).astype(np.uint8)
    smoothed[:, :, ~inner] = 0
    lost = inner & ~smoothed.any((0, 1))
    smoothed[:, :, lost] = mask[box][:, :, lost]
    result = np.zeros_like(mask)
    result[box] = smoothed
    return result
